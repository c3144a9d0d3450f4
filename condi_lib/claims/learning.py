"""Claims about how ConDi-SR is trained: μ, τ, the learning rate, the parts of the loss.

Each function takes a regime and gives the comparisons that its claim is judged by; ``Untestable``
says what is missing. Spreads, rates and losses are one number per seed, so their intervals are over
seeds; all others are over videos.
"""

from condi_lib.claims.accuracy import Comparisons, compare
from condi_lib.claims.evidence import LABELS, Comparison, Regime, Untestable
from condi_lib.claims.rules import LARGER, SAME, Effect, Rule, less_than, more_than

COLLAPSED = 0.05  # z̃ is as good as constant if it scatters by less than this; it lies in [0, 1]
HALF = 0.5
MU = 1.5  # the paper's
_ONE = {"positive_weight": 1.0}
MORE_THAN_HALF = more_than(HALF, "%")


def mu_one_collapses(regime: Regime) -> Comparisons:
    """Claim 9: with μ = 1, z̃ is as good as constant; with μ = 1.5 fewer wrong clips pass.

    The spread is the standard deviation of z̃ over test clips, below 5 points. The false-positive
    rate is the share of clips that the teacher gets wrong with z̃ > .5; that at μ = 1 minus that at
    1.5 is above 0. μ weighs clips that the teacher gets right, as the paper writes it; beside it is
    told what weighing wrong ones does.
    """
    plain, paper = (regime.student("condi_sr", positive_weight=mu) for mu in (1.0, MU))
    spread = Effect.over_seeds(regime.metric("score_std", plain))
    found = [
        Comparison("spread", "spread of z̃ at μ = 1", spread, less_than(COLLAPSED)),
        _rate_gap(regime, "rate", plain, paper, "1 - 1.5"),
    ]
    heavy = [mu for mu in regime.settings("condi_sr", "negative_weight", **_ONE) if mu > 1]
    for mu in heavy[-1:]:
        other = regime.student("condi_sr", negative_weight=mu, **_ONE)
        label = f"1 - {mu:g} on wrong clips"
        found.append(_rate_gap(regime, "other reading", plain, other, label, decides=False))
    return found


def _rate_gap(
    regime: Regime, key: str, a: str, b: str, label: str, decides: bool = True
) -> Comparison:
    rate = [regime.metric("false_positive_rate", student) for student in (a, b)]
    effect = Effect.over_seeds(rate[0] - rate[1])
    return Comparison(key, f"false-positive rate, μ = {label}", effect, LARGER, decides)


def large_mu_stops_distillation(regime: Regime) -> Comparisons:
    """Claim 10: with the largest μ above 1.5, L_KD falls by less than half of what it does at 1.5.

    The fall is that of the training loss from the first epoch to the last, as a share of the first.
    """
    above = [mu for mu in regime.settings("condi_sr", "positive_weight") if mu > MU]
    if not above:
        raise Untestable("no student is trained with μ above 1.5")
    paper = regime.student("condi_sr", positive_weight=MU)
    large = regime.student("condi_sr", positive_weight=above[-1])
    return [_lost_fall(regime, "fall", large, paper, f"at μ = {above[-1]:g}")]


def temperature(regime: Regime) -> Comparisons:
    """Claim 11: τ = 1 is within the margin of τ = .9, and above 1 training does not converge.

    Accuracies are at the K that validation videos choose for each. *Does not converge*: at the
    smallest τ above 1, L_KD falls by less than half of what it does at .9, as shares of itself.
    """
    paper = regime.student("condi_sr", temperature=0.9)
    one = regime.student("condi_sr", temperature=1.0)
    above = [tau for tau in regime.settings("condi_sr", "temperature") if tau > 1]
    if not above:
        raise Untestable("no student is trained with τ above 1")
    found = [compare(regime, "alike", regime.best(one), regime.best(paper), SAME)]
    for at, tau in enumerate(above):
        warm = regime.student("condi_sr", temperature=tau)
        key = "converges" if at == 0 else f"converges at {tau:g}"
        found.append(_lost_fall(regime, key, warm, paper, f"at τ = {tau:g}", decides=at == 0))
    return found


def _lost_fall(
    regime: Regime, key: str, student: str, paper: str, label: str, decides: bool = True
) -> Comparison:
    """Which share of L_KD's fall is lost, seed by seed."""
    falls = [regime.fall(name, "train_distillation") for name in (student, paper)]
    if (falls[1] <= 0).any():
        raise Untestable("L_KD does not fall with the paper's setting either")
    effect = Effect.over_seeds(1 - falls[0] / falls[1])
    return Comparison(key, f"share of L_KD's fall lost {label}", effect, MORE_THAN_HALF, decides)


def faster_decay(regime: Regime) -> Comparisons:
    """Claim 12: with the paper's schedule ConDi-SR is more accurate if z̃'s rate decays faster.

    /1.25 per epoch, the confidence branch /5 against /1.25; each at the K that validation videos
    choose. Beside it: the same with the study's own schedule, and within-video AUROCs of z̃.
    """
    faster, shared = (regime.named(n) for n in ("paper_schedule", "paper_schedule_shared"))
    found = [compare(regime, "accuracy", regime.best(faster), regime.best(shared), LARGER)]
    found.append(_auroc_gap(regime, "auroc", faster, shared, LARGER, decides=False))
    if "confidence_decays" in regime.study.students:
        own = regime.student("condi_sr")
        a, b = regime.best("confidence_decays"), regime.best(own)
        found.append(compare(regime, "own schedule", a, b, LARGER, decides=False))
    return found


def classification_hurts(regime: Regime) -> Comparisons:
    """Claim 19: ConDi-SR is above the naive loss, in accuracy and in within-video AUROC of z̃.

    Accuracies are at the K that validation videos choose for each. Beside it: the naive loss
    without its classification part (β = 0, τ = .9) against the naive loss.
    """
    ours, naive = regime.student("condi_sr"), regime.student("naive")
    found = [
        compare(regime, "accuracy", regime.best(ours), regime.best(naive), LARGER),
        _auroc_gap(regime, "auroc", ours, naive, LARGER),
    ]
    try:
        without = regime.student("naive", beta=0.0, temperature=0.9)
    except Untestable:
        return found
    a, b = regime.best(without), regime.best(naive)
    return [*found, compare(regime, "beta", a, b, LARGER, decides=False)]


def _auroc_gap(
    regime: Regime, key: str, a: str, b: str, rule: Rule, decides: bool = True
) -> Comparison:
    by_seed = regime.metric("within_video_auroc", a) - regime.metric("within_video_auroc", b)
    interval = regime.findings.within_video_auroc(a, minus=b)
    label = f"within-video AUROC, {LABELS.get(a, a)} - {LABELS.get(b, b)}"
    return Comparison(key, label, Effect(interval, tuple(by_seed.tolist())), rule, decides)
