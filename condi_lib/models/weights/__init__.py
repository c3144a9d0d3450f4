"""Weights that somebody published, or that a run of ours left: read safely, recognised, built.

``files`` reads without running anything, ``layouts`` knows the published networks, ``recognise``
tells which one a file holds, ``class_order`` which output is which class, ``pretrained`` joins
them in :func:`load_weights`.
"""

from condi_lib.models.weights.class_order import ClassesDiffer, alphabetical
from condi_lib.models.weights.files import read_classes, weights_digest
from condi_lib.models.weights.layouts import Recipe
from condi_lib.models.weights.pretrained import PretrainedWeights, load_weights
from condi_lib.models.weights.recognise import ABOUT, network_metadata

__all__ = [
    "ABOUT",
    "ClassesDiffer",
    "PretrainedWeights",
    "Recipe",
    "alphabetical",
    "load_weights",
    "network_metadata",
    "read_classes",
    "weights_digest",
]
