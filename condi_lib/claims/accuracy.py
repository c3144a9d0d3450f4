"""Claims about video accuracy over K: the oracle, ConDi-SR, the order of the samplers.

Each function takes a regime and gives the comparisons that its claim is judged by; ``Untestable``
says what is missing. K is chosen on validation videos, effects are of test videos.
"""

from dataclasses import replace

from condi_lib.claims.evidence import LABELS, At, Comparison, Regime
from condi_lib.claims.rules import FAR_LARGER, LARGER, NO_LARGER, SAME, Effect, Rule

DENSE: At = ("dense", 1)  # the same at every K
EXACT = replace(SAME, needs_seeds=False)
Comparisons = list[Comparison]


def label_of(at: At) -> str:
    """A method at a K, for readers."""
    method, k = at
    return method if at == DENSE else f"{LABELS.get(method, method)} (K = {k})"


def compare(regime: Regime, key: str, a: At, b: At, rule: Rule, decides: bool = True) -> Comparison:
    """One method at a K minus another."""
    label = f"{label_of(a)} - {label_of(b)}"
    return Comparison(key, label, regime.gap(a, b), rule, decides)


def oracle_far_above_dense(regime: Regime) -> Comparisons:
    """Claim 1: the oracle at K = 1 minus dense is above 5 points."""
    return [compare(regime, "oracle", ("oracle", 1), DENSE, FAR_LARGER)]


def oracle_falls(regime: Regime) -> Comparisons:
    """Claim 2: the oracle at K = 1 is above that at half of N, and that above all N clips."""
    n = regime.most_clips
    middle = (n + 1) // 2
    ends = {"first half": (1, middle), "second half": (middle, n)}
    return [
        compare(regime, key, ("oracle", k), ("oracle", more), LARGER)
        for key, (k, more) in ends.items()
        if k < more
    ]


def condi_sr_beats_dense(regime: Regime) -> Comparisons:
    """Claim 3: ConDi-SR at the K that validation videos choose is above dense."""
    return [compare(regime, "gain", regime.best(regime.student("condi_sr")), DENSE, LARGER)]


def elbow(regime: Regime) -> Comparisons:
    """Claim 4: at the best K between 1 and N, ConDi-SR is above itself at K = 1 and at K = N.

    That K is chosen among 2 to N - 1 by validation videos, so that there is an effect to judge
    also where K = 1 is best.
    """
    student = regime.student("condi_sr")
    between = regime.best_between(student)
    return [
        compare(regime, "over one", between, (student, 1), LARGER),
        compare(regime, "over all", between, (student, regime.most_clips), LARGER),
    ]


def order_at_one_clip(regime: Regime) -> Comparisons:
    """Claim 5: at K = 1, ConDi-SR > ST-Ent > equidistant > random, each above the next."""
    order = [regime.student("condi_sr"), regime.student("st_ent"), "equidistant", "random"]
    return [
        compare(regime, key, (a, 1), (b, 1), LARGER)
        for key, a, b in zip(("condi_sr", "st_ent", "equidistant"), order, order[1:], strict=False)
    ]


def bce_conf_no_better_than_random(regime: Regime) -> Comparisons:
    """Claim 6: at K = 1, BCE-Conf minus random is below the margin."""
    return _at_one_clip(regime, "bce_conf", "random", NO_LARGER)


def st_conf_about_equidistant(regime: Regime) -> Comparisons:
    """Claim 7: at K = 1, ST-Conf is within the margin of equidistant."""
    return _at_one_clip(regime, "st_conf", "equidistant", SAME)


def naive_about_random(regime: Regime) -> Comparisons:
    """Claim 8: at K = 1, the naive loss is within the margin of random."""
    return _at_one_clip(regime, "naive", "random", SAME)


def _at_one_clip(regime: Regime, loss: str, other: str, rule: Rule) -> Comparisons:
    return [compare(regime, loss, (regime.student(loss), 1), (other, 1), rule)]


def all_meet_dense(regime: Regime) -> Comparisons:
    """Claim 17: at K = N, the method that is farthest from dense is within the margin of it.

    Here it holds by construction where all videos have N clips or K is cut to the video.
    """
    n = regime.most_clips
    methods = [method for method in regime.test.correct if method != "dense"]
    gaps = {method: regime.gap((method, n), DENSE) for method in methods}
    farthest = max(gaps, key=lambda method: abs(gaps[method].interval.value))
    label = f"{label_of((farthest, n))} - dense, of {len(methods)} methods"
    return [Comparison("all", label, _without_rounding(gaps[farthest]), EXACT)]


def _without_rounding(effect: Effect) -> Effect:
    """Shares of random draws do not sum to 1 to the last digit; differences of 1e-7 are none."""
    interval = effect.interval
    rounded = (round(x, 6) + 0.0 for x in (interval.value, interval.low, interval.high))
    by_seed = tuple(round(x, 6) + 0.0 for x in effect.by_seed)
    return Effect(type(interval)(*rounded), by_seed, effect.over)
