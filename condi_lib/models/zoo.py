"""Build a network by name: ours, torchvision's, Hugging Face's, or your own."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from condi_lib.models.adapters import TORCHVISION_HEADS, torchvision_classifier
from condi_lib.models.glimpse import DEFAULTS as GLIMPSE
from condi_lib.models.glimpse import glimpse_of
from condi_lib.models.hugging_face import hugging_face_classifier
from condi_lib.models.mobilenetv2 import mobilenetv2_3d, mobilenetv2_3d_small
from condi_lib.models.r2plus1d import r2plus1d_34, r2plus1d_small
from condi_lib.models.resnext3d import resnext3d_101, resnext3d_small
from condi_lib.models.shufflenetv2 import shufflenetv2_3d, shufflenetv2_3d_small
from condi_lib.models.small import small_cnn3d, small_resnet3d

BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "small_resnet3d": small_resnet3d,
    "small_cnn3d": small_cnn3d,
    "resnext3d_101": resnext3d_101,
    "resnext3d_small": resnext3d_small,
    "r2plus1d_34": r2plus1d_34,
    "r2plus1d_small": r2plus1d_small,
    "shufflenetv2_3d": shufflenetv2_3d,
    "shufflenetv2_3d_small": shufflenetv2_3d_small,
    "mobilenetv2_3d": mobilenetv2_3d,
    "mobilenetv2_3d_small": mobilenetv2_3d_small,
}
TORCHVISION = tuple(TORCHVISION_HEADS)
FOREIGN = (
    *(f"torchvision.{name}" for name in TORCHVISION),
    "hugging_face:FOLDER_OR_HUB_ID",
    "package.module:function",
)


def build_backbone(name: str, num_classes: int, seed: int = 0, **options: Any) -> nn.Module:
    """Build a clip classifier, ``[B, 3, T, H, W]`` to ``[B, num_classes]``, with random weights.

    Args:
        name: A key of ``BACKBONES``; ``torchvision.NAME`` for one of ``TORCHVISION``;
            ``hugging_face:SOURCE`` for :func:`.hugging_face.hugging_face_classifier`; or
            ``package.module:function`` for your own function ``(num_classes, **options)``.
        num_classes: Outputs of the class head.
        seed: Decides the random weights; the global generator is left as it was.
        **options: Passed on, such as ``width``. Every network but a function of your own also has
            ``pool``, ``every``, ``view`` and ``single_frames``, to see larger pixels, fewer frames,
            the motion or single frames of the clips that it is given (:class:`.glimpse.Glimpse`).

    Raises:
        ValueError: If the name or an option is unknown; lists what there is.
        ModuleNotFoundError: If it is Hugging Face's and transformers is not installed.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    builder = check_backbone(name, options)
    glimpse, options = _parted(name, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = builder(num_classes=num_classes, **options)
        except TypeError as error:  # torchvision's builders pass any option on and fail inside
            raise ValueError(f"backbone {name!r} with options {options}: {error}") from error
    if glimpse:
        model.glimpse = glimpse_of(glimpse)
    return model


def check_backbone(name: str, options: Mapping[str, Any]) -> Callable[..., nn.Module]:
    """Return the function that builds ``name``; raise as :func:`build_backbone` would."""
    builder = _builder(name)
    accepted = inspect.signature(builder).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
    glimpse, options = _parted(name, options)
    glimpse_of(glimpse)
    if not takes_any and (unknown := set(options) - set(accepted)):
        known = sorted(set(accepted) - {"num_classes"})
        if not _is_your_own(name):
            known += GLIMPSE
        raise ValueError(f"backbone {name!r} has no option {sorted(unknown)}; it takes {known}")
    return builder


def _is_your_own(name: str) -> bool:
    return ":" in name and not name.startswith("hugging_face:")


def _parted(name: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of what is done to clips first, and those of the network's own builder."""
    common = () if _is_your_own(name) else tuple(GLIMPSE)
    glimpse = {key: value for key, value in options.items() if key in common}
    return glimpse, {key: value for key, value in options.items() if key not in common}


def _builder(name: str) -> Callable[..., nn.Module]:
    if name in BACKBONES:
        return BACKBONES[name]
    if (model := name.removeprefix("torchvision.")) != name and model in TORCHVISION:
        return partial(torchvision_classifier, model)
    if (source := name.removeprefix("hugging_face:")) != name and source:
        return partial(hugging_face_classifier, source)
    if ":" in name:
        return _imported(name)
    raise ValueError(f"no backbone is called {name!r}; choose from {[*BACKBONES, *FOREIGN]}")


def _imported(name: str) -> Callable[..., nn.Module]:
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"backbone {name!r} cannot be imported ({error}); write package.module:function and "
            "make sure that the package is installed or on PYTHONPATH"
        ) from error
