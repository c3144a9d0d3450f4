"""Small 3D networks for the embedded study: a residual teacher and a plain, lighter student.

Both map clips ``[B, 3, T, H, W]`` of any length and size (T >= 2, H, W >= 16) to class logits
``[B, C]``, and give their globally pooled features ``[B, D]`` by :meth:`features`.
"""

from collections.abc import Sequence

from torch import nn

from condi_lib.models.pooled import PooledClassifier, conv_bn
from condi_lib.models.residual import Residual


def residual_block(in_ch: int, out_ch: int, stride: Sequence[int]) -> Residual:
    """Two 3x3x3 convolutions; the first has the stride."""
    body = nn.Sequential(
        *conv_bn(in_ch, out_ch, (3, 3, 3), stride),
        nn.ReLU(inplace=True),
        *conv_bn(out_ch, out_ch, (3, 3, 3), (1, 1, 1)),
    )
    return Residual(body, in_ch, out_ch, stride)


def small_resnet3d(num_classes: int, width: int = 12) -> PooledClassifier:
    """The embedded study's teacher: a stem and residual stages of ``width`` x 1, 2, 4 channels."""
    trunk = nn.Sequential(
        *conv_bn(3, width, (3, 5, 5), (1, 2, 2)),
        nn.ReLU(inplace=True),
        residual_block(width, width, (1, 1, 1)),
        residual_block(width, 2 * width, (2, 2, 2)),
        residual_block(2 * width, 4 * width, (2, 2, 2)),
    )
    return PooledClassifier(trunk, 4 * width, num_classes)


def small_cnn3d(num_classes: int, width: int = 8) -> PooledClassifier:
    """The student of the embedded study: a flat stem and three 3x3x3 convolutions, no shortcuts."""
    trunk = nn.Sequential(
        *conv_bn(3, width, (1, 3, 3), (1, 2, 2)),
        nn.ReLU(inplace=True),
        *conv_bn(width, 2 * width, (3, 3, 3), (2, 2, 2)),
        nn.ReLU(inplace=True),
        *conv_bn(2 * width, 4 * width, (3, 3, 3), (2, 2, 2)),
        nn.ReLU(inplace=True),
        *conv_bn(4 * width, 6 * width, (3, 3, 3), (1, 1, 1)),
        nn.ReLU(inplace=True),
    )
    return PooledClassifier(trunk, 6 * width, num_classes)
