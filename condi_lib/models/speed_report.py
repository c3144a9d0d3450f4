"""What ``optimize`` tried: one line per mode, for people and for programs."""

from dataclasses import dataclass

PLAIN = "plain fp32"


@dataclass(frozen=True)
class Trial:
    """One mode: the steps kept before it, and one more.

    Attributes:
        step: What was tried, such as ``bf16``.
        clips_per_sec: Measured; None where the step was not possible, like what follows.
        speedup: Times the speed of the original, measured in turns with it.
        agreement: Share of the example clips that keep their top-1 class (and confidence).
        max_delta: Largest difference of a logit from the original's.
        verdict: ``kept``, or why not.
    """

    step: str
    clips_per_sec: float | None = None
    speedup: float | None = None
    agreement: float | None = None
    max_delta: float | None = None
    verdict: str = ""

    @property
    def kept(self) -> bool:
        """Whether the step is part of what was chosen."""
        return self.verdict == "kept"

    def __str__(self) -> str:
        """One row of the report's table."""
        if self.clips_per_sec is None:
            return f"{self.step:20s} {'-':>8s} {'-':>9s} {'-':>10s} {'-':>9s}   {self.verdict}"
        return (
            f"{self.step:20s} {self.clips_per_sec:8.1f} {self.speedup:8.2f}x "
            f"{self.agreement:10.1%} {self.max_delta:9.1e}   {self.verdict}"
        )


@dataclass(frozen=True)
class SpeedReport:
    """All that was tried, in order; each step on top of those kept before it.

    Attributes:
        trials: The original first.
        device: Where it was measured.
        batch_shape: Shape of the timed batches, ``(B, 3, T, H, W)``.
        n_clips: Clips on which agreement was judged.
        min_agreement: The share of them that had to agree.
    """

    trials: tuple[Trial, ...]
    device: str
    batch_shape: tuple[int, ...]
    n_clips: int
    min_agreement: float

    @property
    def chosen(self) -> tuple[str, ...]:
        """The steps that were kept; none of them means that the original is quickest."""
        return tuple(trial.step for trial in self.trials if trial.kept)

    @property
    def best(self) -> Trial:
        """The trial of the mode that was chosen."""
        return [trial for trial in self.trials if trial.kept or trial.step == PLAIN][-1]

    def __str__(self) -> str:
        """A table of the trials and a sentence on the choice."""
        size = " x ".join(map(str, self.batch_shape))
        head = f"{'step':20s} {'clips/s':>8s} {'speed':>9s} {'agreement':>10s} {'max |Δ|':>9s}"
        return "\n".join(
            (
                f"batches of {size} on {self.device}; agreement on {self.n_clips} clips, "
                f"at least {self.min_agreement:.1%}",
                head,
                *map(str, self.trials),
                f"chosen: {' + '.join(self.chosen) or PLAIN}, {self.best.speedup:.2f} x plain",
            )
        )
