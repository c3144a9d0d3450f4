"""A claim, and how a study judges it: in each regime, then altogether."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from condi_lib.claims.evidence import DEFAULT, PAPER_LIKE, Comparison, Regime, Untestable
from condi_lib.claims.published import Effects
from condi_lib.claims.rules import REPRODUCED, UNDECIDED, UNTESTABLE, all_of
from condi_lib.statistics import Interval
from condi_lib.study import Study


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper or the thesis that the study tests.

    Attributes:
        number: Its place in the list of 19.
        title: What it says, in few words.
        sentence: How the authors put it.
        source: Where.
        test: What is compared, and when the claim counts as reproduced.
        compare: From a regime to the comparisons that it is judged by.
        paper: The authors' own effects, by comparison and data set.
        paper_words: What they are read from, or why there are none.
        group: The chapter whose variants hold the data; empty: the study itself does.
        about_imbalance: Whether it is about how seldom the teacher is wrong on training clips.
    """

    number: int
    title: str
    sentence: str
    source: str
    test: str
    compare: Callable[[Regime], list[Comparison]]
    paper: Callable[[], Effects] = dict
    paper_words: str = "no number"
    group: str = ""
    about_imbalance: bool = False

    @property
    def order(self) -> tuple[str, str]:
        """The regimes, that which decides first.

        Claims about imbalance are decided where the teacher is right on nearly all training clips,
        as in the paper; all others by the study itself. Where the first has no data, the second
        decides.
        """
        return (PAPER_LIKE, DEFAULT) if self.about_imbalance else (DEFAULT, PAPER_LIKE)


@dataclass(frozen=True)
class Judgement:
    """What one regime says of a claim.

    Attributes:
        comparisons: Effects beside their rules; none where there is no data.
        lacking: What data is missing; empty where none is.
    """

    comparisons: tuple[Comparison, ...] = ()
    lacking: str = ""

    @property
    def deciding(self) -> tuple[Comparison, ...]:
        """The comparisons on which the outcome depends."""
        return tuple(each for each in self.comparisons if each.decides)

    @property
    def outcome(self) -> str:
        """One of ``rules.OUTCOMES``."""
        return all_of([each.outcome for each in self.deciding]) if self.deciding else UNTESTABLE

    @property
    def over_seeds(self) -> "Judgement":
        """The same with all intervals over seeds; see :attr:`Comparison.over_seeds`."""
        return Judgement(tuple(each.over_seeds for each in self.comparisons), self.lacking)

    @property
    def reason(self) -> str:
        """Why, in one line: the comparisons that the outcome rests on."""
        if not self.deciding:
            return self.lacking
        outcome = self.outcome
        told = [each for each in self.deciding if each.outcome == outcome]
        return "; ".join(_because(each) for each in told)


def _because(comparison: Comparison) -> str:
    effect, rule = comparison.effect, comparison.rule
    text = f"{comparison.label}: {in_points(comparison)}, "
    if comparison.outcome != UNDECIDED:
        return text + (rule.words if comparison.outcome == REPRODUCED else rule.otherwise)
    return f"{text}{rule.doubt(effect)} ({rule.words})"


def in_points(comparison: Comparison) -> str:
    """An effect in points (hundredths) with its interval, as ``+10.7 [6.7, 14.7]``."""
    interval = comparison.effect.interval
    if math.isnan(interval.low):
        return f"{points(interval.value)} (no interval)"
    return f"{points(interval.value)} {bounds(interval)}"


def bounds(interval: Interval) -> str:
    """An interval in points, as ``[6.7, 14.7]``; empty where there is none."""
    if math.isnan(interval.low):
        return ""
    low, high = (points(end).removeprefix("+") for end in (interval.low, interval.high))
    return f"[{low}, {high}]"


def points(fraction: float) -> str:
    """A fraction in points (hundredths), as ``+10.7``; 0 has no sign."""
    text = f"{round(100 * fraction, 10):+.1f}"  # ties as an Interval rounds them
    return "0.0" if float(text) == 0 else text


@dataclass(frozen=True)
class Verdict:
    """What a study says of a claim.

    Attributes:
        claim: The claim.
        judgements: By regime.
        decided_by: The regime whose judgement counts.
    """

    claim: Claim
    judgements: Mapping[str, Judgement]
    decided_by: str

    @property
    def judgement(self) -> Judgement:
        """That which counts."""
        return self.judgements[self.decided_by]

    @property
    def outcome(self) -> str:
        """One of ``rules.OUTCOMES``."""
        return self.judgement.outcome

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return self.judgement.reason

    @property
    def beside(self) -> dict[str, Judgement]:
        """The other regimes that have data."""
        others = {k: v for k, v in self.judgements.items() if k != self.decided_by}
        return {name: each for name, each in others.items() if each.comparisons}


@dataclass
class Evidence:
    """A study with its variants, each opened once and only when a claim asks for it.

    Attributes:
        study: The study.
    """

    study: Study
    _opened: dict[tuple[str, str], Regime] = field(default_factory=dict)

    def places(self, group: str) -> dict[str, list[tuple[str, str]]]:
        """Where each regime's data may be: the study itself first, then variants of a group."""
        variants = self.study.spec.variants.get(group, {})
        found = {DEFAULT: [("", "")]}
        for name, regime in (("default", DEFAULT), ("paper_like", PAPER_LIKE)):
            if name in variants:
                found.setdefault(regime, []).append((group, name))
        return found

    def regime(self, place: tuple[str, str], name: str) -> Regime:
        """Open the study itself (empty names) or a variant."""
        if place not in self._opened:
            group, variant = place
            study = self.study.variants(group)[variant] if group else self.study
            self._opened[place] = Regime.of(study, name)
        return self._opened[place]


def judge(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge one claim; what a study has no data for is a verdict too, and never an error."""
    judgements = {}
    for name, places in evidence.places(claim.group).items():
        for place in places:
            try:
                regime = evidence.regime(place, name)
                judgements[name] = Judgement(tuple(claim.compare(regime)))
                break
            except Untestable as lacking:
                judgements[name] = Judgement(lacking=str(lacking))
    ranked = [name for name in claim.order if name in judgements]
    known = [name for name in ranked if judgements[name].comparisons]
    return Verdict(claim, judgements, (known or ranked)[0])
