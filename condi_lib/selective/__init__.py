"""From video files to predictions, with a teacher that really skips clips.

``classifier`` is what one uses; ``networks`` runs a network on decoded clips, ``decoding`` brings
clips in while networks compute, ``open_video`` knows what has been said of one video so far,
``answers`` follows many of them, ``prediction`` is an answer, ``live`` takes frames as they come.
"""

from condi_lib.selective.classifier import SelectiveClassifier
from condi_lib.selective.live import LiveSession
from condi_lib.selective.networks import ClipNetwork
from condi_lib.selective.prediction import Prediction

__all__ = ["ClipNetwork", "LiveSession", "Prediction", "SelectiveClassifier"]
