"""Confidence distillation for efficient video recognition: the library behind the study.

A teacher classifies the clips of a video and is sometimes confidently wrong. A small student
learns where, so that the teacher sees only the clips that it will classify correctly. One flow
runs through the rooms of this package::

    video files -> clips -> teacher, student -> CLIP TABLE -> sampling -> video predictions

``import condi_lib`` loads none of them: import the room you need, ``condi_lib.metrics`` say.
"""

__version__ = "0.1.0"
