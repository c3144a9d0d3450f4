"""What residual backbones share: a block's shortcut, and stages of blocks behind a stem."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from condi_lib.models.pooled import PooledClassifier, conv_bn


class Residual(nn.Module):
    """The rectified sum of a body and a shortcut.

    The shortcut is the input itself where the shape stays, else a strided 1x1x1 convolution.

    Args:
        body: From ``[B, in_ch, T, H, W]`` to ``[B, out_ch, T', H', W']``, without a last ReLU.
        in_ch: Channels of the input.
        out_ch: Channels of the output.
        stride: The body's stride over time, height and width.
    """

    def __init__(self, body: nn.Module, in_ch: int, out_ch: int, stride: Sequence[int]) -> None:
        super().__init__()
        self.body = body
        same = in_ch == out_ch and set(stride) == {1}
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(*conv_bn(in_ch, out_ch, (1, 1, 1), stride))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_ch, T, H, W]`` to ``[B, out_ch, T', H', W']``."""
        return torch.relu_(self.body(x).add_(self.shortcut(x)))  # in place: saves two copies


def residual_classifier(
    num_classes: int,
    stem: nn.Sequential,
    block: Callable[[int, int, Sequence[int]], Residual],
    channels: Sequence[int],
    depths: Sequence[int],
) -> PooledClassifier:
    """A stem and stages of blocks; each stage but the first halves time, height and width.

    Args:
        num_classes: Outputs of the class head.
        stem: The layers before the first block, ``trunk.stem``.
        block: Makes a block of ``(in_ch, out_ch, stride)``.
        channels: Of the stem's output, then of each stage's.
        depths: Blocks of each stage, ``trunk.stage1`` and so on.
    """
    trunk, in_ch = OrderedDict(stem=stem), channels[0]
    for number, (out_ch, depth) in enumerate(zip(channels[1:], depths, strict=True), 1):
        stride = (1, 1, 1) if number == 1 else (2, 2, 2)
        blocks = [block(in_ch, out_ch, stride)]
        blocks += [block(out_ch, out_ch, (1, 1, 1)) for _ in range(depth - 1)]
        trunk[f"stage{number}"] = nn.Sequential(*blocks)
        in_ch = out_ch
    model = PooledClassifier(nn.Sequential(trunk), in_ch, num_classes)
    model.apply(_init_conv)
    return model


def _init_conv(module: nn.Module) -> None:
    """Keep the gradient's variance through ReLU, as published residual networks start (He 2015)."""
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
