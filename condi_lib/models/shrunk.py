"""See less of each clip: fewer frames, larger pixels. A cheap student's first step.

A clip is decoded and resized once, at the teacher's size; a network that needs less shrinks it by
itself. So the clip table, training and selective inference all show it the very same pixels.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn


class Shrink(nn.Module):
    """Every ``every``-th frame, and the mean over each square of ``pool`` x ``pool`` pixels.

    It has no tensors: a network's weights and their names are the same with and without it.

    Args:
        pool: Height and width of the squares; 1 changes nothing. Rows at the bottom and columns at
            the right that fill no square are left out.
        every: Frames are read from the first one on; 1 reads all.

    Raises:
        ValueError: If a number is no whole number of at least 1.
    """

    def __init__(self, pool: int = 1, every: int = 1) -> None:
        super().__init__()
        for name, value in {"pool": pool, "every": every}.items():
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.pool, self.every = pool, every

    def forward(self, clips: Tensor) -> Tensor:
        """Shrink clips ``[B, 3, T, H, W]`` to ``[B, 3, ceil(T/every), H // pool, W // pool]``.

        Raises:
            ValueError: If a clip has not one whole square.
        """
        clips = clips[:, :, :: self.every]
        if self.pool == 1:
            return clips
        if min(clips.shape[3:]) < self.pool:
            height, width = clips.shape[3:]
            raise ValueError(f"pool {self.pool} is larger than clips of {height} x {width} px")
        # Sums of slices are several times quicker than avg_pool3d, which leaves channels_last_3d.
        rows, columns = (length // self.pool * self.pool for length in clips.shape[3:])
        shifts = range(self.pool)
        clips = reduce(torch.add, [clips[..., shift : columns : self.pool] for shift in shifts])
        clips = reduce(torch.add, [clips[..., shift : rows : self.pool, :] for shift in shifts])
        return clips / self.pool**2

    @property
    def shrinks(self) -> bool:
        """Whether it changes anything."""
        return (self.pool, self.every) != (1, 1)

    def extra_repr(self) -> str:
        """What it does, in ``print(model)``."""
        return f"pool={self.pool}, every={self.every}"


SHRINKING = ("pool", "every")  # options that every network of the zoo has


def shrinking_of(options: Mapping[str, Any]) -> Shrink:
    """The ``Shrink`` that a network's options ask for.

    Raises:
        ValueError: As :class:`Shrink`.
    """
    return Shrink(**{name: options[name] for name in SHRINKING if name in options})
