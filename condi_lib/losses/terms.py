"""The terms that the losses are sums of: softened distillation and the confidence's BCE.

Everything is computed from logits in log space, so no value or gradient is NaN however certain
teacher and student are (``0 log 0`` is 0). Half precision is lifted to float32, float64 is kept.
The teacher never receives a gradient.

Shapes: B clips in the batch, C classes. z is 1 where the teacher is right, z̃ the confidence that
the student predicts, τ the temperature.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Lift half precision to float32, which log-sum-exp needs; leave float32 and float64 alone."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def softened_log_probs(logits: Tensor, temperature: float) -> Tensor:
    """Return ``log softmax(logits / τ)``, ``[B, C]`` (thesis Eq. 3.4).

    Raises:
        ValueError: If ``temperature`` is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    return (at_least_float32(logits) / temperature).log_softmax(dim=1)


def distillation_loss(target_log_probs: Tensor, class_logits: Tensor, temperature: float) -> Tensor:
    """Return ``τ² KL(target ‖ softmax(class_logits / τ))``, summed over classes, mean over clips.

    Thesis Eq. 3.8; its Eq. 3.7 divides by n as well, which contradicts it. As τ grows this tends
    to half the variance, over classes, of the difference between the two sets of logits.

    Args:
        target_log_probs: Log-probabilities of the distribution to imitate, ``[B, C]``.
        class_logits: The student's class scores, ``[B, C]``.
        temperature: Softens the student; the target is softened by whoever makes it.

    Returns:
        A scalar ≥ 0 (up to rounding), in nats.
    """
    student = softened_log_probs(class_logits, temperature)
    divergence = F.kl_div(student, target_log_probs, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


def soft_label_loss(class_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Return the plain distillation loss ``τ² KL(p̃ᵗ ‖ p̃ˢ)`` of logits ``[B, C]``, a scalar."""
    target = softened_log_probs(teacher_logits.detach(), temperature)
    return distillation_loss(target, class_logits, temperature)


def modified_teacher(
    teacher_logits: Tensor,
    confidence_logit: Tensor,
    teacher_correct: Tensor,
    temperature: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Blend the teacher with the uniform distribution where the student misjudges it.

    ``p̂ = w p̃ᵗ + (1 - w) U`` with ``w = z̃`` where the teacher is right and ``w = 1 - z̃`` where it
    is wrong (thesis Eq. 3.5): a student that knows whether to trust the teacher sees the teacher
    itself, one that is mistaken sees noise. U is the constant 1/C, the limit τ → ∞.

    Args:
        teacher_logits: The teacher's class scores, ``[B, C]``.
        confidence_logit: z̃ before the sigmoid, ``[B]``; the gradient flows through it.
        teacher_correct: z, 0 or 1, ``[B]``.
        temperature: τ, which softens the teacher.
        generator: If given, U is drawn from it at every call (each class uniform in (0, 1], then
            normalised to sum to 1): the other way to read the thesis' U([0, 1]^C).

    Returns:
        ``log p̂``, ``[B, C]``. Logs, because p̂ may underflow and ``log p̂`` is needed next.
    """
    teacher = softened_log_probs(teacher_logits.detach(), temperature)
    uniform = torch.full_like(teacher, -math.log(teacher.shape[1]))
    if generator is not None:
        draw = 1 - torch.rand(teacher.shape, generator=generator, device=generator.device)
        uniform = draw.to(teacher).log().log_softmax(dim=1)
    agreement = at_least_float32(confidence_logit) * (2 * teacher_correct - 1)  # w before sigmoid
    log_w, log_1_minus_w = F.logsigmoid(agreement), F.logsigmoid(-agreement)
    return torch.logaddexp(log_w[:, None] + teacher, log_1_minus_w[:, None] + uniform)


def confidence_bce(
    confidence_logit: Tensor,
    teacher_correct: Tensor,
    positive_weight: float = 1.0,
    negative_weight: float = 1.0,
) -> Tensor:
    """Return the mean of ``-(μ z log z̃ + ν (1 - z) log(1 - z̃))`` over the batch.

    The mean divides by B, not by the sum of the weights.

    Args:
        confidence_logit: z̃ before the sigmoid, ``[B]``.
        teacher_correct: z, 0 or 1, ``[B]``.
        positive_weight: μ, on the clips that the teacher gets right (as the thesis words it).
        negative_weight: ν, on those it gets wrong: what would lower the false-positive rate.
    """
    logit = at_least_float32(confidence_logit)
    z = teacher_correct.to(logit)
    weight = positive_weight * z + negative_weight * (1 - z)
    return F.binary_cross_entropy_with_logits(logit, z, weight=weight)
