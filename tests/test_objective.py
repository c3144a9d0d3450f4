"""What losses accept, the registry, the state of ST-Conf, and down-sampling."""

import math
from dataclasses import replace

import pytest
import torch
from loss_inputs import random_inputs, seeded

from condi_lib.losses import (
    LOSSES,
    LossInputs,
    build_objective,
    condi_sr,
    down_sample_majority,
)


def test_teacher_correct_compares_the_top_class_with_the_label():
    teacher = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [2.0, 2.0]])
    inputs = LossInputs(torch.zeros(4, 2), None, teacher, torch.tensor([1, 1, 0, 1]))
    assert inputs.teacher_correct.tolist() == [1.0, 0.0, 1.0, 0.0]  # a tie is its first class


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("class_logits", torch.zeros(0, 3), r"B, C >= 1, got \[0, 3\]"),
        ("class_logits", torch.zeros(3), r"\[B, C\]"),
        ("confidence_logit", torch.zeros(2, 1), r"confidence_logit must be \[2\], got \[2, 1\]"),
        ("teacher_logits", torch.zeros(2, 4), r"teacher_logits must be \[2, 3\], got \[2, 4\]"),
        ("labels", torch.zeros(3), r"labels must be \[2\]"),
        ("video_index", torch.zeros(1), r"video_index must be \[2\]"),
    ],
)
def test_shapes_that_would_broadcast_are_refused(field, value, message):
    good = LossInputs(torch.zeros(2, 3), None, None, torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match=message):
        replace(good, **{field: value})


@pytest.mark.parametrize("name", LOSSES)
def test_a_missing_input_is_named(name):
    inputs, objective = random_inputs(), build_objective(name)
    if objective.needs_teacher:
        with pytest.raises(ValueError, match=r"needs LossInputs\.teacher_logits"):
            objective(replace(inputs, teacher_logits=None))
    else:
        assert objective(replace(inputs, teacher_logits=None))["loss"].isfinite()
    if objective.has_confidence:
        with pytest.raises(ValueError, match=r"needs LossInputs\.confidence_logit"):
            objective(replace(inputs, confidence_logit=None))
    else:
        assert objective(replace(inputs, confidence_logit=None))["loss"].isfinite()


@pytest.mark.parametrize(
    ("name", "hyperparameters", "field"),
    [
        ("st_conf", {}, "generator"),
        ("condi_sr", {"random_uniform": True}, "generator"),
        ("scsampler_ranking", {}, "video_index"),
    ],
)
def test_a_missing_generator_or_video_is_named(name, hyperparameters, field):
    inputs = replace(random_inputs(), **{field: None})
    with pytest.raises(ValueError, match=rf"needs LossInputs\.{field}"):
        build_objective(name, **hyperparameters)(inputs)


# --- objectives ------------------------------------------------------------------------------


def test_defaults_are_those_of_the_thesis():
    condi = build_objective("condi_sr").hyperparameters
    assert (condi["temperature"], condi["confidence_weight"], condi["positive_weight"]) == (
        0.9,
        1.5,
        1.5,
    )
    assert (condi["negative_weight"], condi["detach"]) == (1.0, False)
    plain = build_objective("naive").hyperparameters
    assert (plain["beta"], plain["temperature"]) == (0.9, 5.0)
    hints = build_objective("st_conf").hyperparameters
    assert hints == {"confidence_weight": 0.1, "hint_probability": 0.5, "budget": 0.3}


def test_hyperparameters_reach_the_loss():
    inputs = random_inputs()
    objective = build_objective("condi_sr", temperature=2, detach=True)
    torch.testing.assert_close(
        objective(inputs)["loss"], condi_sr(inputs, temperature=2, detach=True)["loss"]
    )
    assert objective.hyperparameters["temperature"] == 2


@pytest.mark.parametrize(
    ("name", "hyperparameters", "message"),
    [
        ("condi", {}, "unknown loss 'condi': choose one of classification, st_ent"),
        ("st_ent", {"mu": 1.0}, "no hyperparameter 'mu'; it takes: temperature=0.9"),
        ("classification", {"tau": 1.0}, "it takes: none"),
        ("condi_sr", {"temperature": 0}, "temperature .* > 0, got 0"),
        ("condi_sr", {"temperature": math.inf}, "finite"),
        ("condi_sr", {"confidence_weight": -1.0}, r"confidence_weight .* \[0, inf\], got -1"),
        ("condi_sr", {"positive_weight": "1.5"}, "must be a number, got '1.5'"),
        ("condi_sr", {"positive_weight": math.nan}, "got nan"),
        ("condi_sr", {"detach": 1}, "True or False, got 1"),
        ("naive", {"beta": 1.5}, r"beta .* \[0, 1\]"),
        ("st_conf", {"hint_probability": True}, "a number"),
    ],
)
def test_wrong_names_and_values_are_refused(name, hyperparameters, message):
    with pytest.raises(ValueError, match=message):
        build_objective(name, **hyperparameters)


