"""The one training loop, for teachers and students alike.

``schedule`` says how learning rates change, ``checkpoint`` how a run survives being killed,
``loop`` trains.
"""

from condi_lib.training.checkpoint import Checkpoint, load_weights, save_weights
from condi_lib.training.loop import (
    TrainingData,
    TrainingDiverged,
    TrainingSettings,
    pick_device,
    train,
)
from condi_lib.training.schedule import SCHEDULES, Schedule

__all__ = [
    "SCHEDULES",
    "Checkpoint",
    "Schedule",
    "TrainingData",
    "TrainingDiverged",
    "TrainingSettings",
    "load_weights",
    "pick_device",
    "save_weights",
    "train",
]
