"""The one training loop, for teachers and students alike.

``settings`` says how and on what, ``order`` in which order, ``schedule`` how learning rates
change, ``optimizer`` which parameters they drive, ``checkpoint`` how a run survives being killed,
``global_layers`` what several processes need to train as one, ``loop`` trains.
"""

from condi_lib.distributed import pick_device
from condi_lib.training.checkpoint import Checkpoint, restore_weights, save_weights
from condi_lib.training.loop import HISTORY, WEIGHTS, TrainingDiverged, train
from condi_lib.training.schedule import SCHEDULES, Schedule
from condi_lib.training.settings import TrainingData, TrainingSettings

__all__ = [
    "HISTORY",
    "SCHEDULES",
    "WEIGHTS",
    "Checkpoint",
    "Schedule",
    "TrainingData",
    "TrainingDiverged",
    "TrainingSettings",
    "pick_device",
    "restore_weights",
    "save_weights",
    "train",
]
