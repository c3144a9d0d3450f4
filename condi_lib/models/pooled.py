"""What the convolutional backbones share: the convolution with its normalisation, and the head."""

from collections.abc import Sequence

from torch import Tensor, nn

from condi_lib.models.glimpse import Glimpse


def conv_bn(
    in_ch: int,
    out_ch: int,
    kernel: Sequence[int],
    stride: Sequence[int] = (1, 1, 1),
    groups: int = 1,
) -> list[nn.Module]:
    """A 3D convolution without bias, padded so that only its stride shrinks the clip, and BN."""
    padding = tuple(k // 2 for k in kernel)
    conv = nn.Conv3d(
        in_ch, out_ch, tuple(kernel), tuple(stride), padding, groups=groups, bias=False
    )
    return [conv, nn.BatchNorm3d(out_ch)]


class PooledClassifier(nn.Module):
    """A convolutional trunk, global average pooling and one linear layer.

    Pooling is global, so clips may have any length and size that the trunk's strides leave over.

    Args:
        trunk: From clips ``[B, 3, T, H, W]`` to maps ``[B, feature_dim, T', H', W']``.
        feature_dim: Channels of those maps.
        num_classes: Outputs of the linear layer ``fc``.
        dropout: Share of the pooled features that is dropped in training.

    Attributes:
        glimpse: What is done to clips before the trunk sees them; nothing, unless it is replaced.
    """

    def __init__(
        self, trunk: nn.Module, feature_dim: int, num_classes: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.glimpse = Glimpse()
        self.trunk, self.feature_dim = trunk, feature_dim
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(feature_dim, num_classes)

    def features(self, clips: Tensor) -> Tensor:
        """Pooled features ``[B, feature_dim]`` of clips ``[B, 3, T, H, W]``."""
        maps = self.trunk(self.glimpse(clips))
        return self.dropout(self.glimpse.averaged(maps.mean(dim=(2, 3, 4))))

    def forward(self, clips: Tensor) -> Tensor:
        """Class logits ``[B, C]`` of clips ``[B, 3, T, H, W]``."""
        return self.fc(self.features(clips))
