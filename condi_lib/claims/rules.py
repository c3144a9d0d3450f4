"""When a claim counts as reproduced: one set of rules for all claims.

Which results were known when they were written, chapter 10 says.

An *effect* is what a claim is about, as a number with an interval: mostly a difference in video
accuracy, paired by video. A *rule* divides the axis of effects in two regions, one where the claim
holds and one where it is refuted, and judges by where the 95 % interval lies:

- *reproduced*: the whole interval lies where the claim holds, and so do four of five seeds;
- *not reproduced*: the whole interval lies where it is refuted, and so do four of five seeds;
- *undecided*: anything else; also whatever fewer than three seeds say: other trainings might not.

"A is better than B" and "A is no better than B" divide the axis alike, so that each is refuted by
what shows the other: a difference is there if its interval excludes 0, and none that matters if it
stays below ``MARGIN``; where both are true, the claim is given the benefit. "About as good" is
shown by an interval within the margin on both sides. There seeds are not counted: alone, with
their wider scatter, they would often leave it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from condi_lib.statistics import Interval, paired_t_over_seeds

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
UNDECIDED = "undecided"
UNTESTABLE = "cannot be tested here"
OUTCOMES = (REPRODUCED, NOT_REPRODUCED, UNDECIDED, UNTESTABLE)

MARGIN = 0.02  # differences of less than 2 points do not matter here
FAR = 0.05  # "far above": by more than 5 points
AGREEING = 0.8  # the share of seeds that must say the same
FEWEST_SEEDS = 3
Region = tuple[float, float]


@dataclass(frozen=True)
class Effect:
    """What a claim is about, as a number.

    Attributes:
        interval: The mean over seeds with its 95 % interval; NaN bounds where there is none.
        by_seed: The effect of each seed.
        over: What the interval is over: ``"videos"``, ``"seeds"`` or ``"files"``.
    """

    interval: Interval
    by_seed: tuple[float, ...]
    over: str = "videos"

    @classmethod
    def over_seeds(cls, by_seed: Sequence[float]) -> "Effect":
        """The mean of one number per seed, with its t-interval where there are two or more."""
        values = [float(value) for value in by_seed]
        if len(values) < 2:
            return cls(Interval(values[0], math.nan, math.nan), tuple(values), "seeds")
        mean = paired_t_over_seeds(values, [0.0] * len(values)).difference
        return cls(mean, tuple(values), "seeds")

    def lies_in(self, region: Region) -> bool:
        """Whether the whole interval is inside; False where it is not defined."""
        return region[0] < self.interval.low and self.interval.high < region[1]

    def seeds_in(self, region: Region) -> int:
        """How many seeds are inside."""
        return sum(region[0] < value < region[1] for value in self.by_seed)


@dataclass(frozen=True)
class Rule:
    """Where a claim holds, and where it is refuted.

    Attributes:
        words: The rule as readers see it.
        otherwise: What is the case where the claim is refuted.
        holds: Open region of effects in which the claim is right.
        refuted: Open regions in which it is wrong; where both overlap, the claim is right.
        needs_seeds: Whether seeds count; not where the effect is what it is by construction.
    """

    words: str
    otherwise: str
    holds: Region
    refuted: tuple[Region, ...]
    needs_seeds: bool = True

    def outcome(self, effect: Effect) -> str:
        """Judge an effect; see the module for the rule."""
        if self.needs_seeds and len(effect.by_seed) < FEWEST_SEEDS:
            return UNDECIDED
        return self.by_interval(effect)

    def by_interval(self, effect: Effect) -> str:
        """The same, were any number of seeds enough."""
        if self._shown(effect, self.holds):
            return REPRODUCED
        if any(self._shown(effect, region) for region in self.refuted):
            return NOT_REPRODUCED
        return UNDECIDED

    def doubt(self, effect: Effect) -> str:
        """Why an effect is undecided; empty where it is not."""
        if self.outcome(effect) != UNDECIDED:
            return ""
        if (n := len(effect.by_seed)) < FEWEST_SEEDS:
            few = "one seed" if n == 1 else f"{n} seeds"
            return f"{few} only, which would say: {self.by_interval(effect)}"
        if math.isnan(effect.interval.low):
            return "there is no interval"
        if any(effect.lies_in(region) for region in (self.holds, *self.refuted)):
            return "the seeds disagree"
        return "the interval does not tell"

    def _shown(self, effect: Effect, region: Region) -> bool:
        if not effect.lies_in(region):
            return False
        has_two_ends = all(map(math.isfinite, region))
        if has_two_ends or not self.needs_seeds:
            return True
        return effect.seeds_in(region) >= AGREEING * len(effect.by_seed) - 1e-9


def more_than(threshold: float, unit: str = "points") -> Rule:
    """The effect is above a threshold; refuted where it is below."""
    above, below = (f"{side} {100 * threshold:g} {unit}" for side in ("above", "below"))
    return Rule(above, below, (threshold, math.inf), ((-math.inf, threshold),))


def less_than(threshold: float, unit: str = "points") -> Rule:
    """The effect is below a threshold; refuted where it is above."""
    above, below = (f"{side} {100 * threshold:g} {unit}" for side in ("above", "below"))
    return Rule(below, above, (-math.inf, threshold), ((threshold, math.inf),))


_POINTS = f"{100 * MARGIN:g} points"
LARGER = Rule("above 0", f"not {_POINTS} above 0", (0.0, math.inf),
              ((-math.inf, MARGIN),))  # fmt: skip
FAR_LARGER = more_than(FAR)
NO_LARGER = Rule(f"below {_POINTS}", "above 0", (-math.inf, MARGIN), ((0.0, math.inf),))
SAME = Rule(f"within {_POINTS}", "different", (-MARGIN, MARGIN),
            ((-math.inf, 0.0), (0.0, math.inf)))  # fmt: skip


def all_of(outcomes: Sequence[str]) -> str:
    """The outcome of a claim that says several things: it is right if all of them are.

    One that is not reproduced decides; else one that is undecided does.

    Raises:
        ValueError: If there is none.
    """
    if not outcomes:
        raise ValueError("a claim needs at least one comparison that decides")
    for worst in (UNTESTABLE, NOT_REPRODUCED, UNDECIDED):
        if worst in outcomes:
            return worst
    return REPRODUCED
