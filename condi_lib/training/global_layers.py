"""Layers that look at a whole batch, for processes that hold a share of it each.

Batch normalisation takes its mean and variance over the clips of all processes, dropout draws for
all of them, so that several processes train as one would.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from condi_lib.distributed import World


@contextmanager
def global_layers(model: nn.Module, world: World, batch_size: int) -> Iterator[None]:
    """Let the layers of ``model`` see the whole batch as long as this lasts.

    Parameters and running statistics are those of the model, under the same names. Dropout means
    ``nn.Dropout``; other layers that draw do so for each share alone, all from the same seed.

    Args:
        model: Changed in place, and afterwards as before; on its device already.
        world: The processes; in a world of one nothing is changed.
        batch_size: Clips of all processes together in a training step.
    """
    originals = []
    for parent in [] if world.size == 1 else list(model.modules()):
        for name, child in list(parent.named_children()):
            if (substitute := _substitute(child, world, batch_size)) is not None:
                originals.append((parent, name, child))
                setattr(parent, name, substitute)
    try:
        yield
    finally:
        for parent, name, child in originals:
            setattr(parent, name, child)


def _substitute(layer: nn.Module, world: World, batch_size: int) -> nn.Module | None:
    if isinstance(layer, nn.Dropout) and layer.p > 0:
        return GlobalDropout(layer.p, batch_size, world.slice_of(batch_size))
    if not isinstance(layer, _BatchNorm):
        return None
    if layer.running_mean is not None and layer.running_mean.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(layer)
    return GlobalBatchNorm(layer)


class GlobalDropout(nn.Module):
    """Dropout that draws for the batch of all processes and applies its own share.

    Args:
        p: Share of the values that is dropped in training.
        batch_size: Clips of all processes together.
        part: Which of them this process has.
    """

    def __init__(self, p: float, batch_size: int, part: slice) -> None:
        super().__init__()
        self.p, self.batch_size, self.part = p, batch_size, part

    def forward(self, x: Tensor) -> Tensor:
        """Drop values of ``[b, ...]``, b the clips of this process, and scale up the others."""
        if not self.training:
            return x
        return x * F.dropout(x.new_ones(self.batch_size, *x.shape[1:]), self.p)[self.part]


class GlobalBatchNorm(_BatchNorm):
    """Batch normalisation over the clips of all processes, on the CPU, where PyTorch has none.

    Args:
        layer: The layer whose parameters and running statistics are used and updated.
    """

    def __init__(self, layer: _BatchNorm) -> None:
        tracked = layer.track_running_stats
        super().__init__(layer.num_features, layer.eps, layer.momentum, layer.affine, tracked)
        self._parameters.update(layer._parameters)
        self._buffers.update(layer._buffers)
        self.training = layer.training

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of dimensions will do."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[b, channels, ...]``, b the clips of this process."""
        if not self.training:
            return super().forward(x)
        dims, shape = [0, *range(2, x.ndim)], [1, -1] + [1] * (x.ndim - 2)
        count = x.new_tensor([x.numel() // x.shape[1]])
        total = _summed(torch.cat([x.sum(dims), count]))
        n_values, mean = total[-1].detach(), total[:-1] / total[-1].detach()
        centred = x - mean.view(shape)
        variance = _summed(centred.square().sum(dims)) / n_values
        self._track(mean.detach(), variance.detach() * n_values / (n_values - 1))
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        return normal * self.weight.view(shape) + self.bias.view(shape) if self.affine else normal

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if self.track_running_stats:
            self.num_batches_tracked.add_(1)
            share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance, share)


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is its gradient, as each of them uses the whole sum."""

    @staticmethod
    def forward(ctx: object, share: Tensor) -> Tensor:
        total = share.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def _summed(share: Tensor) -> Tensor:
    return _Sum.apply(share)
