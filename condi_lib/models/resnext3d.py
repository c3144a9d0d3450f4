"""3D ResNeXt: residual bottlenecks whose 3x3x3 convolution is split into groups.

As in Kopuklu et al., "Resource efficient 3D convolutional neural networks" (ICCVW 2019), after
Hara et al. (CVPR 2018) and Xie et al. (CVPR 2017). Time is strided like space from the
max-pooling on, so that 16 frames of 112 px end as maps of 1 x 4 x 4; pooling is global, so clips
may have any length and size.
"""

from collections.abc import Sequence
from functools import partial

from torch import nn

from condi_lib.models.pooled import PooledClassifier, conv_bn
from condi_lib.models.residual import Residual, residual_classifier

EXPANSION = 2  # channels out of a block per channel of its grouped convolution


def resnext3d_101(num_classes: int, width: float = 1.0, groups: int = 32) -> PooledClassifier:
    """3D ResNeXt-101, a teacher of the paper: 48.34 M parameters at 400 classes.

    Args:
        num_classes: Outputs of the class head.
        width: Multiplies all channels but the stem's, to whole numbers per group.
        groups: Groups of each 3x3x3 convolution (the "cardinality").
    """
    stem = nn.Sequential(
        *conv_bn(3, 64, (7, 7, 7), (1, 2, 2)),
        nn.ReLU(inplace=True),
        nn.MaxPool3d(kernel_size=3, stride=2, padding=1),
    )
    channels = [64, *_stage_channels((128, 256, 512, 1024), width, groups)]
    block = partial(bottleneck, groups=groups)
    return residual_classifier(num_classes, stem, block, channels, (3, 4, 23, 3))


def resnext3d_small(num_classes: int, width: float = 1.0, groups: int = 8) -> PooledClassifier:
    """A ResNeXt for the embedded study's clips of 8 x 44 x 44: three stages of one block.

    Its stem has no pooling. ``width`` and ``groups`` are as for :func:`resnext3d_101`.
    """
    stem = nn.Sequential(*conv_bn(3, 24, (3, 5, 5), (1, 2, 2)), nn.ReLU(inplace=True))
    channels = [24, *_stage_channels((24, 48, 96), width, groups)]
    block = partial(bottleneck, groups=groups)
    return residual_classifier(num_classes, stem, block, channels, (1, 1, 1))


def bottleneck(in_ch: int, out_ch: int, stride: Sequence[int], groups: int) -> Residual:
    """A 1x1x1 convolution to half of ``out_ch``, a grouped and strided 3x3x3, a 1x1x1 back."""
    mid_ch = out_ch // EXPANSION
    body = nn.Sequential(
        *conv_bn(in_ch, mid_ch, (1, 1, 1)),
        nn.ReLU(inplace=True),
        *conv_bn(mid_ch, mid_ch, (3, 3, 3), stride, groups),
        nn.ReLU(inplace=True),
        *conv_bn(mid_ch, out_ch, (1, 1, 1)),
    )
    return Residual(body, in_ch, out_ch, stride)


def _stage_channels(grouped_ch: Sequence[int], width: float, groups: int) -> list[int]:
    """Channels out of each stage: those of its grouped convolution, widened, times EXPANSION."""
    return [EXPANSION * groups * max(1, round(c * width / groups)) for c in grouped_ch]
