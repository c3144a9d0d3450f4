"""Fold batch normalisation into the convolutions before it: the same function with fewer passes.

Which normalisation follows which convolution is observed in one forward pass, so any network will
do, with any number of heads: nothing has to be traced.
"""

from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fold_batch_norm(network: nn.Module, clips: Tensor) -> int:
    """Fold every batch normalisation that directly follows a convolution, in place.

    With running mean m and variance v, scale γ and shift β, ``γ (w x + b - m) / sqrt(v + ε) + β``
    is again a convolution: weights ``w γ / sqrt(v + ε)``, bias ``(b - m) γ / sqrt(v + ε) + β``.
    The normalisation becomes ``nn.Identity``. Modules that run more than once are left alone.

    Args:
        network: In eval mode; normalisation in training mode is left alone.
        clips: An input of ``network``; one clip is enough.

    Returns:
        How many normalisations were folded.
    """
    names = {module: name for name, module in network.named_modules()}
    pairs = _observed_pairs(network, clips)
    for conv, norm in pairs:
        _replace(network, names[conv], fuse_conv_bn_eval(conv, norm))
        _replace(network, names[norm], nn.Identity())
    return len(pairs)


def _observed_pairs(network: nn.Module, clips: Tensor) -> list[tuple[nn.Module, nn.Module]]:
    """Convolutions and the normalisations that read their outputs, untouched, in one pass."""
    made_by: dict[int, tuple[nn.Module, Tensor, int]] = {}  # the tensor is kept, so is its id
    runs: Counter[nn.Module] = Counter()
    pairs = []

    def remember(conv: nn.Module, _: tuple[Tensor], output: Tensor) -> None:
        runs[conv] += 1
        made_by[id(output)] = (conv, output, output._version)

    def look_up(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        runs[norm] += 1
        conv, output, version = made_by.get(id(inputs[0]), (None, None, 0))
        if conv is not None and output._version == version and _has_statistics(norm):
            pairs.append((conv, norm))

    hooks = []
    for module in network.modules():
        if is_plain(module, CONVOLUTIONS):
            hooks.append(module.register_forward_hook(remember))
        elif is_plain(module, NORMALISATIONS):
            hooks.append(module.register_forward_pre_hook(look_up))
    try:
        with torch.no_grad():
            network(clips)
    finally:
        for hook in hooks:
            hook.remove()
    readers = Counter(conv for conv, _ in pairs)
    return [(c, n) for c, n in pairs if runs[c] == runs[n] == readers[c] == 1]


def is_plain(module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> bool:
    """Whether ``module`` is one of ``kinds`` and computes what that does; a subclass may not."""
    return isinstance(module, kinds) and type(module).forward in {kind.forward for kind in kinds}


def _has_statistics(norm: nn.Module) -> bool:
    return not norm.training and norm.running_mean is not None


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
