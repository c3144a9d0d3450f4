"""What tensors a network has, without building it in memory, and whether a file holds them."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from condi_lib.models.adapters import TORCHVISION_HEADS
from condi_lib.models.zoo import build_backbone

COUNTER = "num_batches_tracked"  # of batch norms; PyTorch before 0.4.1 had none, inference none
SHOWN = 4


Shapes = dict[str, list[int]]


def shapes_of(backbone: str, options: Mapping[str, Any], num_classes: int) -> Shapes:
    """The shape of every tensor of a network, by name, in its own order.

    Networks that are built by somebody else's function, which may read weights, are really built.
    """
    with nullcontext() if ":" in backbone else torch.device("meta"):
        model = build_backbone(backbone, num_classes, **options)
    return {name: list(tensor.shape) for name, tensor in model.state_dict().items()}


def head_of(backbone: str, options: Mapping[str, Any], shapes: Shapes) -> tuple[str, ...]:
    """Names of the tensors with one row per class.

    Args:
        backbone: Name of the network.
        options: Its options.
        shapes: Its shapes for 2 classes.

    Raises:
        ValueError: If there are none.
    """
    if ":" not in backbone:
        layer = TORCHVISION_HEADS.get(backbone.removeprefix("torchvision."), "fc")
        return tuple(name for name in shapes if name.startswith(f"{layer}."))
    three = shapes_of(backbone, options, 3)
    head = tuple(name for name in shapes if shapes[name] != three[name])
    if not head:
        raise ValueError(f"backbone {backbone!r} has no class head: it ignores num_classes")
    return head


def matched(
    path: Path,
    tensors: Mapping[str, Tensor],
    expected: Shapes,
    published: Callable[[str], str],
    looks: str,
    advice: str,
) -> dict[str, Tensor]:
    """The file's tensors under our names.

    Args:
        path: For messages.
        tensors: By the file's names.
        expected: Shapes by our names.
        published: Our name to the file's.
        looks: What the file looks like, for messages.
        advice: What to try if they do not fit.

    Raises:
        ValueError: If tensors are missing, unexpected or of another shape; lists them by the
            file's names.
    """
    names = {name: published(name) for name in expected}
    missing = [
        theirs for theirs in names.values() if theirs not in tensors and COUNTER not in theirs
    ]
    unexpected = [key for key in tensors if key not in set(names.values())]
    misshaped = [
        f"{theirs} is {list(tensors[theirs].shape)}, not {expected[ours]}"
        for ours, theirs in names.items()
        if theirs in tensors and list(tensors[theirs].shape) != expected[ours]
    ]
    found = {"missing": missing, "unexpected": unexpected, "misshaped": misshaped}
    if told := "; ".join(_told(kind, listed) for kind, listed in found.items() if listed):
        raise ValueError(f"{path}: {looks}, but of its tensors {told}. {advice}")
    zero = torch.zeros((), dtype=torch.int64)
    return {ours: tensors.get(theirs, zero).detach() for ours, theirs in names.items()}


def check_numbers(path: Path, tensors: Mapping[str, Tensor], infinite: bool) -> None:
    """Refuse weights that are no numbers, with which every prediction would be none.

    Args:
        path: For messages.
        tensors: By name.
        infinite: Whether weights may be infinite, as masks of somebody's own network may.

    Raises:
        ValueError: Listing them.
    """
    is_bad = torch.isnan if infinite else lambda tensor: ~torch.isfinite(tensor)
    bad = [name for name, t in tensors.items() if t.is_floating_point() and bool(is_bad(t).any())]
    if bad:
        raise ValueError(
            f"{path}: of its tensors {_told('not finite', bad)}: training diverged before they "
            "were saved; take an earlier checkpoint"
        )


def _told(kind: str, listed: Sequence[str]) -> str:
    verb = "is" if len(listed) == 1 else "are"
    more = f", and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"{len(listed)} {verb} {kind} ({', '.join(listed[:SHOWN])}{more})"


def options_told(options: Mapping[str, Any]) -> str:
    """Options as they are written in a params file; empty if there are none."""
    return f" with options {json.dumps(dict(options))}" if options else ""
