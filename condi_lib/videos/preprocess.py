"""Decoded clips to network input: crop, flip, colour, normalise.

What is random is drawn from a generator that the caller owns, and for the whole batch, so that a
resumed run sees the same pixels (torchvision's random transforms read the global generator, and
know one crop per call).
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocess:
    """How decoded clips become network input, in training and at test time.

    At test time (no generator) a clip is cropped at its centre. In training each clip gets its own
    crop and, where switched on, a flip, a shuffle of its colour channels and a brightness.

    Attributes:
        crop_px: Height and width of the square crop.
        mean: Per channel, on the 0-1 scale, in the order in which the network sees the channels.
            A network that was trained on 0-255 minus a mean has a 255th of it here.
        std: Per channel, as ``mean``; a 255th for a network that was trained on 0-255.
        flip: Mirror half of the training clips. Off where left and right are part of the label.
        shuffle_channels: Permute R, G, B at random, so that colours cannot be memorised.
        brightness: Scale intensities by 1 ± this.
        channel_order: ``"rgb"``, or ``"bgr"`` for networks trained on frames as OpenCV reads them.

    Raises:
        ValueError: If a field is out of range.
    """

    crop_px: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    flip: bool = True
    shuffle_channels: bool = False
    brightness: float = 0.0
    channel_order: str = "rgb"

    def __post_init__(self) -> None:
        if self.crop_px < 1:
            raise ValueError(f"crop_px must be at least 1, got {self.crop_px}")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(s > 0 for s in self.std):
            raise ValueError(
                f"mean and std need a number for each of 3 channels, std > 0; got {self.mean} and "
                f"{self.std}"
            )
        if not 0 <= self.brightness < 1:
            raise ValueError(f"brightness must be in [0, 1), got {self.brightness}")
        if self.channel_order not in ("rgb", "bgr"):
            raise ValueError(f'channel_order must be "rgb" or "bgr", got {self.channel_order!r}')

    def __call__(
        self,
        clips: Tensor,
        generator: Generator | None = None,
        part: slice = slice(None),
        batch_size: int | None = None,
    ) -> Tensor:
        """Prepare a batch.

        Args:
            clips: Decoded clips, uint8 RGB ``[B, T, H, W, 3]``, on any device.
            generator: Source of the augmentation, on the CPU; None for test time.
            part: Which clips of a whole batch these are, where processes share one.
            batch_size: Clips of that whole batch, for all of which is drawn; None: B.

        Returns:
            float32 ``[B, 3, T, crop_px, crop_px]``, in channels_last_3d memory format (the order
            in which the decoder wrote it, and the faster one for Conv3d).

        Raises:
            ValueError: If frames are smaller than the crop, or the shape is not that of clips.
        """
        if clips.ndim != 5 or clips.shape[-1] != 3 or clips.dtype != torch.uint8:
            raise ValueError(
                f"need clips uint8 [B, T, H, W, 3], got {clips.dtype} {list(clips.shape)}"
            )
        height, width = clips.shape[2:4]
        if min(height, width) < self.crop_px:
            raise ValueError(
                f"frames of {height} x {width} px are smaller than the crop of {self.crop_px} px; "
                "decode them larger or crop less"
            )
        if generator is None:
            return self._normalise(self._to_float(self._centre_crops(clips)))
        return self._normalise(self._augment(clips, generator, part, batch_size or len(clips)))

    def _centre_crops(self, clips: Tensor) -> Tensor:
        top, left = ((size - self.crop_px) // 2 for size in clips.shape[2:4])
        return clips[:, :, top : top + self.crop_px, left : left + self.crop_px]

    def _augment(self, clips: Tensor, generator: Generator, part: slice, batch: int) -> Tensor:
        """Crop, flip, shuffle channels and scale brightness; to float ``[B, 3, T, h, w]``.

        What only moves pixels is done on uint8, which is a quarter of the memory to move.
        """
        height, width = clips.shape[2:4]
        crop = self.crop_px
        tops = torch.randint(height - crop + 1, (batch,), generator=generator)[part].tolist()
        lefts = torch.randint(width - crop + 1, (batch,), generator=generator)[part].tolist()
        pieces = [
            clip[:, top : top + crop, left : left + crop]
            for clip, top, left in zip(clips, tops, lefts, strict=True)
        ]
        if self.flip:
            chosen = (torch.rand(batch, generator=generator) < 0.5)[part].tolist()
            pieces = [p.flip(2) if yes else p for p, yes in zip(pieces, chosen, strict=True)]
        if self.shuffle_channels:
            order = torch.rand(batch, 3, generator=generator).argsort(dim=1)[part].to(clips.device)
            pieces = [p.index_select(-1, rgb) for p, rgb in zip(pieces, order, strict=True)]
        moved = self._to_float(torch.stack(pieces))
        if self.brightness:
            factor = 1 + self.brightness * (2 * torch.rand(batch, generator=generator) - 1)
            moved.mul_(factor[part].to(clips.device)[:, None, None, None, None]).clamp_(0, 1)
        return moved

    def _to_float(self, clips: Tensor) -> Tensor:
        """uint8 RGB ``[B, T, h, w, 3]`` to new float32 ``[B, 3, T, h, w]`` on the 0-1 scale."""
        ordered = clips.flip(-1) if self.channel_order == "bgr" else clips
        return ordered.permute(0, 4, 1, 2, 3).float().div_(255)

    def _normalise(self, clips: Tensor) -> Tensor:
        mean = torch.tensor(self.mean, device=clips.device)[:, None, None, None]
        std = torch.tensor(self.std, device=clips.device)[:, None, None, None]
        return clips.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last_3d)
