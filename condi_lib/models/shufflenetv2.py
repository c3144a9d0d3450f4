"""3D ShuffleNetV2: half of the channels pass each block untouched, and a shuffle mixes the halves.

Inflated by Köpüklü et al., "Resource Efficient 3D Convolutional Neural Networks" (2019), from Ma et
al., "ShuffleNet V2" (2018). The paper's student. Blocks count as in the published checkpoints.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from condi_lib.models.pooled import PooledClassifier, conv_bn

# By width: channels of the stem, of the three stages and of the last convolution.
PUBLISHED_CHANNELS = {
    0.25: (24, 32, 64, 128, 1024),
    0.5: (24, 48, 96, 192, 1024),
    1.0: (24, 116, 232, 464, 1024),
    1.5: (24, 176, 352, 704, 1024),
    2.0: (24, 224, 488, 976, 2048),
}
PUBLISHED_BLOCKS = (4, 8, 4)  # in each stage


def shuffle_together(left: Tensor, right: Tensor) -> Tensor:
    """Join two halves ``[B, C/2, T, H, W]`` so that their channels alternate, the left one first.

    Concatenation and a channel shuffle of two groups in one copy. Maps in ``channels_last_3d``
    stay in it.
    """
    if right.is_contiguous(memory_format=torch.channels_last_3d):
        left, right = left.movedim(1, -1), right.movedim(1, -1)
        return torch.stack((left, right), dim=-1).flatten(-2).movedim(-1, 1)
    return torch.stack((left, right), dim=2).flatten(1, 2)


def _pointwise(in_ch: int, out_ch: int) -> list[nn.Module]:
    return [*conv_bn(in_ch, out_ch, (1, 1, 1)), nn.ReLU(inplace=True)]


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    return conv_bn(channels, channels, (3, 3, 3), (stride,) * 3, groups=channels)


class ShuffleBlock(nn.Module):
    """A block that keeps size and channels: the body transforms the second half of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(
            *_pointwise(half, half), *_depthwise(half, 1), *_pointwise(half, half)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, T, H, W]`` to the same shape."""
        passed, transformed = x.chunk(2, dim=1)
        return shuffle_together(passed, self.body(transformed))


class StridedShuffleBlock(nn.Module):
    """A block that halves length and size: shortcut and body both see all channels."""

    def __init__(self, in_ch: int, out_ch: int) -> None:
        super().__init__()
        half = out_ch // 2
        self.shortcut = nn.Sequential(*_depthwise(in_ch, 2), *_pointwise(in_ch, half))
        self.body = nn.Sequential(
            *_pointwise(in_ch, half), *_depthwise(half, 2), *_pointwise(half, half)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_ch, T, H, W]`` to ``[B, out_ch, T/2, H/2, W/2]``, rounded up."""
        return shuffle_together(self.shortcut(x), self.body(x))


def _stages(channels: Sequence[int], n_blocks: Sequence[int]) -> list[nn.Module]:
    blocks = []
    for (in_ch, out_ch), n in zip(pairwise(channels), n_blocks, strict=True):
        blocks += [
            StridedShuffleBlock(in_ch, out_ch),
            *(ShuffleBlock(out_ch) for _ in range(n - 1)),
        ]
    return blocks


def shufflenetv2_3d(num_classes: int, width: float = 2.0, dropout: float = 0.2) -> PooledClassifier:
    """Build 3D ShuffleNetV2; at width 2: 6.640 M parameters at 600 classes, .425 GMACs.

    Args:
        num_classes: Outputs of the class head.
        width: One of ``PUBLISHED_CHANNELS``; channels do not follow from it by a rule.
        dropout: Share of the pooled features that is dropped in training.

    Raises:
        ValueError: If no channels are published for ``width``.
    """
    if width not in PUBLISHED_CHANNELS:
        raise ValueError(f"ShuffleNetV2 has widths {[*PUBLISHED_CHANNELS]}, got {width}")
    stem_ch, *stage_ch, last_ch = PUBLISHED_CHANNELS[width]
    blocks = _stages((stem_ch, *stage_ch), PUBLISHED_BLOCKS)
    trunk = OrderedDict(
        stem=nn.Sequential(*conv_bn(3, stem_ch, (3, 3, 3), (1, 2, 2)), nn.ReLU(inplace=True)),
        pool=nn.MaxPool3d(3, stride=2, padding=1),
        **{f"block{i}": block for i, block in enumerate(blocks)},
        last=nn.Sequential(*_pointwise(stage_ch[-1], last_ch)),
    )
    return PooledClassifier(nn.Sequential(trunk), last_ch, num_classes, dropout)


def shufflenetv2_3d_small(num_classes: int, width: float = 1.0) -> PooledClassifier:
    """A student for clips of 8 frames of 44 px: no pooling after the stem, two stages of 3 blocks.

    ``width`` multiplies all channels, to even numbers, for blocks split them in halves.
    """
    stem_ch, *stage_ch, last_ch = (2 * max(1, round(c * width / 2)) for c in (16, 32, 64, 192))
    blocks = _stages((stem_ch, *stage_ch), (3, 3))
    trunk = OrderedDict(
        stem=nn.Sequential(*conv_bn(3, stem_ch, (1, 3, 3), (1, 2, 2)), nn.ReLU(inplace=True)),
        **{f"block{i}": block for i, block in enumerate(blocks)},
        last=nn.Sequential(*_pointwise(stage_ch[-1], last_ch)),
    )
    return PooledClassifier(nn.Sequential(trunk), last_ch, num_classes)
