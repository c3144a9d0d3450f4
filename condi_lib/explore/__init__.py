"""The explorer: clip confidence by hand, in JupyterLab.

Pure modules compute and draw: ``setting`` is what can be set, ``split`` what each setting answers,
``scores`` what a score is worth, ``svg`` and ``charts`` make pictures of numbers, ``filmstrip``
of a video, ``pictures`` are its clips, ``your_video`` classifies a file. Widgets only pass on:
``clickable`` shows what was drawn, ``controls`` are a setting, ``desk`` the open table and its
videos, a ``…_page`` is one of the pages, ``guard`` tells what went wrong, ``app`` puts all of it
together; ``sources`` says where tables and videos come from.
"""

from condi_lib.explore.app import Explorer, explore
from condi_lib.explore.setting import Setting
from condi_lib.explore.split import SplitAnswers
from condi_lib.explore.your_video import Networks

__all__ = ["Explorer", "Networks", "Setting", "SplitAnswers", "explore"]
