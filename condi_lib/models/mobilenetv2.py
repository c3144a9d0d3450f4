"""3D MobileNetV2: residual blocks that are wide inside, where depthwise convolutions cost little.

Inflated by Köpüklü et al., "Resource Efficient 3D Convolutional Neural Networks" (2019), from
Sandler et al., "MobileNetV2" (2018). Blocks count as in the published checkpoints.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from condi_lib.models.pooled import PooledClassifier, conv_bn


class Stage(NamedTuple):
    """Blocks of one number of channels; the first of them has the stride, in time and space."""

    expansion: int
    channels: int
    n_blocks: int
    stride: int


PUBLISHED_STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
STEM_CH, LAST_CH = 32, 1280


class InvertedResidual(nn.Module):
    """Expand the channels, convolve each alone, project; add the input where shapes allow it.

    The projection has no activation: a ReLU in few channels would lose information.
    """

    def __init__(self, in_ch: int, out_ch: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = in_ch * expansion
        expand = [] if expansion == 1 else [*conv_bn(in_ch, wide, (1, 1, 1)), nn.ReLU6(True)]
        self.body = nn.Sequential(
            *expand,
            *conv_bn(wide, wide, (3, 3, 3), (stride,) * 3, groups=wide),
            nn.ReLU6(inplace=True),
            *conv_bn(wide, out_ch, (1, 1, 1)),
        )
        self.residual = stride == 1 and in_ch == out_ch

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_ch, T, H, W]`` to ``[B, out_ch, T', H', W']``."""
        out = self.body(x)
        return out.add_(x) if self.residual else out  # in place: saves a copy


def _trunk(stem_ch: int, stages: Sequence[Stage], last_ch: int) -> nn.Sequential:
    stem = nn.Sequential(*conv_bn(3, stem_ch, (3, 3, 3), (1, 2, 2)), nn.ReLU6(inplace=True))
    blocks, in_ch = [], stem_ch
    for expansion, out_ch, n_blocks, stride in stages:
        for i in range(n_blocks):
            blocks.append(InvertedResidual(in_ch, out_ch, 1 if i else stride, expansion))
            in_ch = out_ch
    last = nn.Sequential(*conv_bn(in_ch, last_ch, (1, 1, 1)), nn.ReLU6(inplace=True))
    numbered = {f"block{i}": block for i, block in enumerate(blocks, start=1)}
    return nn.Sequential(OrderedDict(stem=stem, **numbered, last=last))


def mobilenetv2_3d(num_classes: int, width: float = 1.0, dropout: float = 0.2) -> PooledClassifier:
    """Build 3D MobileNetV2; at width 1: 3.123 M parameters at 600 classes, .519 GMACs.

    Args:
        num_classes: Outputs of the class head.
        width: Multiplies all channels, rounded down; those of the last convolution never shrink.
        dropout: Share of the pooled features that is dropped in training.

    Raises:
        ValueError: If ``width`` leaves a stage without channels.
    """
    stages = [s._replace(channels=int(s.channels * width)) for s in PUBLISHED_STAGES]
    if min(stage.channels for stage in stages) < 1:
        raise ValueError(f"width must be at least 1/16, for 16 channels to leave one; got {width}")
    last_ch = int(LAST_CH * max(width, 1.0))
    trunk = _trunk(int(STEM_CH * width), stages, last_ch)
    return PooledClassifier(trunk, last_ch, num_classes, dropout)


def mobilenetv2_3d_small(num_classes: int, width: float = 1.0) -> PooledClassifier:
    """A student for clips of 8 frames of 44 px: three stages of 1, 2 and 2 blocks.

    ``width`` multiplies all channels, rounded.
    """
    stem_ch, *stage_ch, last_ch = (max(1, round(c * width)) for c in (6, 6, 12, 24, 96))
    first, second, third = stage_ch
    stages = (Stage(1, first, 1, 1), Stage(4, second, 2, 2), Stage(4, third, 2, 2))
    return PooledClassifier(_trunk(stem_ch, stages, last_ch), last_ch, num_classes)
