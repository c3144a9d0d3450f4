"""Single clips at the speed of a batch, on CPUs.

For a batch of one small clip torch leaves oneDNN for a plain loop (``use_mkldnn`` in ATen's
``Convolution.cpp``), which takes up to two or three times as long. A teacher that looks at one clip
after the other meets just that. Here convolutions are sent to oneDNN themselves.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


def quick_for_one(clips: Tensor) -> AbstractContextManager:
    """Return what to run an uncompiled network in that is shown ``clips``, without gradients.

    For a single clip on a CPU 3D convolutions in fp32 then run in oneDNN, whatever their size; the
    network says the same up to rounding. For anything else this does nothing.

    Args:
        clips: ``[B, 3, T, H, W]``.
    """
    single = len(clips) == 1 and clips.device.type == "cpu"
    return _OneDnn() if single and torch.backends.mkldnn.is_available() else nullcontext()


class _OneDnn(TorchFunctionMode):
    """Sends 3D convolutions to oneDNN."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call ``func``, or oneDNN in its place."""
        kwargs = kwargs or {}
        if func is torch.conv3d and not kwargs and _is_plain(*args):
            x, weight, bias, stride, padding, dilation, groups = args
            return torch.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)
        return func(*args, **kwargs)


def _is_plain(x: Tensor, weight: Tensor, *settings: Any) -> bool:
    """Whether it is called as ``nn.Conv3d`` does: with a batch, in fp32, by three numbers each."""
    in_fp32 = x.dtype == weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    in_threes = all(isinstance(each, tuple) and len(each) == 3 for each in settings[1:4])
    return in_fp32 and x.ndim == 5 and len(settings) == 5 and in_threes
