"""Load weights that somebody published, or that a run of ours left, and build the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from condi_lib.models.weights.class_order import (
    ClassesDiffer,
    digest_of_classes,
    output_of_each,
)
from condi_lib.models.weights.files import classes_path, read_classes, read_weights_file
from condi_lib.models.weights.layouts import Recipe
from condi_lib.models.weights.recognise import Recognised, recognise
from condi_lib.models.weights.shapes import check_numbers, head_of, matched, options_told, shapes_of
from condi_lib.models.zoo import build_backbone
from condi_lib.videos.preprocess import Preprocess

CONFIDENCE = "confidence_head."


@dataclass(frozen=True, eq=False)
class PretrainedWeights:
    """Weights of a network, and what is known of how it was trained.

    Attributes:
        path: The file.
        source: Who made it, as far as it can be told.
        backbone: Name as in :func:`condi_lib.models.build_backbone`.
        options: Of the backbone, such as ``width``.
        own_options: Those that the file tells of, where :func:`load_weights` was given others.
        tensors: Weights under our names.
        head: Names of those with one row per class.
        num_classes: Outputs of the class head.
        classes: Class of each output; None where the names are not known.
        recipe: Preprocessing, clip length and size, rule of the class order, doubts.
        confidence_head: Weights of a student's confidence head, if it has one.
    """

    path: Path
    source: str
    backbone: str
    options: dict[str, Any]
    own_options: dict[str, Any]
    tensors: dict[str, Tensor]
    head: tuple[str, ...]
    num_classes: int
    classes: tuple[str, ...] | None
    recipe: Recipe
    confidence_head: dict[str, Tensor]

    @property
    def preprocess(self) -> Preprocess | None:
        """Decoded clips to network input, as it was trained; None where that is not known."""
        return self.recipe.preprocess

    @property
    def clip_frames(self) -> int:
        """Frames that a clip spans; every ``recipe.stride``-th of them is read."""
        return self.recipe.clip_frames

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of decoded frames, reached as ``recipe.resize`` says."""
        return self.recipe.size_px

    @property
    def class_order(self) -> str:
        """``"named"``, ``"alphabetical"`` (ignoring case) or ``"unknown"``."""
        if self.classes is not None:
            return "named"
        return "alphabetical" if self.recipe.alphabetical else "unknown"

    @property
    def n_parameters(self) -> int:
        """How many numbers were trained: all but running statistics."""
        kept = (t for name, t in self.tensors.items() if "running_" not in name)
        return sum(tensor.numel() for tensor in kept if tensor.is_floating_point())

    def describe(self) -> str:
        """What was recognised, in a few lines."""
        recipe = self.recipe
        data = f" ({recipe.data})" if recipe.data else ""
        head = " and a confidence head" if self.confidence_head else ""
        lines = [
            f"{self.backbone}{options_told(self.options)}, from {self.source}: "
            f"{self.n_parameters / 1e6:.3f} M parameters, {self.num_classes} classes{data}{head}",
            *_training_told(recipe),
            f"class order: {self.class_order}",
        ]
        return "\n".join([*lines, *([f"not known: {recipe.doubt}"] if recipe.doubt else [])])

    def build(
        self,
        classes: Sequence[str] | None = None,
        num_classes: int | None = None,
        seed: int = 0,
    ) -> nn.Module:
        """Build the network with these weights.

        Args:
            classes: Classes of a data set: the outputs are put in their order.
            num_classes: Or: replace the class head by a new one of so many outputs.
            seed: Of a new head's random weights.

        Returns:
            The network; with the outputs as published if neither is given.

        Raises:
            ClassesDiffer: If ``classes`` are others than the weights', or their order is not known.
        """
        n_outputs = num_classes or self.num_classes
        model = build_backbone(self.backbone, n_outputs, seed, **self.options)
        tensors = dict(self.tensors)
        if num_classes is not None:
            fresh = model.state_dict()
            tensors |= {name: fresh[name] for name in self.head}
        elif classes is not None:
            rows = self.outputs_of(classes)
            tensors |= {name: self.tensors[name][rows] for name in self.head}
        model.load_state_dict(tensors)
        return model

    def outputs_of(self, classes: Sequence[str]) -> list[int]:
        """For each of a data set's classes the number of the output that means it.

        Raises:
            ClassesDiffer: If the weights' classes are others, or their order is not known.
        """
        advice = f"write them into {classes_path(self.path)}, one a line, or give `classes`"
        known = (self.classes, self.recipe.alphabetical, self.num_classes)
        expected = None if self.classes is not None else self.recipe.classes_digest
        same_number = len(classes) == self.num_classes
        if expected and same_number and digest_of_classes(classes) != expected:
            raise ClassesDiffer(
                f"{self.path}: was trained on the {self.num_classes} classes of "
                f"{self.recipe.data}, and the data set has as many others; if they are the same "
                f"under other names, {advice}"
            )
        return output_of_each(classes, *known, str(self.path), advice)


