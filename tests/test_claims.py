"""Verdicts on made studies: what was planted is found, and what is missing is said.

``WORLD`` is a study in which all that the paper claims is so. Each case then changes one thing.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_findings import N_CLIPS, SEEDS, Truth, add_clips, add_times, made_study

from condi_lib.claims import (
    CLAIMS,
    NOT_REPRODUCED,
    REPRODUCED,
    UNDECIDED,
    UNTESTABLE,
    Effect,
    Evidence,
    judge,
    verdicts_of,
)
from condi_lib.claims.evidence import DEFAULT, PAPER_LIKE
from condi_lib.claims.judge import points
from condi_lib.claims.reach import mean_of, of_other_videos
from condi_lib.claims.rules import FAR_LARGER, LARGER, NO_LARGER, SAME, all_of, less_than
from condi_lib.statistics import Interval


def level(accuracy: float) -> tuple[float, ...]:
    return (accuracy,) * N_CLIPS


CURVES = {
    "dense": level(0.5),
    "oracle": (0.9, 0.85, 0.8, 0.7, 0.6, 0.5),
    "random": (0.3, 0.35, 0.4, 0.45, 0.45, 0.5),
    "equidistant": (0.4, 0.4, 0.45, 0.45, 0.45, 0.5),
    "teacher_max_softmax": (0.35, 0.4, 0.5, 0.5, 0.5, 0.5),
    "condi_sr": (0.6, 0.65, 0.75, 0.65, 0.55, 0.5),
    "st_ent": (0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
    "st_conf": (0.4, 0.4, 0.45, 0.45, 0.5, 0.5),
    "bce_conf": (0.3, 0.35, 0.4, 0.45, 0.45, 0.5),
    "naive": (0.3, 0.35, 0.4, 0.45, 0.45, 0.5),
}
STUDENTS = {name: {} for name in ("condi_sr", "st_ent", "st_conf", "bce_conf", "naive")}
AUROC = "within_video_auroc"
SURE = {"sure_when_wrong": [0.8, 0.7, 0.8, 0.7, 0.75]}
METRICS = {"condi_sr": {AUROC: 0.8}, "naive": {AUROC: 0.6}, "teacher_max_softmax": SURE}
WORLD = Truth(CURVES, STUDENTS, METRICS)
ALONE = {"loss": "condi_sr", "student": {"training": {"lr": 0.001}}}
SWEEPS = Truth(
    {name: CURVES["condi_sr"] for name in ("condi_sr", "tau_1", "paper_schedule")}
    | {"dense": level(0.5), "paper_schedule_shared": (0.5, 0.55, 0.6, 0.6, 0.55, 0.5)},
    {
        "condi_sr": {},
        "mu_1": {"loss": "condi_sr", "hyperparameters": {"positive_weight": 1.0}},
        "mu_2": {"loss": "condi_sr", "hyperparameters": {"positive_weight": 2.0}},
        "mu_4": {"loss": "condi_sr", "hyperparameters": {"positive_weight": 4.0}},
        "tau_1": {"loss": "condi_sr", "hyperparameters": {"temperature": 1.0}},
        "tau_2": {"loss": "condi_sr", "hyperparameters": {"temperature": 2.0}},
        "paper_schedule": ALONE,
        "paper_schedule_shared": ALONE,
    },
    {
        "condi_sr": {"false_positive_rate": [0.5, 0.52, 0.51, 0.49, 0.5]},
        "mu_1": {"false_positive_rate": [0.9, 0.95, 0.9, 0.92, 0.93],
                 "score_std": [0.01, 0.02, 0.01, 0.02, 0.01]},
        "paper_schedule": {AUROC: 0.7},
        "paper_schedule_shared": {AUROC: 0.7},
    },
    {"condi_sr": (1.0, 0.5), "mu_2": (1.0, 0.5), "mu_4": (1.0, 0.9), "tau_2": (4.0, 3.8)},
)  # fmt: skip
CELL = Truth({"dense": level(0.5), "condi_sr": CURVES["condi_sr"]}, {"condi_sr": {}})
SHORT = {"dense": (0.5,) * 3, "equidistant": (0.5,) * 3, "condi_sr": (0.52, 0.55, 0.5)}
LONG = {"dense": (0.4,) * 8, "equidistant": (0.4,) * 8, "condi_sr": (0.7, *(0.6,) * 6, 0.4)}


def of_lengths(**curves):
    splits = {f"{split}_{n}": each for n, each in curves.items() for split in ("val", "test")}
    return replace(CELL, other_splits=splits)


LENGTHS = of_lengths(n3=SHORT, n6=SHORT, n12=SHORT, n24=LONG, n40=LONG)
VARIANTS = {
    "loss_ablation": {"default": WORLD, "paper_like": WORLD},
    "sweeps": {"default": SWEEPS, "paper_like": SWEEPS},
    "backbones": {"resnext_shufflenetv2": CELL, "r2plus1d_mobilenetv2": CELL},
    "when_does_it_help": {"conditions": LENGTHS},
}


def with_variant(group, **truths):
    return {**VARIANTS, group: {**VARIANTS[group], **truths}}


def verdict(study, number):
    (claim,) = [claim for claim in CLAIMS if claim.number == number]
    return judge(claim, Evidence(study))


def verdict_on(folder, number, truth=WORLD, variants=VARIANTS):
    return verdict(made_study(folder, truth, variants), number)


# Rules


def effect(value, low, high, *by_seed):
    return Effect(Interval(value, low, high), by_seed or (value,) * 5)


@pytest.mark.parametrize(
    ("rule", "found", "outcome"),
    [
        (LARGER, effect(0.1, 0.01, 0.2), REPRODUCED),
        (LARGER, effect(0.1, 0.01, 0.2, 0.1, 0.2, 0.1, 0.2, -0.1), REPRODUCED),
        (LARGER, effect(0.1, 0.01, 0.2, 0.5, 0.5, 0.1, -0.1, -0.1), UNDECIDED),
        (LARGER, effect(0.1, -0.01, 0.2), UNDECIDED),
        (LARGER, effect(0.01, 0.001, 0.019), REPRODUCED),  # small, but there
        (LARGER, effect(0.0, -0.01, 0.01), NOT_REPRODUCED),  # less than the margin, if at all
        (LARGER, effect(-0.1, -0.2, -0.05), NOT_REPRODUCED),
        (LARGER, effect(-0.1, -0.2, -0.05, 0.1, 0.1, -0.3, -0.3, -0.1), UNDECIDED),
        (FAR_LARGER, effect(0.1, 0.051, 0.2), REPRODUCED),
        (FAR_LARGER, effect(0.1, 0.049, 0.2), UNDECIDED),
        (FAR_LARGER, effect(0.04, 0.03, 0.049), NOT_REPRODUCED),
        (NO_LARGER, effect(0.0, -0.01, 0.019), REPRODUCED),
        (NO_LARGER, effect(-0.3, -0.4, -0.2), REPRODUCED),
        (NO_LARGER, effect(0.03, 0.01, 0.05), NOT_REPRODUCED),
        (NO_LARGER, effect(0.01, -0.01, 0.03), UNDECIDED),
        (SAME, effect(0.0, -0.019, 0.019, -0.1, 0.1, 0.0), REPRODUCED),  # seeds are not counted
        (SAME, effect(0.01, 0.001, 0.019), REPRODUCED),
        (SAME, effect(0.03, 0.01, 0.05), NOT_REPRODUCED),
        (SAME, effect(-0.03, -0.05, -0.01), NOT_REPRODUCED),
        (SAME, effect(0.0, -0.03, 0.03), UNDECIDED),
        (less_than(0.05), effect(0.02, 0.01, 0.03), REPRODUCED),
        (less_than(0.05), effect(0.07, 0.06, 0.08), NOT_REPRODUCED),
        (less_than(0.05), effect(0.07, math.nan, math.nan, 0.07, 0.07), UNDECIDED),
        (LARGER, effect(0.1, 0.01, 0.2, 0.1), UNDECIDED),  # one seed
        (LARGER, effect(0.1, 0.01, 0.2, 0.1, 0.1), UNDECIDED),
        (LARGER, effect(0.1, 0.01, 0.2, 0.1, 0.1, 0.1), REPRODUCED),
    ],
)
def test_a_rule_looks_where_the_interval_and_the_seeds_lie(rule, found, outcome):
    assert rule.outcome(found) == outcome
    assert bool(rule.doubt(found)) == (outcome == UNDECIDED)


def test_an_effect_is_better_or_no_better_and_never_both_refuted():
    """What refutes "better" shows "no better", and the other way round."""
    rng = np.random.default_rng(0)
    for low, width in rng.uniform([-0.1, 0], [0.1, 0.1], (300, 2)):
        found = effect(low + width / 2, low, low + width)
        larger, no_larger = LARGER.outcome(found), NO_LARGER.outcome(found)
        assert (larger == NOT_REPRODUCED) <= (no_larger == REPRODUCED)
        assert (no_larger == NOT_REPRODUCED) <= (larger == REPRODUCED)
        assert (larger == UNDECIDED) == (no_larger == UNDECIDED)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([REPRODUCED, REPRODUCED], REPRODUCED),
        ([REPRODUCED, UNDECIDED], UNDECIDED),
        ([UNDECIDED, NOT_REPRODUCED, REPRODUCED], NOT_REPRODUCED),
    ],
)
def test_a_claim_of_several_parts_needs_all(outcomes, expected):
    assert all_of(outcomes) == expected


def test_a_claim_of_no_part_is_refused():
    with pytest.raises(ValueError, match="at least one comparison"):
        all_of([])


def test_an_effect_over_seeds_has_the_t_interval():
    # mean 2, standard deviation 1, three seeds: 2 ± 4.3027 / sqrt 3
    found = Effect.over_seeds([1, 2, 3])
    assert found.interval.value == 2
    assert found.interval.high - 2 == pytest.approx(4.302653 / math.sqrt(3), abs=1e-6)
    assert 2 - found.interval.low == pytest.approx(4.302653 / math.sqrt(3), abs=1e-6)
    alone = Effect.over_seeds([0.3])
    assert alone.interval.value == 0.3 and math.isnan(alone.interval.low)


def test_effects_of_other_videos_are_joined_end_by_end():
    # below: 3 and 4 make 5; above: 6 and 8 make 10
    a, b = effect(0.5, 0.47, 0.56, 0.4, 0.6), effect(0.2, 0.12, 0.24, 0.3, 0.1)
    joined = of_other_videos(a, b)
    assert joined.interval.value == pytest.approx(0.3)
    assert joined.interval.low == pytest.approx(0.3 - 0.05)
    assert joined.interval.high == pytest.approx(0.3 + 0.1)
    assert joined.by_seed == pytest.approx((0.1, 0.5))


def test_the_mean_of_effects_of_different_videos_has_the_mean_of_their_variances():
    # below: 3 and 4 make 5, of two 2.5; above: 6 and 8 make 10, of two 5
    joined = mean_of([effect(0.1, 0.07, 0.16, 0.1, 0.1), effect(0.3, 0.26, 0.38, 0.2, 0.4)])
    assert joined.interval.value == pytest.approx(0.2)
    assert joined.interval.low == pytest.approx(0.2 - 0.025)
    assert joined.interval.high == pytest.approx(0.2 + 0.05)
    assert joined.by_seed == pytest.approx((0.15, 0.25))


# A world in which everything is as the paper says


@pytest.fixture(scope="module")
def as_in_the_paper(tmp_path_factory):
    study = made_study(tmp_path_factory.mktemp("paper"), WORLD, VARIANTS)
    add_clips(study, teacher_right=0.8, student_right=0.3)
    add_times(study, {"3": 0.5, "5": 0.7, "2+3": 0.6})
    return study


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.number)
def test_what_is_as_the_paper_says_is_reproduced(as_in_the_paper, claim):
    found = judge(claim, Evidence(as_in_the_paper))
    assert found.outcome == REPRODUCED, found.reason
    assert all(each.outcome == REPRODUCED for each in found.judgement.deciding)
    assert found.decided_by == (PAPER_LIKE if claim.about_imbalance else DEFAULT)
    assert found.reason


def test_effects_are_the_planted_differences(as_in_the_paper):
    expected = {1: [0.4], 2: [0.1, 0.3], 3: [0.25], 4: [0.15, 0.25], 5: [0.1, 0.1, 0.1], 6: [0.0]}
    expected |= {7: [0.0], 8: [0.0], 11: [0.0, 0.9], 12: [0.15], 15: [0.25, 0.25], 17: [0.0]}
    expected |= {
        16: [0.3 - 0.05],
        18: [0.5, 0.0],
        14: [0.75, 0.25],
        13: [0.5, 0.1, 0.0],
        10: [0.8],
        19: [0.25, 0.2],
    }
    for number, effects in expected.items():
        deciding = verdict(as_in_the_paper, number).judgement.deciding
        values = [each.effect.interval.value for each in deciding]
        assert values == pytest.approx(effects, abs=1e-6), number
        for each in deciding:
            assert np.mean(each.effect.by_seed) == pytest.approx(each.effect.interval.value)


# One thing is otherwise


LOW = level(0.5)
UNTIL_HALF = (0.8, 0.8, 0.8, 0.7, 0.6, 0.5)
OPPOSITE = (-0.6, -0.65, -0.75, -0.65, -0.55, -0.5)  # as good as ConDi-SR, on other videos
CASES = [
    (1, {"oracle": level(0.5)}, NOT_REPRODUCED),
    (1, {"oracle": level(0.51)}, NOT_REPRODUCED),
    (1, {"oracle": level(0.56)}, UNDECIDED),
    (2, {"oracle": UNTIL_HALF}, NOT_REPRODUCED),
    (3, {"condi_sr": LOW}, NOT_REPRODUCED),
    (3, {"dense": level(-0.7)}, UNDECIDED),
    (3, {"dense": level(0.9)}, NOT_REPRODUCED),
    (4, {"condi_sr": (0.8, 0.75, 0.7, 0.6, 0.55, 0.5)}, NOT_REPRODUCED),  # best at K = 1
    (4, {"condi_sr": (0.3, 0.35, 0.4, 0.45, 0.48, 0.5)}, NOT_REPRODUCED),  # best at K = N
    (5, {"st_ent": level(0.4)}, NOT_REPRODUCED),
    (5, {"st_ent": level(-0.45)}, UNDECIDED),
    (7, {"st_conf": level(0.5)}, NOT_REPRODUCED),
    (7, {"st_conf": level(0.3)}, NOT_REPRODUCED),
    (7, {"st_conf": level(-0.4)}, UNDECIDED),
    (14, {"teacher_max_softmax": level(0.75)}, NOT_REPRODUCED),
    (17, {"st_ent": (0.5,) * 5 + (0.6,)}, NOT_REPRODUCED),
]
SURENESS = [  # t with four degrees of freedom: mean ± 2.776 / sqrt 5 of the standard deviation
    ([0.8, 0.7, 0.8, 0.7, 0.75], REPRODUCED),
    ([0.9, 0.1, 0.9, 0.9, 0.9], UNDECIDED),
    ([0.1, 0.05, 0.1, 0.2, 0.1], NOT_REPRODUCED),  # the teacher is wrong, but not sure of it
]


@pytest.mark.parametrize(("number", "curves", "outcome"), CASES)
def test_what_is_otherwise_in_the_study_is_found(tmp_path, number, curves, outcome):
    study = made_study(tmp_path, WORLD.but(**curves), VARIANTS)
    add_clips(study, 0.8, 0.3)
    found = verdict(study, number)
    assert (found.outcome, found.decided_by) == (outcome, DEFAULT), found.reason


IMBALANCE = [
    (6, WORLD.but(bce_conf=level(0.45)), NOT_REPRODUCED),
    (6, WORLD.but(bce_conf=level(0.1)), REPRODUCED),  # worse is no better
    (6, WORLD.but(bce_conf=level(-0.3)), UNDECIDED),
    (8, WORLD.but(naive=level(0.45)), NOT_REPRODUCED),
    (8, WORLD.but(naive=level(0.1)), NOT_REPRODUCED),
    (19, WORLD.but(naive=CURVES["condi_sr"]), NOT_REPRODUCED),
    (19, WORLD.but(naive=OPPOSITE), UNDECIDED),
    (19, replace(WORLD, metrics={"condi_sr": {AUROC: 0.6}, "naive": {AUROC: 0.6}}), NOT_REPRODUCED),
]


@pytest.mark.parametrize(("number", "truth", "outcome"), IMBALANCE)
def test_claims_about_imbalance_are_decided_where_the_paper_was(tmp_path, number, truth, outcome):
    found = verdict_on(
        tmp_path / "a", number, WORLD, with_variant("loss_ablation", paper_like=truth)
    )
    assert (found.outcome, found.decided_by) == (outcome, PAPER_LIKE), found.reason
    assert found.beside[DEFAULT].outcome == REPRODUCED
    # without that regime the study itself decides
    without = {"loss_ablation": {"default": WORLD}}
    found = verdict_on(tmp_path / "b", number, truth, without)
    assert (found.outcome, found.decided_by) == (outcome, DEFAULT)


@pytest.mark.parametrize(("sure", "outcome"), SURENESS)
def test_how_sure_the_teacher_is_of_its_errors_decides_in_each_regime(tmp_path, sure, outcome):
    other = metric(WORLD, "teacher_max_softmax", sure_when_wrong=sure)
    found = verdict_on(tmp_path / "a", 14, other)
    assert (found.outcome, found.decided_by) == (outcome, DEFAULT), found.reason
    found = verdict_on(tmp_path / "b", 14, WORLD, with_variant("loss_ablation", paper_like=other))
    assert found.outcome == REPRODUCED and found.beside[PAPER_LIKE].outcome == outcome


def metric(truth, student, **values):
    return replace(truth, metrics={**truth.metrics, student: {**truth.metrics[student], **values}})


def fall(truth, **falls):
    return replace(truth, falls={**truth.falls, **falls})


LEARNING = [
    (9, metric(SWEEPS, "mu_1", score_std=0.2), NOT_REPRODUCED),
    (9, metric(SWEEPS, "mu_1", false_positive_rate=[0.3, 0.31, 0.3, 0.3, 0.3]), NOT_REPRODUCED),
    (9, metric(SWEEPS, "mu_1", score_std=[0.01, 0.1, 0.01, 0.1, 0.02]), UNDECIDED),
    (10, fall(SWEEPS, mu_4=(1.0, 0.6)), NOT_REPRODUCED),  # loses a fifth of the fall
    (10, fall(SWEEPS, mu_4=(1.0, 1.2)), REPRODUCED),  # rises
    (10, fall(SWEEPS, mu_2=(1.0, 1.0)), REPRODUCED),  # the largest μ counts
    (11, SWEEPS.but(tau_1=level(0.6)), NOT_REPRODUCED),
    (11, fall(SWEEPS, tau_2=(4.0, 2.0)), NOT_REPRODUCED),  # by half, as at .9
    (12, SWEEPS.but(paper_schedule=level(0.6)), NOT_REPRODUCED),
    (12, SWEEPS.but(paper_schedule=level(-0.62)), UNDECIDED),
]


@pytest.mark.parametrize(("number", "truth", "outcome"), LEARNING)
def test_how_training_goes_is_read_from_the_sweeps(tmp_path, number, truth, outcome):
    variants = {"sweeps": {"default": truth, "paper_like": truth}}
    found = verdict_on(tmp_path, number, WORLD, variants)
    assert found.outcome == outcome, found.reason
    assert found.decided_by == (PAPER_LIKE if number in (9, 10) else DEFAULT)


@pytest.mark.parametrize(
    ("number", "group", "name", "truth", "outcome"),
    [
        (15, "backbones", "r2plus1d_mobilenetv2", CELL.but(condi_sr=LOW), NOT_REPRODUCED),
        (15, "backbones", "r2plus1d_mobilenetv2", CELL.but(dense=level(-0.7)), UNDECIDED),
        (16, "when_does_it_help", "conditions",
         of_lengths(n3=LONG, n24=SHORT), NOT_REPRODUCED),
        (16, "when_does_it_help", "conditions", of_lengths(n3=SHORT, n24=SHORT), UNDECIDED),
        (16, "when_does_it_help", "conditions", of_lengths(n3=SHORT), UNTESTABLE),
    ],
)  # fmt: skip
def test_other_networks_and_longer_videos(tmp_path, number, group, name, truth, outcome):
    found = verdict_on(tmp_path, number, WORLD, with_variant(group, **{name: truth}))
    assert found.outcome == outcome, found.reason


@pytest.mark.parametrize(
    ("teacher", "student", "sure", "number", "outcome"),
    [
        (0.3, 0.8, 0.99, 18, NOT_REPRODUCED),  # the student is better
        (0.8, 0.8, 0.99, 18, NOT_REPRODUCED),  # it is as good
    ],
)
def test_clip_tables_decide(tmp_path, teacher, student, sure, number, outcome):
    study = made_study(tmp_path, WORLD)
    add_clips(study, teacher, student, sure)
    assert verdict(study, number).outcome == outcome


@pytest.mark.parametrize(
    ("times", "student_sure", "outcome"),
    [
        ({"3": 0.5, "5": 0.7, "2+3": 0.6}, 0.6, REPRODUCED),
        ({"3": 0.8, "5": 0.9, "2+3": 0.6}, 0.6, NOT_REPRODUCED),  # saves a fifth
        ({"3": 0.5, "5": 0.7, "2+3": 0.68}, 0.6, NOT_REPRODUCED),  # division adds 2 points
        ({"3": 0.5, "5": 0.7, "2+3": 0.6}, 0.9, NOT_REPRODUCED),  # and costs half of all videos
        ({"3": 0.5, "5": 0.7}, 0.6, UNTESTABLE),
    ],
)
def test_measured_times_decide(tmp_path, times, student_sure, outcome):
    study = made_study(tmp_path, WORLD)
    add_clips(study, 0.8, 0.3, student_sure=student_sure)
    add_times(study, times)
    found = verdict(study, 13)
    assert found.outcome == outcome, found.reason
    if outcome != UNTESTABLE:
        saving, further, _ = found.judgement.deciding
        assert saving.effect.interval.value == pytest.approx(1 - times["3"])
        assert further.effect.interval.value == pytest.approx(times["5"] - times["2+3"])
        assert saving.effect.over == "files"


def test_seeds_that_disagree_leave_it_open(tmp_path):
    """The mean is far above 0 over videos, but two of five trainings are below dense."""
    uneven = replace(WORLD, by_seed={"condi_sr": (0.2, 0.2, 0.2, -0.3, -0.3)})
    found = verdict_on(tmp_path, 3, uneven)
    (gain,) = found.judgement.deciding
    assert gain.effect.interval.low > 0
    assert gain.effect.seeds_in(LARGER.holds) == 3
    assert found.outcome == UNDECIDED
    assert "the seeds disagree" in found.reason


# What is missing is said


def test_one_seed_decides_nothing_but_what_is_so_by_construction(tmp_path):
    study = made_study(tmp_path, replace(WORLD, seeds=(0,)), {
        group: {name: replace(truth, seeds=(0,)) for name, truth in named.items()}
        for group, named in VARIANTS.items()
    })  # fmt: skip
    add_clips(study, 0.8, 0.3)
    outcomes = {found.claim.number: found.outcome for found in verdicts_of(study)}
    assert outcomes.pop(17) == REPRODUCED
    assert outcomes.pop(13) == UNTESTABLE  # no times
    assert set(outcomes.values()) == {UNDECIDED}
    assert "one seed only, which would say: reproduced" in verdict(study, 3).reason


def test_a_study_with_one_student_and_no_clips_says_what_it_lacks(tmp_path):
    bare = Truth({"dense": level(0.5), "naive": level(0.7)}, {"naive": {}}, seeds=SEEDS)
    found = {each.claim.number: each for each in verdicts_of(made_study(tmp_path, bare))}
    assert len(found) == 19
    assert found[17].outcome == NOT_REPRODUCED  # naive stays at .7
    lacking = {n: each.reason for n, each in found.items() if n != 17}
    assert {found[n].outcome for n in lacking} == {UNTESTABLE}
    assert lacking[1] == "oracle at K = 1 is not evaluated"
    assert lacking[3] == "no student is trained by ConDi-SR"
    assert lacking[9] == "no student is trained by ConDi-SR with positive_weight 1"
    assert lacking[12] == "there is no student 'paper_schedule'"
    assert "variants `backbones`" in lacking[15]


def test_clips_and_variants_that_were_not_exported_are_not_an_error(tmp_path):
    study = made_study(tmp_path, WORLD, VARIANTS)
    assert "clips" in verdict(study, 14).reason
    assert "clips" in verdict(study, 18).reason
    for name in ("right.npz", "metrics.csv", "history.csv"):
        (tmp_path / "sweeps" / "paper_like" / name).unlink()
    found = verdict(study, 9)
    assert found.decided_by == DEFAULT
    assert (
        found.judgements[PAPER_LIKE].lacking
        == "tiny.sweeps.paper_like: not in the committed reference"
    )


def test_without_validation_videos_no_k_can_be_chosen(tmp_path):
    study = made_study(tmp_path, WORLD)
    student = replace(study.spec.student, val_split="")
    study = replace(study, spec=replace(study.spec, student=student))
    assert verdict(study, 3).reason == "there are no validation videos to choose on"
    assert verdict(study, 5).outcome == REPRODUCED  # K = 1 is not chosen


def test_points_are_hundredths_with_a_sign():
    assert [points(x) for x in (0.107, -0.0249, 0.0, -0.0001, 0.00049)] == [
        "+10.7", "-2.5", "0.0", "0.0", "0.0"
    ]  # fmt: skip
