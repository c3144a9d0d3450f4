"""Video classifiers of other libraries, made to look like ours; torchvision's first.

Each becomes an :class:`AdaptedClassifier`: clips ``[B, 3, T, H, W]`` in, logits ``[B, C]`` out,
with ``features``, ``feature_dim`` and ``fc``, so that it can be a teacher or a student's backbone.
Clips of a shape that it was not made for are refused before they fail somewhere inside.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from condi_lib.models.glimpse import Glimpse

TORCHVISION_HEADS = {
    "r3d_18": "fc",
    "mc3_18": "fc",
    "r2plus1d_18": "fc",
    "s3d": "classifier.1",
    "mvit_v1_b": "head.1",
    "mvit_v2_s": "head.1",
    "swin3d_t": "head",
    "swin3d_s": "head",
    "swin3d_b": "head",
}


@dataclass(frozen=True)
class ClipSize:
    """The clips that a network takes: these, or if not ``exact``, these and larger ones."""

    frames: int
    height_px: int
    width_px: int
    exact: bool = True

    def fits(self, frames: int, height_px: int, width_px: int) -> bool:
        """Whether the network takes such a clip."""
        needed, given = (self.frames, self.height_px, self.width_px), (frames, height_px, width_px)
        if self.exact:
            return given == needed
        return all(g >= n for g, n in zip(given, needed, strict=True))

    def __str__(self) -> str:
        least = "" if self.exact else "at least "
        return f"{least}{self.frames} frames of {self.height_px} x {self.width_px} px"


TORCHVISION_SIZES = {
    "s3d": ClipSize(14, 224, 224, exact=False),
    "mvit_v1_b": ClipSize(16, 224, 224),
    "mvit_v2_s": ClipSize(16, 224, 224),
}


class AdaptedClassifier(nn.Module):
    """A classifier of another library, with its linear class head taken out as ``fc``.

    Its state dict keeps the library's names and shapes, so that published files fit.

    Args:
        network: From clips ``[B, 3, T, H, W]`` to logits ``[B, C]``. It is changed: what was its
            head passes features on.
        head: Name of its last layer within it, a linear one or a 1x1x1 convolution.
        clip_size: The clips that it takes; None: any.
        name: How errors call it.

    Attributes:
        glimpse: What is done to clips before the network sees them; nothing, unless it is replaced.
    """

    def __init__(
        self, network: nn.Module, head: str, clip_size: ClipSize | None = None, name: str = ""
    ) -> None:
        super().__init__()
        self.glimpse = Glimpse()
        self.network, self.head, self.clip_size = network, head, clip_size
        self.name = name or type(network).__name__
        layer = network.get_submodule(head)
        self.fc, self.head_shape = _as_linear(layer), layer.weight.shape
        self.feature_dim = self.fc.in_features
        network.set_submodule(head, nn.Identity())
        self.register_state_dict_post_hook(_tell_library_names)
        self.register_load_state_dict_pre_hook(_read_library_names)

    def features(self, clips: Tensor) -> Tensor:
        """What the class head reads of clips ``[B, 3, T, H, W]``: ``[B, feature_dim]``.

        Raises:
            ValueError: If the network does not take clips of this shape.
        """
        if clips.ndim != 5 or clips.shape[1] != 3:
            raise ValueError(f"{self.name} takes clips [B, 3, T, H, W], got {list(clips.shape)}")
        clips = self.glimpse(clips)
        if self.clip_size is not None and not self.clip_size.fits(*clips.shape[2:]):
            frames, height, width = clips.shape[2:]
            raise ValueError(
                f"{self.name} takes clips of {self.clip_size}, got {frames} frames of {height} x "
                f"{width} px; change the data set's clip_frames, stride and size_px, or the network"
            )
        return self.glimpse.averaged(self._headless(clips))

    def forward(self, clips: Tensor) -> Tensor:
        """Class logits ``[B, C]`` of clips ``[B, 3, T, H, W]``; errors as :meth:`features`."""
        return self.fc(self.features(clips))

    def _headless(self, clips: Tensor) -> Tensor:
        return self.network(clips)


def _tell_library_names(
    module: AdaptedClassifier, state: dict[str, Tensor], prefix: str, _metadata: Any
) -> None:
    """Name a state dict as before the head was taken out; tensors still share their memory."""
    own, head = f"{prefix}network.", f"{prefix}fc."
    for key in [key for key in state if key.startswith((own, head))]:
        tensor = state.pop(key)
        if key == f"{head}weight":
            tensor = tensor.view(module.head_shape)
        if key.startswith(head):
            state[f"{prefix}{module.head}.{key.removeprefix(head)}"] = tensor
        else:
            state[prefix + key.removeprefix(own)] = tensor


def _read_library_names(
    module: AdaptedClassifier, state: dict[str, Tensor], prefix: str, *_: Any
) -> None:
    """Undo :func:`_tell_library_names` in a state dict that is about to be loaded."""
    head = f"{prefix}{module.head}."
    for key in [key for key in state if key.startswith(prefix)]:
        tensor = state.pop(key)
        if key == f"{head}weight" and tensor.shape[1:] == module.head_shape[1:]:
            tensor = tensor.flatten(1)
        if key.startswith(head):
            state[f"{prefix}fc.{key.removeprefix(head)}"] = tensor
        else:
            state[f"{prefix}network.{key.removeprefix(prefix)}"] = tensor


def torchvision_classifier(name: str, num_classes: int, **options: Any) -> AdaptedClassifier:
    """Build one of torchvision's video classifiers, a key of ``TORCHVISION_HEADS``.

    Args:
        name: Such as ``r3d_18``.
        num_classes: Outputs of the class head.
        **options: Passed on; ``weights="KINETICS400_V1"`` downloads trained ones (400 classes).
    """
    from torchvision.models import video  # takes over a second, which few studies need

    network = getattr(video, name)(num_classes=num_classes, **options)
    size = TORCHVISION_SIZES.get(name)
    return AdaptedClassifier(network, TORCHVISION_HEADS[name], size, f"torchvision.{name}")


def _as_linear(head: nn.Module) -> nn.Linear:
    """The head as a linear layer: averaging over positions commutes with a 1x1x1 convolution."""
    if isinstance(head, nn.Linear):
        return head
    if not isinstance(head, nn.Conv3d) or set(head.kernel_size) != {1}:
        raise ValueError(f"the class head must be linear or a 1x1x1 convolution, not {head}")
    linear = nn.Linear(head.in_channels, head.out_channels)
    linear.load_state_dict({"weight": head.weight.flatten(1), "bias": head.bias})
    return linear.to(head.weight.device)
