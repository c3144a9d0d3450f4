"""Checkpoints as the published repositories write them, from tables of their tensors' names.

Written by hand from the published checkpoints' names and shapes, not from this library's mapping:
what `load_weights` makes of them is compared with logits of the reference implementations.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fixed_weights import fill_state
from torch import Tensor

Shape = tuple[int, ...]
Named = Iterator[tuple[str, Shape]]


def _conv(name: str, *shape: int) -> Named:
    yield f"{name}.weight", shape


def _norm(name: str, channels: int) -> Named:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def _linear(name: str, out: int, into: int) -> Named:
    yield f"{name}.weight", (out, into)
    yield f"{name}.bias", (out,)


def resnext(classes: int, depths: Sequence[int] = (3, 4, 23, 3)) -> Named:
    """3D ResNeXt of Efficient-3DCNNs: 32 groups, shortcut type B."""
    yield from _conv("conv1", 64, 3, 7, 7, 7)
    yield from _norm("bn1", 64)
    into = 64
    for layer, (blocks, planes) in enumerate(zip(depths, (128, 256, 512, 1024), strict=True), 1):
        for block in range(blocks):
            at = f"layer{layer}.{block}"
            yield from _conv(f"{at}.conv1", planes, into, 1, 1, 1)
            yield from _norm(f"{at}.bn1", planes)
            yield from _conv(f"{at}.conv2", planes, planes // 32, 3, 3, 3)
            yield from _norm(f"{at}.bn2", planes)
            yield from _conv(f"{at}.conv3", 2 * planes, planes, 1, 1, 1)
            yield from _norm(f"{at}.bn3", 2 * planes)
            if block == 0:
                yield from _conv(f"{at}.downsample.0", 2 * planes, into, 1, 1, 1)
                yield from _norm(f"{at}.downsample.1", 2 * planes)
            into = 2 * planes
    yield from _linear("fc", classes, 2048)


def r2plus1d(classes: int, depths: Sequence[int] = (3, 4, 6, 3)) -> Named:
    """R(2+1)D of 3D-ResNets-PyTorch, of basic blocks."""
    yield from _conv("conv1_s", 110, 3, 1, 7, 7)
    yield from _norm("bn1_s", 110)
    yield from _conv("conv1_t", 64, 110, 7, 1, 1)
    yield from _norm("bn1_t", 64)
    into = 64
    for layer, (blocks, planes) in enumerate(zip(depths, (64, 128, 256, 512), strict=True), 1):
        for block in range(blocks):
            at = f"layer{layer}.{block}"
            for conv, source in (("1", into), ("2", planes)):
                mid = 27 * source * planes // (9 * source + 3 * planes)
                yield from _conv(f"{at}.conv{conv}_s", mid, source, 1, 3, 3)
                yield from _norm(f"{at}.bn{conv}_s", mid)
                yield from _conv(f"{at}.conv{conv}_t", planes, mid, 3, 1, 1)
                yield from _norm(f"{at}.bn{conv}_t", planes)
            if into != planes:
                yield from _conv(f"{at}.downsample.0", planes, into, 1, 1, 1)
                yield from _norm(f"{at}.downsample.1", planes)
            into = planes
    yield from _linear("fc", classes, 512)


SHUFFLENET_CHANNELS = {
    0.25: (24, 32, 64, 128, 1024),
    0.5: (24, 48, 96, 192, 1024),
    1.0: (24, 116, 232, 464, 1024),
    1.5: (24, 176, 352, 704, 1024),
    2.0: (24, 224, 488, 976, 2048),
}


def shufflenetv2(classes: int, width: float = 2.0) -> Named:
    """3D ShuffleNetV2 of Efficient-3DCNNs, whose branches are spelt `banch`."""
    *stages, last = SHUFFLENET_CHANNELS[width]
    yield from _conv("conv1.0", 24, 3, 3, 3, 3)
    yield from _norm("conv1.1", 24)
    number = 0
    for (into, out), blocks in zip(pairwise(stages), (4, 8, 4), strict=True):
        half = out // 2
        for block in range(blocks):
            at = f"features.{number}"
            if block == 0:
                yield from _conv(f"{at}.banch1.0", into, 1, 3, 3, 3)
                yield from _norm(f"{at}.banch1.1", into)
                yield from _conv(f"{at}.banch1.2", half, into, 1, 1, 1)
                yield from _norm(f"{at}.banch1.3", half)
            yield from _conv(f"{at}.banch2.0", half, half if block else into, 1, 1, 1)
            yield from _norm(f"{at}.banch2.1", half)
            yield from _conv(f"{at}.banch2.3", half, 1, 3, 3, 3)
            yield from _norm(f"{at}.banch2.4", half)
            yield from _conv(f"{at}.banch2.5", half, half, 1, 1, 1)
            yield from _norm(f"{at}.banch2.6", half)
            number += 1
    yield from _conv("conv_last.0", last, stages[-1], 1, 1, 1)
    yield from _norm("conv_last.1", last)
    yield from _linear("classifier.1", classes, last)


def mobilenetv2(classes: int, width: float = 1.0) -> Named:
    """3D MobileNetV2 of Efficient-3DCNNs."""
    into = int(32 * width)
    yield from _conv("features.0.0", into, 3, 3, 3, 3)
    yield from _norm("features.0.1", into)
    rows = [(16, 1), (24, 2), (32, 3), (64, 4), (96, 3), (160, 3), (320, 1)]
    number = 1
    for channels, blocks in rows:
        for _ in range(blocks):
            at, out = f"features.{number}.conv", int(channels * width)
            wide, layer = into if number == 1 else 6 * into, 0
            if number > 1:
                yield from _conv(f"{at}.0", wide, into, 1, 1, 1)
                yield from _norm(f"{at}.1", wide)
                layer = 3
            yield from _conv(f"{at}.{layer}", wide, 1, 3, 3, 3)
            yield from _norm(f"{at}.{layer + 1}", wide)
            yield from _conv(f"{at}.{layer + 3}", out, wide, 1, 1, 1)
            yield from _norm(f"{at}.{layer + 4}", out)
            into, number = out, number + 1
    yield from _conv("features.18.0", 1280, into, 1, 1, 1)
    yield from _norm("features.18.1", 1280)
    yield from _linear("classifier.1", classes, 1280)


def state_of(named: Named, gain: float = 1.0) -> "OrderedDict[str, Tensor]":
    """Tensors of these names and shapes, filled as :mod:`fixed_weights` fills a network.

    ``gain`` scales batch norms up, so that something of the clip reaches the logits of networks
    without shortcuts.
    """
    state = OrderedDict(
        (name, torch.zeros(shape, dtype=torch.int64 if name.endswith("tracked") else None))
        for name, shape in named
    )
    fill_state(state)
    for name, tensor in state.items():
        if name.endswith(".weight") and tensor.ndim == 1:
            tensor.mul_(gain)
    return state


def checkpoint(
    state: Mapping[str, Tensor], arch: str, prefix: str = "module.", **more: Any
) -> dict[str, Any]:
    """What a training script saves: the weights among an optimiser's state and much else.

    Efficient-3DCNNs' learning rate is a NumPy number (``0.1 ** sum(epoch >= np.array(steps))``).
    """
    first = next(iter(state.values()))
    rate = 0.1 * (0.1 ** sum(np.int64(41) >= np.array([40, 55])))
    group = {"lr": rate, "momentum": 0.9, "nesterov": False, "params": [140158736, 140158880]}
    momentum = {140158736: {"momentum_buffer": torch.ones_like(first)}, 140158880: {}}
    return {
        "epoch": 41,
        "arch": arch,
        "state_dict": OrderedDict((prefix + name, tensor) for name, tensor in state.items()),
        "optimizer": {"state": momentum, "param_groups": [group]},
        "best_prec1": 68.3,
        **more,
    }


def save(content: Any, path: Path, today: bool = True) -> Path:
    """Write a file in the format of today or in that of PyTorch before 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=today)
    return path
