"""What a network costs: its parameters, and the multiply-accumulates of one clip.

One multiply-accumulate (MAC) is one product added to a sum; FLOPs, floating point operations, are
twice as many. Papers say "FLOPs" for either. Here it is MACs, of every convolution, linear layer
and attention product; normalisation, activations and pooling count as nothing, as is usual.

Published counts may be of another kind. On 16 frames of 112 px the paper's table II says 6.932 G
for 3D ResNeXt-101, .360 G for 3D ShuffleNetV2 2.0x and .446 G for 3D MobileNetV2 1.0x; multiplied
are 9.568, .425 and .519 G. Its counter divided the output of a strided convolution by its stride
a second time. On the other side it counted two operations for each number that is normalised, one
for each that is rectified, the comparisons of max-pooling and the additions of linear layers.
``tests/test_cost.py`` recomputes all three figures so. Of its R(2+1)D-34, 6.321 G and 38.76 M
parameters, no version was found; the published one by Hara et al. has 12.865 G and 63.75 M.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode


def parameters(model: nn.Module) -> int:
    """Count the trainable and frozen numbers of a model, without the statistics of BN."""
    return sum(parameter.numel() for parameter in model.parameters())


def macs(model: nn.Module, clip_shape: Sequence[int]) -> int:
    """Count the multiply-accumulates of classifying one clip, in evaluation mode.

    It classifies a black clip, on the device where the model lies; on the meta device shapes alone
    pass through it. Twice the count is the FLOPs.

    Args:
        model: From clips ``[B, 3, T, H, W]`` to anything.
        clip_shape: ``(3, T, H, W)``.

    Raises:
        ValueError: If ``clip_shape`` has not four entries.
    """
    if len(clip_shape) != 4:
        raise ValueError(f"clip_shape must be (3, T, H, W), got {tuple(clip_shape)}")
    clip = next(model.parameters(), torch.empty(0)).new_zeros(1, *clip_shape)
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad(), _FlopCounter() as counter:
            model(clip)
    finally:
        for module, training in modes.items():
            module.training = training
    return counter.flops // 2


class _Counting:
    """Counts by torch's own formulas what its ``FlopCounterMode`` does, without hooks on modules.

    It is a class of its own because torch wraps a mode's own ``__torch_dispatch__`` so that calling
    it imports torch's compiler, which takes three seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        from torch.utils.flop_counter import flop_registry  # imports Triton, half a second

        self.flops, self._formulas = 0, flop_registry

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs, formula = kwargs or {}, self._formulas.get(func.overloadpacket)
        if formula is None:
            with self:  # what it is made of may have one
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        out = func(*args, **kwargs)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=out)
        return out


class _FlopCounter(_Counting, TorchDispatchMode):
    """The mode: ``flops`` are those of everything that is computed within it."""
