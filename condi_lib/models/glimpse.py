"""What a network makes of the clips it is given: larger pixels, fewer or single frames, motion.

A clip is decoded and resized once, at the teacher's size; a network that needs less, or another
view of it, helps itself. So the clip table, training and selective inference all show it the very
same pixels.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

VIEWS = ("pixels", "motion")


class Glimpse(nn.Module):
    """Every ``every``-th frame, its motion, single frames alone, and larger pixels; in this order.

    It has no tensors: a network's weights and their names are the same with and without it.

    ``view="motion"`` shows the change from each frame to the next in place of the pixels, one frame
    less than there are. The mean that preprocessing took away drops out; what is left is in units
    of its deviation. It is not normalised anew: behind the first convolution the networks here
    normalise batches, so no constant factor would make a difference.

    ``single_frames=n`` makes a clip-level network a frame-level one: it sees the n frames in the
    middles of n equal parts of the clip, each as a clip of one frame, and their features are
    averaged. Both heads are linear, so this averages class and confidence logits as well.

    Args:
        pool: Height and width of squares of pixels that are averaged; 1 changes nothing. Rows at
            the bottom and columns at the right that fill no square are left out.
        every: Frames are read from the first one on; 1 reads all.
        view: ``"pixels"`` or ``"motion"``.
        single_frames: How many frames are seen alone; 0: all of them, together.

    Raises:
        ValueError: If a number is no whole number of at least 1 (``single_frames``: 0), or the view
            is unknown.
    """

    def __init__(
        self, pool: int = 1, every: int = 1, view: str = "pixels", single_frames: int = 0
    ) -> None:
        super().__init__()
        numbers = {"pool": (pool, 1), "every": (every, 1), "single_frames": (single_frames, 0)}
        for name, (value, least) in numbers.items():
            if type(value) is not int or value < least:
                raise ValueError(
                    f"{name} must be a whole number of at least {least}, got {value!r}"
                )
        if view not in VIEWS:
            raise ValueError(f"view must be one of {VIEWS}, got {view!r}")
        self.pool, self.every, self.view, self.single_frames = pool, every, view, single_frames

    def forward(self, clips: Tensor) -> Tensor:
        """Turn clips ``[B, 3, T, H, W]`` into what the network is to see.

        Returns:
            ``[B, 3, T', H // pool, W // pool]`` with ``T' = ceil(T/every)``, one less of motion; of
            n single frames ``[B n, 3, 1, H // pool, W // pool]``, those of a clip side by side.

        Raises:
            ValueError: If a clip has not one whole square, one frame only, and so no motion, or
                fewer frames than are to be seen.
        """
        clips = clips[:, :, :: self.every]
        if self.view == "motion":
            clips = _changes(clips)
        if self.single_frames:
            clips = _single(clips, self.single_frames)
        return clips if self.pool == 1 else _pooled(clips, self.pool)

    def averaged(self, features: Tensor) -> Tensor:
        """Features ``[B, D]`` of clips, from those of all that :meth:`forward` made of them."""
        if self.single_frames < 2:
            return features
        return features.unflatten(0, (-1, self.single_frames)).mean(dim=1)

    @property
    def options(self) -> dict[str, Any]:
        """The options that are not at their defaults."""
        given = {name: getattr(self, name) for name in DEFAULTS}
        return {name: value for name, value in given.items() if value != DEFAULTS[name]}

    def extra_repr(self) -> str:
        """What it does, in ``print(model)``."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


# Options that every network of the zoo has.
DEFAULTS: dict[str, Any] = {"pool": 1, "every": 1, "view": "pixels", "single_frames": 0}


def glimpse_of(options: Mapping[str, Any]) -> Glimpse:
    """The ``Glimpse`` that a network's options ask for.

    Raises:
        ValueError: As :class:`Glimpse`.
    """
    return Glimpse(**{name: options[name] for name in DEFAULTS if name in options})


def _changes(clips: Tensor) -> Tensor:
    if clips.shape[2] < 2:
        raise ValueError("a clip of one frame has no motion; read more frames, or view its pixels")
    return clips[:, :, 1:] - clips[:, :, :-1]


def _single(clips: Tensor, n: int) -> Tensor:
    """``[B n, 3, 1, H, W]``: the frames in the middles of n equal parts."""
    n_frames = clips.shape[2]
    if n > n_frames:
        raise ValueError(f"{n} single frames cannot be taken from a clip of {n_frames}")
    middles = [(2 * part + 1) * n_frames // (2 * n) for part in range(n)]
    return clips[:, :, middles].movedim(2, 1).flatten(0, 1).unsqueeze(2)


def _pooled(clips: Tensor, pool: int) -> Tensor:
    if min(clips.shape[3:]) < pool:
        height, width = clips.shape[3:]
        raise ValueError(f"pool {pool} is larger than clips of {height} x {width} px")
    # Sums of slices are several times quicker than avg_pool3d, which leaves channels_last_3d.
    rows, columns = (length // pool * pool for length in clips.shape[3:])
    clips = reduce(torch.add, [clips[..., shift:columns:pool] for shift in range(pool)])
    clips = reduce(torch.add, [clips[..., shift:rows:pool, :] for shift in range(pool)])
    return clips / pool**2
