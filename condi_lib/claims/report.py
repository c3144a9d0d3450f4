"""The verdicts as tables: for a chapter, for the README, and what the authors say twice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from condi_lib import paths
from condi_lib.claims.catalogue import CLAIMS
from condi_lib.claims.evidence import Untestable
from condi_lib.claims.judge import Claim, Evidence, Judgement, Verdict, bounds, in_points, judge
from condi_lib.claims.rules import (
    NOT_REPRODUCED,
    OUTCOMES,
    REPRODUCED,
    UNDECIDED,
    UNTESTABLE,
)
from condi_lib.study import Study

SYMBOLS = {REPRODUCED: "✓", NOT_REPRODUCED: "✗", UNDECIDED: "?", UNTESTABLE: "–"}


def verdicts_of(source: Study | Evidence, claims: Sequence[Claim] = CLAIMS) -> list[Verdict]:
    """Judge claims, all 19 by default, in their order.

    Args:
        source: The study; runs of its variants that are missing are computed, unless it is the
            reference, which then has no data for some claims.
        claims: Which.
    """
    evidence = source if isinstance(source, Evidence) else Evidence(source)
    return [judge(claim, evidence) for claim in claims]


def regimes_of(evidence: Evidence) -> pd.DataFrame:
    """What the regimes are: ``seeds``, ``right`` and ``dense``, by name.

    ``right`` is the share of the students' training clips that the teacher gets right, NaN where no
    history tells it; ``dense`` its video accuracy on test videos (:class:`Interval`).
    """
    rows = {}
    for name, places in evidence.places("loss_ablation").items():
        try:
            regime = evidence.regime(places[0], name)
        except Untestable:
            continue
        history = regime.findings.history.get("train_teacher_correct", pd.Series(dtype=float))
        right, dense = history.mean(), regime.test.accuracy("dense", 1)
        rows[name] = {"seeds": len(regime.study.seeds), "right": right, "dense": dense}
    return pd.DataFrame.from_dict(rows, orient="index")


def claims_table(claims: Sequence[Claim] = CLAIMS) -> pd.DataFrame:
    """How each claim is tested: ``claim, test, source``, by number."""
    rows = {each.number: (each.title, each.test, each.source) for each in claims}
    return _by_number(rows, ["claim", "test", "source"])


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One row per claim, by number: what the authors found, what this study found, the verdict.

    Returns:
        ``claim``; ``verdict``; ``here``, our effects with intervals, and ``paper``, theirs by data
        set, both in points and in the order of the claim's comparisons; ``over seeds``, the same
        effects' intervals for other trainings; ``seeds``, how many lie where the claim holds;
        ``beside``, what the other regime says.
    """
    rows = {}
    for verdict in verdicts:
        found = verdict.judgement
        rows[verdict.claim.number] = (
            verdict.claim.title,
            f"{SYMBOLS[verdict.outcome]} {verdict.outcome}",
            ", ".join(in_points(each) for each in found.deciding) or found.lacking,
            ", ".join(bounds(each.effect.interval) for each in found.over_seeds.deciding),
            paper_text(verdict.claim, found),
            seeds_text(found),
            beside_text(verdict),
        )
    return _by_number(rows, ["claim", "verdict", "here", "over seeds", "paper", "seeds", "beside"])


def undone_by_seeds(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that would be others were all intervals over seeds, not over videos or files."""
    return [
        verdict for verdict in verdicts if verdict.judgement.over_seeds.outcome != verdict.outcome
    ]


def paper_text(claim: Claim, found: Judgement | None = None, most_sets: int = 3) -> str:
    """The authors' own effects in points: by data set, in the order of the comparisons.

    Args:
        claim: Whose.
        found: The comparisons to name them for; None or without any: all that are published.
        most_sets: How many data sets at most.
    """
    effects = claim.paper()
    keys = [each.key for each in found.deciding] if found and found.deciding else list(effects)
    sets = dict.fromkeys(name for key in keys for name in effects.get(key, {}))
    parts = []
    for name in list(sets)[:most_sets]:
        known = [_as_published(effects[key][name]) for key in keys if name in effects.get(key, {})]
        parts.append(f"{name} {', '.join(known)}")
    return "; ".join(parts) or claim.paper_words


def _as_published(fraction: float) -> str:
    """In points, with the two digits that the tables have at most: ``+16.5``, ``+2.95``."""
    return f"{100 * fraction:+.2f}".rstrip("0").rstrip(".")


def seeds_text(found: Judgement) -> str:
    """In how many seeds each comparison's effect lies where the claim holds, as ``5/5, 3/5``."""
    return ", ".join(
        f"{each.effect.seeds_in(each.rule.holds)}/{len(each.effect.by_seed)}"
        for each in found.deciding
    )


def beside_text(verdict: Verdict) -> str:
    """What the regimes say that do not decide, as ``paper-like: not reproduced``."""
    return "; ".join(f"{name}: {each.outcome}" for name, each in verdict.beside.items())


def regime_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """The claims that two regimes have data for: what each found, by number and regime.

    Returns:
        Indexed by ``number, regime``: ``claim, here, seeds, verdict`` and ``decides``.
    """
    rows = {}
    for verdict in verdicts:
        for name, found in verdict.judgements.items():
            if verdict.beside and found.comparisons:
                here = ", ".join(in_points(each) for each in found.deciding)
                decides = "yes" if name == verdict.decided_by else ""
                told = (verdict.claim.title, here, seeds_text(found), found.outcome, decides)
                rows[verdict.claim.number, name] = told
    index = pd.MultiIndex.from_tuples(rows, names=["no.", "regime"])
    return pd.DataFrame([*rows.values()], index, ["claim", "here", "seeds", "verdict", "decides"])


def tally(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many claims have each outcome, in the order of ``rules.OUTCOMES``."""
    counted = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: counted[outcome] for outcome in OUTCOMES}


def contradictions() -> pd.DataFrame:
    """What thesis and paper say twice and differently: ``value`` and ``source`` by quantity."""
    table = pd.read_csv(paths.paper_dir() / "contradictions.csv", dtype=str)
    together = table["value"] + " (" + table["source"] + ")"
    joined = together.groupby(table["quantity"], sort=False).agg("; ".join)
    return joined.rename("thesis and paper say").to_frame()


@dataclass(frozen=True)
class Shown:
    """A table as notebooks show it best where it holds text: Markdown, aligned to the left.

    Attributes:
        frame: The table; of equal neighbours in its index the first is written.
    """

    frame: pd.DataFrame

    def __repr__(self) -> str:
        return self._repr_markdown_()

    def _repr_markdown_(self) -> str:
        index = self.frame.index.to_frame()
        names = [*map(str, index.columns), *map(str, self.frame.columns)]
        repeated = index.eq(index.shift()).cumprod(axis=1).astype(bool)
        cells = pd.concat([index.mask(repeated, ""), self.frame], axis=1)
        rows = [names, ["---"] * len(names), *cells.astype(str).to_numpy().tolist()]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _by_number(rows: Mapping[int, tuple], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return frame.rename_axis("no.")
