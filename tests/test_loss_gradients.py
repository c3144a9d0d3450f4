"""What every loss keeps to: right gradients, and no NaN or lost digits at any certainty."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from cases import EXTREME_CONFIDENCE, EXTREME_LOGITS
from loss_inputs import random_inputs, seeded
from torch import Tensor

from condi_lib.losses import (
    LOSSES,
    LossInputs,
    build_objective,
    condi_sr,
)

CONDI_VARIANTS = [
    {},
    {"detach": True},
    {"random_uniform": True},
    {"temperature": 3.0, "positive_weight": 1.0, "negative_weight": 2.0},
]


@pytest.mark.parametrize("name", LOSSES)
def test_total_is_the_weighted_sum_of_the_parts(name):
    objective = build_objective(name)
    parts = objective(random_inputs())
    weights = {"confidence": objective.hyperparameters.get("confidence_weight", 1.0)}
    if name == "naive":
        weights |= {"classification": 0.9, "distillation": 0.1}
    named = set(parts) - {"loss", "confidence_weight"}
    total = sum(weights.get(part, 1.0) * parts[part] for part in named)
    torch.testing.assert_close(parts["loss"].detach(), total)
    assert all(part.ndim == 0 for part in parts.values())


@pytest.mark.parametrize("name", LOSSES)
def test_only_the_total_carries_a_gradient_and_none_reaches_the_teacher(name):
    inputs = random_inputs()
    for tensor in (inputs.class_logits, inputs.confidence_logit, inputs.teacher_logits):
        tensor.requires_grad_()
    parts = build_objective(name)(inputs)
    assert [part for part, value in parts.items() if value.requires_grad] == ["loss"]
    parts["loss"].backward()
    assert inputs.teacher_logits.grad is None
    # the confidence head is trained by those losses that have one
    assert (inputs.confidence_logit.grad is not None) is LOSSES[name].has_confidence


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_equal_numerical_derivatives(name):
    assert gradients_are_right(name, random_inputs(n=4, n_classes=3))


@pytest.mark.parametrize("variant", CONDI_VARIANTS)
@pytest.mark.parametrize("seed", range(2))
def test_gradients_of_condi_sr_equal_numerical_derivatives(variant, seed):
    assert gradients_are_right("condi_sr", random_inputs(seed, n=4, n_classes=3), **variant)


def gradients_are_right(name: str, inputs: LossInputs, **hyperparameters: float | bool) -> bool:
    """Compare with central differences; where z̃ is detached, only the class logits can be."""
    objective = build_objective(name, **hyperparameters)

    def loss(class_logits: Tensor, confidence_logit: Tensor) -> Tensor:
        return objective(
            replace(
                inputs,
                class_logits=class_logits,
                confidence_logit=confidence_logit,
                generator=seeded(),  # the same hints and noise at every call
            )
        )["loss"]

    class_logits = inputs.class_logits.clone().requires_grad_()
    moves_confidence = objective.has_confidence and not hyperparameters.get("detach")
    confidence_logit = inputs.confidence_logit.clone().requires_grad_(moves_confidence)
    return torch.autograd.gradcheck(loss, (class_logits, confidence_logit))


@pytest.mark.parametrize("detach", [False, True])
def test_gradient_to_the_confidence_has_its_closed_form(detach):
    """λ weight (z̃ - z) / B, and unless detached what p̂ adds: with w = sigmoid(±logit),

    ± τ² w (1 - w) sum_c (p̃ᵗ_c - 1/C) (log p̂_c - log p̃ˢ_c) / B.
    """
    inputs, tau, lam, mu = random_inputs(), 0.9, 1.5, 1.5
    logit = inputs.confidence_logit.clone().requires_grad_()
    condi_sr(replace(inputs, confidence_logit=logit), detach=detach)["loss"].backward()
    z, z_tilde = inputs.teacher_correct, inputs.confidence_logit.sigmoid()
    expected = lam * (mu * z + (1 - z)) * (z_tilde - z) / 6
    if not detach:
        w = torch.where(z == 1, z_tilde, 1 - z_tilde)
        p_t = (inputs.teacher_logits / tau).softmax(dim=1)
        log_p_hat = (w[:, None] * p_t + (1 - w[:, None]) / 5).log()
        log_p_s = (inputs.class_logits / tau).log_softmax(dim=1)
        pull = ((p_t - 1 / 5) * (log_p_hat - log_p_s)).sum(dim=1)
        expected += (2 * z - 1) * tau**2 * w * (1 - w) * pull / 6
    torch.testing.assert_close(logit.grad, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    "variant",
    [(name, {}) for name in LOSSES] + [("condi_sr", variant) for variant in CONDI_VARIANTS[1:]],
)
def test_no_certainty_makes_a_value_or_gradient_nan(variant, dtype):
    """Every extreme student x teacher x confidence x label, in one batch."""
    rows = list(
        itertools.product(
            EXTREME_LOGITS.values(), EXTREME_LOGITS.values(), EXTREME_CONFIDENCE, range(4)
        )
    )
    student, teacher, confidence, labels = zip(*rows, strict=True)
    student = torch.tensor(student, dtype=dtype, requires_grad=True)
    confidence = torch.tensor(confidence, dtype=dtype, requires_grad=True)
    inputs = LossInputs(
        student,
        confidence,
        torch.tensor(teacher, dtype=dtype),
        torch.tensor(labels),
        seeded(),
        torch.arange(len(rows)) // 50,
    )
    name, hyperparameters = variant
    parts = build_objective(name, **hyperparameters)(inputs)
    assert all(value.isfinite() for value in parts.values())
    gradients = torch.autograd.grad(parts["loss"], [student, confidence], allow_unused=True)
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


def test_certain_and_mistaken_clips_have_their_exact_loss():
    """Teacher and label say class 0 with z̃ = e^-50: p̂ is uniform but for e^-50."""
    student = torch.tensor([[1e4, 0.0]])
    inputs = LossInputs(
        student, torch.tensor([-50.0]), torch.tensor([[1e4, 0.0]]), torch.tensor([0])
    )
    parts = condi_sr(inputs, temperature=1.0, positive_weight=1.0)
    # KL([.5, .5] ‖ [1, e^-10000]) = 10000/2 - log 2; BCE = -log e^-50
    assert parts["distillation"].item() == pytest.approx(5000 - math.log(2), rel=1e-6)
    assert parts["confidence"].item() == pytest.approx(50)


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_is_computed_in_single(name):
    """In float16 sums of 100 classes and squares of τ would lose two digits or overflow."""
    half = random_inputs(n=8, n_classes=100)
    half = replace(
        half,
        class_logits=(20 * half.class_logits).half(),
        confidence_logit=half.confidence_logit.half(),
        teacher_logits=(20 * half.teacher_logits).half(),
    )
    single = replace(
        half,
        class_logits=half.class_logits.float(),
        confidence_logit=half.confidence_logit.float(),
        teacher_logits=half.teacher_logits.float(),
        generator=seeded(),
    )
    from_half = build_objective(name)(half)["loss"]
    assert from_half.dtype == torch.float32
    torch.testing.assert_close(from_half, build_objective(name)(single)["loss"])


@pytest.mark.parametrize("name", LOSSES)
def test_autocast_changes_nothing(name):
    inputs = random_inputs()
    inputs = replace(
        inputs,
        class_logits=inputs.class_logits.float(),
        confidence_logit=inputs.confidence_logit.float(),
        teacher_logits=inputs.teacher_logits.float(),
    )
    expected = build_objective(name)(replace(inputs, generator=seeded()))["loss"]
    with torch.autocast("cpu", torch.bfloat16):
        actual = build_objective(name)(replace(inputs, generator=seeded()))["loss"]
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "st_conf"])
def test_order_of_clips_and_of_classes_and_added_constants_do_not_matter(name):
    inputs = random_inputs()
    clips, classes = torch.randperm(6, generator=seeded(1)), torch.randperm(5, generator=seeded(2))
    moved = LossInputs(
        inputs.class_logits[clips][:, classes] + 3,
        inputs.confidence_logit[clips],
        inputs.teacher_logits[clips][:, classes] - 7,
        classes.argsort()[inputs.labels[clips]],
        inputs.generator,
        inputs.video_index[clips],
    )
    objective = build_objective(name)
    torch.testing.assert_close(objective(moved)["loss"], objective(inputs)["loss"])
