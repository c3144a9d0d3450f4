"""The losses that train a student; ``build_objective("condi_sr")`` is the usual way in.

``terms`` holds what the losses are sums of, ``variants`` one function per loss and the registry,
``objective`` a loss with its hyperparameters fixed, as training uses it.
"""

from condi_lib.losses.objective import LossEntry, LossInputs, Objective, Parts
from condi_lib.losses.terms import (
    confidence_bce,
    distillation_loss,
    modified_teacher,
    soft_label_loss,
    softened_log_probs,
)
from condi_lib.losses.variants import (
    LOSSES,
    bce_conf,
    build_objective,
    classification,
    condi_sr,
    down_sample_majority,
    naive,
    scsampler_ranking,
    st_conf,
    st_ent,
)

__all__ = [
    "LOSSES",
    "LossEntry",
    "LossInputs",
    "Objective",
    "Parts",
    "bce_conf",
    "build_objective",
    "classification",
    "condi_sr",
    "confidence_bce",
    "distillation_loss",
    "down_sample_majority",
    "modified_teacher",
    "naive",
    "scsampler_ranking",
    "soft_label_loss",
    "softened_log_probs",
    "st_conf",
    "st_ent",
]