def _training_told(recipe: Recipe) -> list[str]:
    pixels = recipe.preprocess
    if pixels is None:
        return ["clips and preprocessing that it was trained with are not known"]
    if recipe.sound is not None:
        mels, steps = recipe.sound.shape
        return [f"the sound of clips of {recipe.clip_frames} frames, {mels} mel bands x {steps}"]
    height, width = recipe.size_px
    return [
        f"clips of {recipe.clip_frames} frames, every {recipe.stride}; frames {recipe.resize} "
        f"{height} x {width} px, crop {pixels.crop_px} px",
        f"{pixels.channel_order.upper()}, 0-255 minus {_scaled(pixels.mean)} over "
        f"{_scaled(pixels.std)}",
    ]


def _scaled(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{255 * value:.4g}" for value in values) + ")"


def load_weights(
    path: str | Path,
    backbone: str | None = None,
    options: Mapping[str, Any] | None = None,
    classes: Sequence[str] | None = None,
    channel_order: str | None = None,
) -> PretrainedWeights:
    """Read weights and recognise what they are; nothing in the file is run.

    Understood are checkpoints of Efficient-3DCNNs (3D ResNeXt-101, ShuffleNetV2 and MobileNetV2 of
    any width) and 3D-ResNets-PyTorch (R(2+1)D-34), torchvision's, state dicts of our own networks
    and what our training writes; with prefixes, optimiser states and heads of any size.

    Args:
        path: File in safetensors or PyTorch's format.
        backbone: What the network should be; a network of your own is not recognised without.
        options: Options that it should have; None: as in the file.
        classes: Class of each output, where the file does not know. A text file beside it,
            ``<file>.classes.txt`` with a name a line, does the same.
        channel_order: ``"rgb"`` or ``"bgr"``, where the file leaves that open or you know better.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or would run code, is of another network, or tensors are
            missing, unexpected, of another shape or not finite; says which and what to try.
    """
    path = Path(path)
    file = read_weights_file(path)
    tensors, confidence_head = _parted(file.tensors)
    found = recognise(file, tensors, backbone, options)
    wanted = found.options if options is None else dict(options)
    expected = shapes_of(found.backbone, wanted, 2)
    head = head_of(found.backbone, wanted, expected)
    rows = tensors.get(found.published(head[0]))
    num_classes = len(rows) if rows is not None and rows.ndim else 2
    expected |= {name: [num_classes, *expected[name][1:]] for name in head}
    looks = f"looks like {found.backbone}{options_told(wanted)} ({found.source})"
    ours = matched(path, tensors, expected, found.published, looks, _advice(found, wanted))
    named = {found.published(name): tensor for name, tensor in ours.items()}
    named |= {CONFIDENCE + name: tensor for name, tensor in confidence_head.items()}
    check_numbers(path, named, infinite=":" in found.backbone)
    recipe = _in_order(path, found.recipe(num_classes, channel_order), channel_order)
    names = _class_names(path, classes, recipe.classes, num_classes)
    about = (path, found.source, found.backbone, wanted, found.options)
    return PretrainedWeights(*about, ours, head, num_classes, names, recipe, confidence_head)


def _in_order(path: Path, recipe: Recipe, channel_order: str | None) -> Recipe:
    """The recipe in the channel order that the caller gave, if any."""
    if channel_order is None:
        return recipe
    if recipe.preprocess is None:
        raise ValueError(
            f"{path}: not only the channel order it was trained with is not known "
            f"({recipe.doubt}); give its whole preprocessing (channel_order is part of it)"
        )
    return replace(recipe, preprocess=replace(recipe.preprocess, channel_order=channel_order))


def _parted(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A student's backbone and its confidence head; anything else as it is."""
    head = {k.removeprefix(CONFIDENCE): v for k, v in tensors.items() if k.startswith(CONFIDENCE)}
    if not head:
        return tensors, {}
    backbone = {k: v for k, v in tensors.items() if not k.startswith(CONFIDENCE)}
    return {key.removeprefix("backbone."): value for key, value in backbone.items()}, head


def _advice(found: Recognised, options: Mapping[str, Any]) -> str:
    if found.options != options:
        return f"By its shapes it is one{options_told(found.options) or ' without options'}: try so"
    return (
        "Compare with build_backbone(name, num_classes, **options).state_dict(): other options, "
        "such as width, may fit, or the file is of another version of this network"
    )


def _class_names(
    path: Path,
    given: Sequence[str] | None,
    written: tuple[str, ...] | None,
    num_classes: int,
) -> tuple[str, ...] | None:
    """The outputs' classes: the caller's, the text file's beside the weights, or the file's own."""
    beside = classes_path(path)
    if given is not None:
        names, where = tuple(given), "the classes given"
    elif beside.exists():
        names, where = read_classes(beside), str(beside)
    elif written is not None:
        names, where = written, "the classes written in it"
    else:
        return None
    if len(names) != num_classes or len(set(names)) != num_classes:
        raise ValueError(
            f"{path}: has {num_classes} outputs, but {where} are {len(names)} names, "
            f"{len(set(names))} different; give one for each output"
        )
    return names
