"""Losses against arithmetic on paper, and in their limits."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from loss_inputs import LOG3, logits_of, one_clip, random_inputs, seeded
from torch import Tensor

from condi_lib.losses import (
    LossInputs,
    bce_conf,
    classification,
    condi_sr,
    confidence_bce,
    modified_teacher,
    naive,
    scsampler_ranking,
    soft_label_loss,
    st_conf,
    st_ent,
)

# --- the terms -------------------------------------------------------------------------------


def test_soft_label_loss_by_hand():
    """KL([.8, .2] ‖ [.5, .5]) = .8 log(.8/.5) + .2 log(.2/.5) = .192745."""
    by_hand = 0.8 * math.log(1.6) + 0.2 * math.log(0.4)
    assert by_hand == pytest.approx(0.192745, abs=1e-6)
    student, teacher = logits_of(0.5, 0.5), logits_of(0.8, 0.2)
    assert soft_label_loss(student, teacher, 1.0).item() == pytest.approx(by_hand)
    # at τ = 2, twice these logits are softened to the same probabilities, and τ² = 4
    assert soft_label_loss(2 * student, 2 * teacher, 2.0).item() == pytest.approx(4 * by_hand)


def test_soft_label_loss_is_cross_entropy_minus_entropy():
    """Thesis Eq. 3.8, spelt out on probabilities."""
    inputs, tau = random_inputs(), 0.9
    p_t = (inputs.teacher_logits / tau).softmax(dim=1)
    p_s = (inputs.class_logits / tau).softmax(dim=1)
    cross_entropy, entropy = -(p_t * p_s.log()).sum(dim=1), -(p_t * p_t.log()).sum(dim=1)
    expected = tau**2 * (cross_entropy - entropy).mean()
    actual = soft_label_loss(inputs.class_logits, inputs.teacher_logits, tau)
    torch.testing.assert_close(actual, expected)


def test_hot_distillation_tends_to_half_the_variance_of_the_logits_difference():
    inputs = random_inputs()
    difference = inputs.class_logits - inputs.teacher_logits
    limit = difference.var(dim=1, correction=0).mean() / 2
    actual = soft_label_loss(inputs.class_logits, inputs.teacher_logits, 1e4)
    torch.testing.assert_close(actual, limit, rtol=1e-3, atol=0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match="temperature must be > 0"):
        soft_label_loss(torch.zeros(1, 2), torch.zeros(1, 2), temperature)


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (1.0, [0.75 * 0.8 + 0.25 * 0.5, 0.75 * 0.2 + 0.25 * 0.5]),  # w = z̃ = 3/4
        (0.0, [0.25 * 0.8 + 0.75 * 0.5, 0.25 * 0.2 + 0.75 * 0.5]),  # w = 1 - z̃ = 1/4
    ],
)
def test_modified_teacher_by_hand(z, expected):
    logit, correct = torch.tensor([LOG3], dtype=torch.float64), torch.tensor([z])
    modified = modified_teacher(logits_of(0.8, 0.2), logit, correct, temperature=1.0)
    torch.testing.assert_close(modified.exp(), torch.tensor([expected], dtype=torch.float64))


@pytest.mark.parametrize("generator", [None, seeded()])
def test_modified_teacher_is_a_distribution(generator):
    inputs = random_inputs()
    modified = modified_teacher(
        inputs.teacher_logits, inputs.confidence_logit, inputs.teacher_correct, 0.9, generator
    )
    torch.testing.assert_close(modified.exp().sum(dim=1), torch.ones(6, dtype=torch.float64))


def test_random_uniform_is_drawn_anew_and_is_one_over_c_on_average():
    """z̃ = 0 and z = 1: nothing of the teacher is left."""
    teacher, logit = torch.randn(20_000, 4, generator=seeded()), torch.full((20_000,), -100.0)
    modified = modified_teacher(teacher, logit, torch.ones(20_000), 1.0, seeded()).exp()
    assert modified.std(dim=0).min() > 0.05
    torch.testing.assert_close(modified.mean(dim=0), torch.full((4,), 0.25), rtol=0, atol=0.005)


def test_confidence_bce_by_hand():
    """z̃ = 3/4 for both: μ · -log(3/4) for the right one, ν · -log(1/4) for the wrong one."""
    logit, z = torch.tensor([LOG3, LOG3], dtype=torch.float64), torch.tensor([1.0, 0.0])
    assert confidence_bce(logit, z).item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)
    weighted = confidence_bce(logit, z, positive_weight=1.5, negative_weight=3.0)
    by_hand = (1.5 * math.log(4 / 3) + 3 * math.log(4)) / 2
    assert weighted.item() == pytest.approx(by_hand)


# --- the losses ------------------------------------------------------------------------------


def test_classification_by_hand():
    inputs = one_clip(logits_of(0.5, 0.25, 0.25), logits_of(0.8, 0.1, 0.1), 0.0, label=1)
    assert classification(inputs)["loss"].item() == pytest.approx(math.log(4))


def test_st_ent_is_soft_labels_alone():
    inputs = random_inputs()
    expected = soft_label_loss(inputs.class_logits, inputs.teacher_logits, 0.9)
    parts = st_ent(inputs, temperature=0.9)
    torch.testing.assert_close(parts["loss"], expected)
    assert list(parts) == ["loss", "distillation"]


@pytest.mark.parametrize(
    ("label", "p_hat", "bce"),
    [
        (0, (0.725, 0.275), 1.5 * math.log(4 / 3)),  # right: w = 3/4, μ = 1.5
        (1, (0.575, 0.425), 1.0 * math.log(4)),  # wrong: w = 1/4
    ],
)
def test_condi_sr_by_hand(label, p_hat, bce):
    """Teacher [.8, .2], student [.5, .5], z̃ = 3/4, τ = 1, λ = 2."""
    inputs = one_clip(logits_of(0.5, 0.5), logits_of(0.8, 0.2), LOG3, label)
    parts = condi_sr(inputs, temperature=1.0, confidence_weight=2.0, positive_weight=1.5)
    kl = sum(p * math.log(p / 0.5) for p in p_hat)
    assert parts["distillation"].item() == pytest.approx(kl)
    assert parts["confidence"].item() == pytest.approx(bce)
    assert parts["loss"].item() == pytest.approx(kl + 2 * bce)


def test_condi_sr_is_the_mean_over_clips():
    inputs = random_inputs()
    rows = [LossInputs(*(x[i : i + 1] for x in tensors_of(inputs)), seeded()) for i in range(6)]
    mean = torch.stack([condi_sr(row)["loss"] for row in rows]).mean()
    torch.testing.assert_close(condi_sr(inputs)["loss"], mean)


def tensors_of(inputs: LossInputs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return inputs.class_logits, inputs.confidence_logit, inputs.teacher_logits, inputs.labels


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("agrees", [True, False])
def test_condi_sr_between_plain_distillation_and_uniform(agrees, detach):
    """z̃ = z gives plain distillation; z̃ = 1 - z gives KL to the uniform distribution."""
    inputs, tau = random_inputs(), 0.9
    sign = 2 * inputs.teacher_correct - 1
    inputs = replace(inputs, confidence_logit=100 * sign if agrees else -100 * sign)
    log_p_s = (inputs.class_logits / tau).log_softmax(dim=1)
    to_uniform = tau**2 * (-math.log(5) - log_p_s.mean(dim=1)).mean()
    plain = soft_label_loss(inputs.class_logits, inputs.teacher_logits, tau)
    parts = condi_sr(inputs, temperature=tau, detach=detach)
    torch.testing.assert_close(parts["distillation"], plain if agrees else to_uniform)
    assert parts["confidence"].item() == pytest.approx(0 if agrees else 100 * (1.5 + 1) / 2)


def test_each_reading_of_mu_weighs_its_own_clips():
    inputs = random_inputs()
    z, bce = inputs.teacher_correct, {}
    for mu, nu in [(1, 0), (0, 1), (1.5, 1), (1, 1.5)]:
        parts = condi_sr(inputs, positive_weight=mu, negative_weight=nu)
        bce[mu, nu] = parts["confidence"]
    alone = F.binary_cross_entropy_with_logits(inputs.confidence_logit, z, reduction="none")
    torch.testing.assert_close(bce[1, 0], (alone * z).sum() / 6)
    torch.testing.assert_close(bce[0, 1], (alone * (1 - z)).sum() / 6)
    torch.testing.assert_close(bce[1.5, 1], 1.5 * bce[1, 0] + bce[0, 1])
    torch.testing.assert_close(bce[1, 1.5], bce[1, 0] + 1.5 * bce[0, 1])


def test_naive_by_hand():
    """β CE + (1 - β) KL + λ BCE with τ = 1, β = .9, λ = 2, μ = 1."""
    inputs = one_clip(logits_of(0.5, 0.5), logits_of(0.8, 0.2), LOG3, label=0)
    parts = naive(inputs, beta=0.9, temperature=1.0, confidence_weight=2.0, positive_weight=1.0)
    kl = 0.8 * math.log(1.6) + 0.2 * math.log(0.4)
    by_hand = 0.9 * math.log(2) + 0.1 * kl + 2 * math.log(4 / 3)
    assert parts["loss"].item() == pytest.approx(by_hand)
    assert parts["classification"].item() == pytest.approx(math.log(2))
    assert parts["distillation"].item() == pytest.approx(kl)
    assert parts["confidence"].item() == pytest.approx(math.log(4 / 3))


def test_bce_conf_is_the_bce_alone():
    inputs = random_inputs()
    parts = bce_conf(inputs, negative_weight=4.0)
    expected = confidence_bce(inputs.confidence_logit, inputs.teacher_correct, 1.0, 4.0)
    torch.testing.assert_close(parts["loss"], expected)


@pytest.mark.parametrize(
    ("hint_probability", "p_true"),
    [(0.0, 0.25), (1.0, 0.75 * 0.25 + 0.25 * 1)],  # c = 3/4: p' = c p + (1 - c) onehot
)
def test_st_conf_by_hand(hint_probability, p_true):
    inputs = one_clip(logits_of(0.75, 0.25), logits_of(0.5, 0.5), LOG3, label=1)
    parts = st_conf(inputs, confidence_weight=0.1, hint_probability=hint_probability)
    assert parts["classification"].item() == pytest.approx(-math.log(p_true))
    assert parts["confidence"].item() == pytest.approx(math.log(4 / 3))
    assert parts["loss"].item() == pytest.approx(-math.log(p_true) + 0.1 * math.log(4 / 3))


def test_st_conf_equals_the_authors_formula_on_probabilities():
    """Their code works on clamped probabilities, with b = 1 for a hint."""
    inputs = random_inputs(n=64)
    b = (torch.rand(64, generator=seeded()) < 0.5).double()
    assert 20 < b.sum() < 44
    p = inputs.class_logits.softmax(dim=1).clamp(1e-12, 1 - 1e-12)
    c = inputs.confidence_logit.sigmoid().clamp(1e-12, 1 - 1e-12)
    c_hinted = (c * b + (1 - b))[:, None]
    p_hinted = c_hinted * p + (1 - c_hinted) * F.one_hot(inputs.labels, 5)
    expected = F.nll_loss(p_hinted.log(), inputs.labels) + 0.1 * -c.log().mean()
    torch.testing.assert_close(st_conf(replace(inputs, generator=seeded()))["loss"], expected)


def test_ranking_counts_pairs_of_clips_of_one_video():
    inputs = random_inputs(n=12)
    s = inputs.class_logits[range(12), inputs.labels]
    a = inputs.teacher_logits[range(12), inputs.labels]
    hinges = [
        max(0.0, 0.5 - math.copysign(1, a[i] - a[j]) * (s[i] - s[j]).item())
        for i, j in itertools.combinations(range(12), 2)
        if inputs.video_index[i] == inputs.video_index[j]
    ]
    assert len(hinges) == 2 * 15
    actual = scsampler_ranking(inputs, margin=0.5)["loss"].item()
    assert actual == pytest.approx(sum(hinges) / len(hinges))


def test_ranking_is_zero_for_the_teachers_own_order_and_without_pairs():
    inputs = random_inputs()
    same_order = replace(inputs, class_logits=3 * inputs.teacher_logits + 1)
    assert scsampler_ranking(same_order)["loss"].item() == 0
    student = inputs.class_logits.clone().requires_grad_()
    apart = replace(inputs, class_logits=student, video_index=torch.arange(6))
    loss = scsampler_ranking(apart, margin=1.0)["loss"]
    loss.backward()
    assert loss.item() == 0
    assert student.grad.abs().max() == 0
