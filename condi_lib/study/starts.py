"""Where a study's networks start from: random weights, or those of a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from condi_lib import paths
from condi_lib.models import ClassesDiffer, PretrainedWeights, Student, build_backbone, load_weights
from condi_lib.models.glimpse import DEFAULTS
from condi_lib.models.weights import weights_digest
from condi_lib.study.specs import NetworkSpec, StudentSpec, TeacherSpec
from condi_lib.videos.preprocess import Preprocess

SAME_MEAN, SAME_STD = 2e-3, 1e-2  # half a grey level of 255; as a share


def build_network(spec: TeacherSpec | StudentSpec, classes: Sequence[str]) -> nn.Module:
    """Build a run's network as it is before training.

    Weights keep their heads where their classes are the data set's, with the outputs put in its
    order; where they are others, or not known, both heads are new and to be trained. A confidence
    head says whether a teacher is right about these very classes, so it goes where the class head
    goes.

    Args:
        spec: The run.
        classes: The data set's.

    Raises:
        ValueError: If the weights are of another network or have changed; if nothing is trained
            and a head does not fit, or the preprocessing is not that of the weights.
    """
    network = spec.network
    confidence_head: dict[str, Tensor] = {}
    if network.weights is None:
        model = build_backbone(network.backbone, len(classes), spec.seed, **network.options)
    else:
        model, confidence_head = _started(spec, _read(network), classes)
    if isinstance(spec, TeacherSpec) or not spec.has_confidence:
        return model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed + 1)
        student = Student(model)
    if confidence_head:
        student.confidence_head.load_state_dict(confidence_head)
    elif not network.training.epochs:
        raise ValueError(
            f"{network.weights}: has no confidence head for these classes, which loss "
            f"{spec.loss!r} needs; train it (training.epochs), or give a student's weights"
        )
    return student


def _read(network: NetworkSpec) -> PretrainedWeights:
    path = paths.project_root() / network.weights
    weights = load_weights(path, network.backbone, network.options)
    if network.weights_content and weights_digest(path) != network.weights_content:
        raise ValueError(
            f"{path}: has changed since the study was read (or the list of classes beside it has); "
            "read the study again, or correct weights_content"
        )
    return weights


def _started(
    spec: TeacherSpec | StudentSpec, weights: PretrainedWeights, classes: Sequence[str]
) -> tuple[nn.Module, dict[str, Tensor]]:
    """The network, and the confidence head that goes with it if there is one."""
    network = spec.network
    try:
        model = weights.build(classes)
    except ClassesDiffer:
        if not network.training.epochs:
            raise
        return weights.build(num_classes=len(classes), seed=spec.seed), {}
    if not network.training.epochs:
        if weights.preprocess is not None and weights.recipe.sound != network.sound:
            theirs, ours = weights.recipe.sound or "pixels", network.sound or "pixels"
            raise ValueError(
                f"{weights.path}: was trained on {theirs}, the study's network is given {ours}; "
                "with epochs 0 give it the same `sound`, or none"
            )
        check_pixels(weights.path, weights.preprocess, spec.preprocess)
        check_glimpse(weights.path, weights.own_options, weights.options)
    return model, weights.confidence_head


def check_glimpse(path: str | Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Refuse to show weights that are used as they are anything else of a clip than in training.

    Args:
        path: The weights, for messages.
        theirs: The network's options as they were trained.
        ours: Its options in the study.

    Raises:
        ValueError: If an option of :class:`.glimpse.Glimpse` differs; says what to write.
    """
    trained, wanted = (
        {key: given.get(key, plain) for key, plain in DEFAULTS.items()} for given in (theirs, ours)
    )
    differ = [key for key in DEFAULTS if trained[key] != wanted[key]]
    if differ:
        theirs_told, ours_told = (
            ", ".join(f"{key}: {given[key]}" for key in differ) for given in (trained, wanted)
        )
        raise ValueError(
            f"{path}: was trained with {theirs_told}, the study's network has {ours_told}; with "
            f"epochs 0 give it the options {{{theirs_told}}}"
        )


def check_pixels(path: str | Path, theirs: Preprocess | None, ours: Preprocess) -> None:
    """Refuse to show weights that are used as they are other pixels than they were trained on.

    Args:
        path: The weights, for messages.
        theirs: How they were trained; None: nobody knows, the study says what to do.
        ours: What they are to be shown.

    Raises:
        ValueError: If channel order, mean or deviation differ; says what to write.
    """
    if theirs is None:
        return
    alike = all(abs(a - b) < SAME_MEAN for a, b in zip(ours.mean, theirs.mean, strict=True))
    alike &= all(abs(a / b - 1) < SAME_STD for a, b in zip(ours.std, theirs.std, strict=True))
    if not alike or ours.channel_order != theirs.channel_order:
        mean, std = ([round(value, 5) for value in values] for values in (theirs.mean, theirs.std))
        raise ValueError(
            f"{path}: was trained on {theirs.channel_order} pixels with mean {mean} and std {std}, "
            f"the study has {ours.channel_order}, {list(ours.mean)} and {list(ours.std)}; with "
            f"epochs 0 give its network `preprocess: {{crop_px: {ours.crop_px}, mean: {mean}, "
            f"std: {std}, channel_order: {theirs.channel_order}}}`"
        )
