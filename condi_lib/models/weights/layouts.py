"""The published networks: how their checkpoints name our tensors, and what they were trained on.

* Efficient-3DCNNs (Kopuklu et al. 2019): 3D ResNeXt-101, ShuffleNetV2 and MobileNetV2. Frames of
  Kinetics came from OpenCV and went to the network as they were, so blue comes first; those of
  UCF-101 and Jester came from JPEG files and are RGB. The number of classes tells which it was.
* 3D-ResNets-PyTorch (Hara et al.): R(2+1)D-34, RGB on the 0-1 scale.

Mean and deviation, sampling and class order are those of the repositories' own defaults
(``mean.py``, ``main.py``, ``datasets/``, ``utils/*_json.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from condi_lib.videos.log_mel import LogMel
from condi_lib.videos.preprocess import Preprocess

Tensors = Mapping[str, Tensor]
EFFICIENT, RESNETS = "Efficient-3DCNNs", "3D-ResNets-PyTorch"
ACTIVITYNET_MEAN = tuple(value / 255 for value in (114.7748, 107.7354, 99.4750))
KINETICS_MEAN, KINETICS_STD = (0.4345, 0.4051, 0.3775), (0.2768, 0.2713, 0.2737)


@dataclass(frozen=True)
class Recipe:
    """How a published network was trained, as far as it is known.

    Attributes:
        preprocess: Decoded clips to network input; None: unknown.
        clip_frames: Frames that a clip spans.
        stride: Every how many of them are read.
        size_px: Height and width of decoded frames.
        resize: ``"cover"``: scaled until they cover ``size_px``, then cut at the centre;
            ``"stretch"``: scaled to it.
        sound: It was shown patches of the clips' sound instead.
        alphabetical: Outputs are in the alphabetical order of the classes, ignoring case.
        classes: Class names in the order of the outputs, where they are known.
        classes_digest: Else what :func:`.class_order.digest_of_classes` says of them; empty where
            not even that is known.
        data: What it was trained on; empty where unknown.
        doubt: What is not known of it, and what to do; empty if all is.
    """

    preprocess: Preprocess | None = None
    clip_frames: int = 16
    stride: int = 1
    size_px: tuple[int, int] = (112, 112)
    resize: str = "cover"
    sound: LogMel | None = None
    alphabetical: bool = False
    classes: tuple[str, ...] | None = None
    classes_digest: str = ""
    data: str = ""
    doubt: str = ""


def _efficient(channel_order: str, flip: bool = True) -> Preprocess:
    """0-255 minus the mean in the order that the network sees, without a deviation."""
    std = (1 / 255,) * 3
    return Preprocess(112, ACTIVITYNET_MEAN, std, flip=flip, channel_order=channel_order)


_EFFICIENT_RECIPES = {
    600: Recipe(
        _efficient("bgr"),
        alphabetical=True,
        classes_digest="adb92ea0c70e57f3",
        data="Kinetics-600",
    ),
    101: Recipe(
        _efficient("rgb"), alphabetical=True, classes_digest="ba5efe3c836f22f5", data="UCF-101"
    ),
    # Some gestures differ in left and right alone; trained on every second frame.
    27: Recipe(
        _efficient("rgb", flip=False),
        clip_frames=32,
        stride=2,
        alphabetical=True,
        classes_digest="64a6e0057fc3912e",
        data="Jester",
    ),
}


def efficient_recipe(num_classes: int, arch: str, channel_order: str | None) -> Recipe:
    """What Efficient-3DCNNs trained with, by the number of classes.

    ``arch`` is "resnext" in its checkpoints; "resnext-101" is how 3D-ResNets-PyTorch, whose network
    is the same, writes it.
    """
    if "-" not in arch and num_classes in _EFFICIENT_RECIPES:
        return _EFFICIENT_RECIPES[num_classes]
    if channel_order is not None:
        return Recipe(_efficient(channel_order))
    doubt = (
        f"{EFFICIENT} published networks of 600 classes (Kinetics, BGR), 101 (UCF-101, RGB) and 27 "
        f"(Jester, RGB); of one with {num_classes} it is not known in which order it takes the "
        'channels: give channel_order "bgr" if its frames came from OpenCV, "rgb" if from JPEG '
        "files"
    )
    if "-" in arch:
        doubt = (
            f"arch {arch!r} is how {RESNETS} names this network: its release of 2018 takes RGB "
            'as here with channel_order "rgb" (0-255 minus a mean); newer code takes 0-1'
        )
    return Recipe(doubt=doubt)


def resnets_recipe(num_classes: int, arch: str, channel_order: str | None) -> Recipe:
    """What 3D-ResNets-PyTorch trains with by default; the order of its classes is not alphabetical.

    It numbers classes as they first appear in the CSV file that it was given.
    """
    preprocess = Preprocess(112, KINETICS_MEAN, KINETICS_STD)
    return Recipe(preprocess, data="Kinetics-700" if num_classes == 700 else "")


@dataclass(frozen=True)
class Layout:
    """One published network.

    Attributes:
        source: The repository.
        backbone: Our name of the network.
        is_this: Whether tensors look like its.
        names: Parts of our tensors' names, and what stands for them in the file, applied in turn.
        recipe: How it was trained, by number of classes, ``arch`` and the caller's channel order.
        options: Options of the backbone, read from shapes.
        depths: Blocks of each ``layer``, where a repository has the network in several depths.
    """

    source: str
    backbone: str
    is_this: Callable[[Tensors], bool]
    names: Mapping[str, str]
    recipe: Callable[[int, str, str | None], Recipe]
    options: Callable[[Tensors], dict[str, Any]] = field(default=lambda tensors: {})
    depths: Sequence[int] = ()

    def published(self, name: str) -> str:
        """What the file calls our tensor ``name``."""
        for ours, theirs in self.names.items():
            name = name.replace(ours, theirs)
        return name


def _shufflenet_width(tensors: Tensors) -> dict[str, float]:
    widths = {16: 0.25, 24: 0.5, 58: 1.0, 88: 1.5, 112: 2.0}  # by half of a block's channels
    half = tensors["features.1.banch2.0.weight"].shape[0]
    return {"width": widths[half]} if half in widths else {}


def _mobilenet_width(tensors: Tensors) -> dict[str, float]:
    return {"width": round(tensors["features.18.0.weight"].shape[1] / 320, 2)}


def _is_5d(tensors: Tensors, name: str) -> bool:
    return name in tensors and tensors[name].ndim == 5


def _is_grouped(tensors: Tensors) -> bool:
    conv = tensors.get("layer1.0.conv2.weight")
    return conv is not None and conv.ndim == 5 and conv.shape[0] != conv.shape[1]


LAYOUTS = (
    Layout(
        source=EFFICIENT,
        backbone="resnext3d_101",
        is_this=_is_grouped,
        names={
            "trunk.stem.0.": "conv1.",
            "trunk.stem.1.": "bn1.",
            "trunk.stage": "layer",
            ".body.0.": ".conv1.",
            ".body.1.": ".bn1.",
            ".body.3.": ".conv2.",
            ".body.4.": ".bn2.",
            ".body.6.": ".conv3.",
            ".body.7.": ".bn3.",
            ".shortcut.": ".downsample.",
        },
        recipe=efficient_recipe,
        depths=(3, 4, 23, 3),
    ),
    Layout(
        source=EFFICIENT,
        backbone="shufflenetv2_3d",
        is_this=lambda tensors: _is_5d(tensors, "features.1.banch2.0.weight"),
        names={
            "trunk.stem.": "conv1.",
            "trunk.block": "features.",
            "trunk.last.": "conv_last.",
            ".shortcut.": ".banch1.",
            ".body.": ".banch2.",
            "fc.": "classifier.1.",
        },
        recipe=efficient_recipe,
        options=_shufflenet_width,
    ),
    Layout(
        source=EFFICIENT,
        backbone="mobilenetv2_3d",
        is_this=lambda tensors: (
            _is_5d(tensors, "features.1.conv.0.weight") and _is_5d(tensors, "features.18.0.weight")
        ),
        names={
            "trunk.stem.": "features.0.",
            "trunk.block": "features.",
            "trunk.last.": "features.18.",
            ".body.": ".conv.",
            "fc.": "classifier.1.",
        },
        recipe=efficient_recipe,
        options=_mobilenet_width,
    ),
    Layout(
        source=RESNETS,
        backbone="r2plus1d_34",
        is_this=lambda tensors: _is_5d(tensors, "conv1_s.weight"),
        names={
            "trunk.stem.0.": "conv1_s.",
            "trunk.stem.1.": "bn1_s.",
            "trunk.stem.3.": "conv1_t.",
            "trunk.stem.4.": "bn1_t.",
            "trunk.stage": "layer",
            ".body.0.": ".conv1_s.",
            ".body.1.": ".bn1_s.",
            ".body.3.": ".conv1_t.",
            ".body.4.": ".bn1_t.",
            ".body.6.": ".conv2_s.",
            ".body.7.": ".bn2_s.",
            ".body.9.": ".conv2_t.",
            ".body.10.": ".bn2_t.",
            ".shortcut.": ".downsample.",
        },
        recipe=resnets_recipe,
        depths=(3, 4, 6, 3),
    ),
)
