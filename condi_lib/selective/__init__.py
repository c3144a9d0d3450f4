"""From video files to predictions, with a teacher that really skips clips.

``classifier`` is what one uses; ``loading`` reads its networks from files, ``networks`` runs one on
decoded clips, ``decoding`` brings clips in while networks compute, ``open_video`` knows what has
been said of one video so far (``logits`` holds it), ``pipeline`` fills batches across videos,
``answers`` follows the videos of a list, ``prediction`` is an answer, ``live`` takes frames as they
come.
"""

from condi_lib.selective.classifier import SelectiveClassifier
from condi_lib.selective.live import LiveSession
from condi_lib.selective.networks import ClipNetwork
from condi_lib.selective.prediction import Prediction

__all__ = ["ClipNetwork", "LiveSession", "Prediction", "SelectiveClassifier"]