def test_budget_steers_the_price_of_hints():
    objective = build_objective("st_conf")
    objective.after_step({"confidence": torch.tensor(0.2)})  # under .3: cheaper
    assert objective.state_dict() == {"confidence_weight": 0.1 / 1.01}
    objective.after_step({"confidence": torch.tensor(0.3, dtype=torch.float64)})  # not: dearer
    assert objective.state_dict() == {"confidence_weight": 0.1 / 1.01 / 0.99}
    used = objective(random_inputs())["confidence_weight"].item()
    assert used == objective.state_dict()["confidence_weight"]
    assert objective.hyperparameters["confidence_weight"] == 0.1  # as built


def test_a_resumed_objective_continues_exactly():
    trained, resumed = build_objective("st_conf"), build_objective("st_conf")
    for _ in range(7):
        trained.after_step({"confidence": torch.tensor(0.1)})
    resumed.load_state_dict(trained.state_dict())
    for price in (0.1, 0.9):
        for objective in (trained, resumed):
            objective.after_step({"confidence": torch.tensor(price)})
    assert resumed.state_dict() == trained.state_dict()


def test_other_losses_have_no_state_and_refuse_a_foreign_one():
    objective = build_objective("condi_sr")
    objective.after_step(objective(random_inputs()))
    assert objective.state_dict() == {}
    objective.load_state_dict({})
    with pytest.raises(ValueError, match="state of 'condi_sr' has keys"):
        objective.load_state_dict({"confidence_weight": 0.2})


def test_registry_tells_how_clips_are_ranked_and_who_needs_what():
    built = {name: build_objective(name) for name in LOSSES}
    trained = {"st_conf", "bce_conf", "bce_conf_all", "condi_sr", "naive"}
    assert all(built[name].has_confidence for name in trained)
    alone = ("classification", "scsampler_saliency", "st_conf")
    assert not any(built[name].needs_teacher for name in alone)
    assert built["condi_sr"].needs_teacher and built["st_ent"].needs_teacher
    assert built["bce_conf"].down_sample_majority and not built["condi_sr"].down_sample_majority
    assert built["st_ent"].score == "negative_entropy"
    assert built["scsampler_ranking"].score == "max_logit"


# --- down-sampling ---------------------------------------------------------------------------


@pytest.mark.parametrize("n_wrong", [1, 10, 50, 99])
def test_down_sampling_keeps_the_whole_minority_and_as_many_others(n_wrong):
    right = torch.ones(100, dtype=torch.bool)
    right[torch.randperm(100, generator=seeded())[:n_wrong]] = False
    kept = down_sample_majority(right, seeded(1))
    minority = torch.nonzero(right if n_wrong > 50 else ~right).squeeze(1)
    assert set(minority.tolist()) <= set(kept.tolist())
    assert kept.tolist() == sorted(set(kept.tolist()))  # ascending, none twice
    assert right[kept].sum() == (~right[kept]).sum() == min(n_wrong, 100 - n_wrong)
    assert torch.equal(kept, down_sample_majority(right, seeded(1)))


def test_down_sampling_chooses_evenly_among_the_majority():
    right = torch.tensor([1.0] * 10 + [0.0] * 5)
    rng = seeded()
    counts = sum(torch.bincount(down_sample_majority(right, rng), minlength=15) for _ in range(400))
    assert (counts[10:] == 400).all()
    assert (counts[:10] - 200).abs().max() < 50  # binomial: standard deviation 10


@pytest.mark.parametrize(("z", "word"), [(True, "right"), (False, "wrong")])
def test_down_sampling_refuses_a_teacher_of_one_kind(z, word):
    with pytest.raises(ValueError, match=f"{word} on all 4 clips.*bce_conf_all"):
        down_sample_majority(torch.full((4,), z), seeded())
