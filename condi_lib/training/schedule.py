"""How a learning rate changes over training, as a factor of its peak value."""

import math
from dataclasses import dataclass

SCHEDULES = ("constant", "one_cycle", "decay")


@dataclass(frozen=True)
class Schedule:
    """A learning-rate schedule; both branches of a student may have their own.

    * ``constant``: the peak value throughout.
    * ``one_cycle``: cosine up from 1/25 of the peak over the first ``warmup`` share of all steps,
      then cosine down to nearly 0 (Smith & Topin 2018).
    * ``decay``: multiply by ``gamma`` after every ``every`` epochs. The paper (sec. IV) divides by
      1.25 each epoch (gamma .8, every 1), the confidence branch by 5 each epoch (gamma .2); the
      thesis (sec. 4.1) divides by 10 every 15 epochs, the confidence branch every epoch.

    Attributes:
        kind: One of the three.
        warmup: Share of the steps in which ``one_cycle`` rises, in [0, 1).
        gamma: Factor of ``decay``, in (0, 1].
        every: Epochs between two decays.

    Raises:
        ValueError: If a field is out of range.
    """

    kind: str = "one_cycle"
    warmup: float = 0.3
    gamma: float = 0.1
    every: int = 15

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise ValueError(f"schedule {self.kind!r} is unknown; choose from {SCHEDULES}")
        if not 0 <= self.warmup < 1 or not 0 < self.gamma <= 1 or self.every < 1:
            raise ValueError(
                f"need 0 <= warmup < 1, 0 < gamma <= 1 and every >= 1, got warmup {self.warmup}, "
                f"gamma {self.gamma}, every {self.every}"
            )

    def factor(self, step: int, n_steps: int, epoch: int) -> float:
        """The factor at ``step`` of ``n_steps`` in all (from 0), which lies in ``epoch``."""
        if self.kind == "constant":
            return 1.0
        if self.kind == "decay":
            return self.gamma ** (epoch // self.every)
        peak = self.warmup * (n_steps - 1)
        if step < peak:
            return _cosine(1 / 25, 1.0, step / peak)
        return _cosine(1.0, 1e-4, (step - peak) / ((n_steps - 1 - peak) or 1))


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
