"""R(2+1)D: each 3D convolution becomes one over space and then one over time.

Tran et al., "A closer look at spatiotemporal convolutions" (CVPR 2018), in the shape that Hara et
al. trained and published: a max-pooling behind the stem, and seven frames in the stem's
convolution over time. Clips may have any length and size.
"""

import math
from collections.abc import Sequence

from torch import nn

from condi_lib.models.pooled import PooledClassifier, conv_bn
from condi_lib.models.residual import Residual, residual_classifier


def r2plus1d_34(num_classes: int, width: float = 1.0) -> PooledClassifier:
    """R(2+1)D-34, a teacher of the paper: 63.75 M parameters at 400 classes.

    Args:
        num_classes: Outputs of the class head.
        width: Multiplies all channels, rounded down.
    """
    channels = [max(1, int(c * width)) for c in (64, 64, 128, 256, 512)]
    stem = nn.Sequential(
        *conv_2plus1d(3, channels[0], (7, 7, 7), (1, 2, 2)),
        nn.ReLU(inplace=True),
        nn.MaxPool3d(kernel_size=3, stride=2, padding=1),
    )
    return residual_classifier(num_classes, stem, basic_block, channels, (3, 4, 6, 3))


def r2plus1d_small(num_classes: int, width: float = 1.0) -> PooledClassifier:
    """An R(2+1)D for the embedded study's clips of 8 x 44 x 44: three stages of one block.

    Its stem is smaller and has no pooling. ``width`` is as for :func:`r2plus1d_34`.
    """
    channels = [max(1, int(c * width)) for c in (12, 12, 24, 48)]
    stem = nn.Sequential(*conv_2plus1d(3, channels[0], (3, 5, 5), (1, 2, 2)), nn.ReLU(inplace=True))
    return residual_classifier(num_classes, stem, basic_block, channels, (1, 1, 1))


def basic_block(in_ch: int, out_ch: int, stride: Sequence[int]) -> Residual:
    """Two (2+1)D convolutions of 3x3x3; the first has the stride."""
    body = nn.Sequential(
        *conv_2plus1d(in_ch, out_ch, (3, 3, 3), stride),
        nn.ReLU(inplace=True),
        *conv_2plus1d(out_ch, out_ch, (3, 3, 3)),
    )
    return Residual(body, in_ch, out_ch, stride)


def conv_2plus1d(
    in_ch: int, out_ch: int, kernel: Sequence[int], stride: Sequence[int] = (1, 1, 1)
) -> list[nn.Module]:
    """A convolution over space, BN and ReLU, then a convolution over time and BN.

    The channels between the two are as many as keep the parameters of the 3D convolution that
    they replace, whose ``kernel`` and ``stride`` are given over time, height and width.
    """
    frames, *size = kernel
    full_3d = in_ch * out_ch * math.prod(kernel)
    between_ch = max(1, full_3d // (in_ch * math.prod(size) + frames * out_ch))
    return [
        *conv_bn(in_ch, between_ch, (1, *size), (1, *stride[1:])),
        nn.ReLU(inplace=True),
        *conv_bn(between_ch, out_ch, (frames, 1, 1), (stride[0], 1, 1)),
    ]
