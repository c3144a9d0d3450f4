"""The losses that are compared, one function each, and the registry that names them.

Every loss takes one ``LossInputs`` and returns ``{"loss": total, part: value, ...}``. ``loss`` is
differentiable; the other parts are detached, *unweighted* means over the batch, ready for a
history file and comparable between runs with other weights.

A new loss is one function here and one line in ``LOSSES``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from condi_lib.losses.objective import LossEntry, LossInputs, Objective, Parts, check_value
from condi_lib.losses.terms import (
    confidence_bce,
    distillation_loss,
    modified_teacher,
    soft_label_loss,
)


def classification(inputs: LossInputs) -> Parts:
    """Cross-entropy with the labels: trains the teacher, and SCSampler's saliency."""
    cross_entropy = F.cross_entropy(inputs.class_logits, inputs.labels)
    return _named_parts(cross_entropy, classification=cross_entropy)


def st_ent(inputs: LossInputs, *, temperature: float = 0.9) -> Parts:
    """ST-Ent: soft labels alone, no confidence head; clips are ranked by low entropy."""
    teacher = inputs.require("teacher_logits")
    distillation = soft_label_loss(inputs.class_logits, teacher, temperature)
    return _named_parts(distillation, distillation=distillation)


def bce_conf(
    inputs: LossInputs, *, positive_weight: float = 1.0, negative_weight: float = 1.0
) -> Parts:
    """BCE-Conf: the student learns only whether the teacher is right; no gradient to its classes.

    The thesis down-samples the majority (``down_sample_majority``); weights are the alternative.
    """
    logit = inputs.require("confidence_logit")
    bce = confidence_bce(logit, inputs.teacher_correct, positive_weight, negative_weight)
    return _named_parts(bce, confidence=bce)


def condi_sr(
    inputs: LossInputs,
    *,
    temperature: float = 0.9,
    confidence_weight: float = 1.5,
    positive_weight: float = 1.5,
    negative_weight: float = 1.0,
    detach: bool = False,
    random_uniform: bool = False,
) -> Parts:
    """ConDi-SR: ``τ² KL(p̂ᵗ ‖ p̃ˢ) + λ BCE(z̃, z)`` (thesis Eq. 3.6, paper Eq. 6).

    Args:
        inputs: Needs teacher and confidence; with ``random_uniform`` also the generator.
        temperature: τ, for teacher and student alike.
        confidence_weight: λ.
        positive_weight: μ, on clips that the teacher gets right.
        negative_weight: The other reading of μ, on clips that it gets wrong.
        detach: Stop the gradient through z̃ inside p̂, so that only the BCE trains z̃.
        random_uniform: Draw U anew for every clip instead of the constant 1/C.
    """
    logit, teacher = inputs.require("confidence_logit"), inputs.require("teacher_logits")
    generator = inputs.require("generator") if random_uniform else None
    blend = logit.detach() if detach else logit
    target = modified_teacher(teacher, blend, inputs.teacher_correct, temperature, generator)
    distillation = distillation_loss(target, inputs.class_logits, temperature)
    bce = confidence_bce(logit, inputs.teacher_correct, positive_weight, negative_weight)
    total = distillation + confidence_weight * bce
    return _named_parts(total, distillation=distillation, confidence=bce)


def naive(
    inputs: LossInputs,
    *,
    beta: float = 0.9,
    temperature: float = 5.0,
    confidence_weight: float = 1.5,
    positive_weight: float = 1.5,
    negative_weight: float = 1.0,
) -> Parts:
    """The naive loss ``β CE + (1 - β) τ² KL(p̃ᵗ ‖ p̃ˢ) + λ BCE(z̃, z)`` (thesis Eq. 4.2)."""
    cross_entropy = F.cross_entropy(inputs.class_logits, inputs.labels)
    teacher = inputs.require("teacher_logits")
    distillation = soft_label_loss(inputs.class_logits, teacher, temperature)
    logit = inputs.require("confidence_logit")
    bce = confidence_bce(logit, inputs.teacher_correct, positive_weight, negative_weight)
    total = beta * cross_entropy + (1 - beta) * distillation + confidence_weight * bce
    return _named_parts(
        total, classification=cross_entropy, distillation=distillation, confidence=bce
    )


def st_conf(
    inputs: LossInputs, *, confidence_weight: float = 0.1, hint_probability: float = 0.5
) -> Parts:
    """ST-Conf: a student asks for hints at a price (DeVries & Taylor 2018, arXiv 1802.04865).

    A hinted clip is judged on ``p' = c p + (1 - c) onehot(y)``, any other on p:
    ``L = NLL(p', y) + λ mean(-log c)``, with c the student's own confidence. Their code clamps p
    and c to [1e-12, 1 - 1e-12]; log space needs no clamp and agrees wherever theirs does not act.

    Args:
        inputs: Needs the confidence and the generator, from which the hints are drawn.
        confidence_weight: λ; ``Objective`` moves it after every step to meet the budget.
        hint_probability: Share of clips that may take a hint.
    """
    logit, generator = inputs.require("confidence_logit"), inputs.require("generator")
    log_p = inputs.class_logits.log_softmax(dim=1)
    log_p_true = log_p.gather(1, inputs.labels[:, None]).squeeze(1)
    log_p_hinted = torch.logaddexp(F.logsigmoid(logit) + log_p_true, F.logsigmoid(-logit))
    draw = torch.rand(logit.shape, generator=generator, device=generator.device)
    hinted = (draw < hint_probability).to(logit.device)
    nll = -torch.where(hinted, log_p_hinted, log_p_true).mean()
    price = -F.logsigmoid(logit).mean()
    price_weight = price.new_tensor(confidence_weight)
    return _named_parts(
        nll + price_weight * price,
        classification=nll,
        confidence=price,
        confidence_weight=price_weight,
    )


def scsampler_ranking(inputs: LossInputs, *, margin: float = 0.0) -> Parts:
    """SCSampler's ranking loss (Korbar et al. 2019): order one video's clips as the teacher does.

    Over all pairs of clips of one video, the mean of ``max(0, margin - t (s_i - s_j))`` with s the
    student's and a the teacher's logit of the true class and ``t = sign(a_i - a_j)``. It is 0
    where the batch has no such pair.
    """
    video, label = inputs.require("video_index"), inputs.labels[:, None]
    student = inputs.class_logits.gather(1, label)  # [B, 1]
    teacher = inputs.require("teacher_logits").detach().gather(1, label)
    hinge = F.relu(margin - (teacher - teacher.T).sign() * (student - student.T))
    pairs = (video[:, None] == video[None, :]).triu(diagonal=1)  # i < j
    ranking = (hinge * pairs).sum() / pairs.sum().clamp(min=1)
    return _named_parts(ranking, ranking=ranking)


def _named_parts(total: Tensor, **parts: Tensor) -> Parts:
    return {"loss": total} | {name: part.detach() for name, part in parts.items()}


def down_sample_majority(teacher_correct: Tensor, generator: torch.Generator) -> Tensor:
    """Choose as many clips that the teacher gets right as it gets wrong (thesis 3.1.1, BCE-C).

    Args:
        teacher_correct: z of every clip, ``[n]``.
        generator: Decides, on the CPU, which clips of the majority stay; all of the minority do.

    Returns:
        Indices of the chosen clips, ascending, int64 ``[2 · size of the minority]``.

    Raises:
        ValueError: If the teacher is always right or always wrong.
    """
    right = teacher_correct.cpu().bool()
    kinds = [torch.nonzero(right).squeeze(1), torch.nonzero(~right).squeeze(1)]
    n_each = min(len(kind) for kind in kinds)
    if n_each == 0:
        always = "wrong" if len(kinds[0]) == 0 else "right"
        raise ValueError(
            f"the teacher is {always} on all {len(right)} clips: nothing to balance; "
            "use bce_conf_all, which trains on every clip"
        )
    chosen = [kind[torch.randperm(len(kind), generator=generator)[:n_each]] for kind in kinds]
    return torch.cat(chosen).sort().values


LOSSES: dict[str, LossEntry] = {
    "classification": LossEntry(classification, "negative_entropy", needs_teacher=False),
    "st_ent": LossEntry(st_ent, "negative_entropy"),
    "st_conf": LossEntry(st_conf, "confidence", needs_teacher=False, budget=0.3),
    "bce_conf": LossEntry(bce_conf, "confidence", down_sample_majority=True),
    "bce_conf_all": LossEntry(bce_conf, "confidence"),
    "scsampler_saliency": LossEntry(classification, "max_logit", needs_teacher=False),
    "condi_sr": LossEntry(condi_sr, "confidence"),
    "naive": LossEntry(naive, "confidence"),
    "scsampler_ranking": LossEntry(scsampler_ranking, "max_logit", clips_together=4),
}


def build_objective(name: str, **hyperparameters: float | bool) -> Objective:
    """Build the loss ``name``; what is not given keeps its default.

    Example: ``build_objective("condi_sr", temperature=1.0, detach=True)``.

    Raises:
        ValueError: If the loss or a hyperparameter is unknown (the message lists those there are)
            or a value is out of range.
    """
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}: choose one of {', '.join(LOSSES)}")
    defaults = LOSSES[name].defaults
    for key, value in hyperparameters.items():
        if key not in defaults:
            known = ", ".join(f"{k}={v}" for k, v in defaults.items()) or "none"
            raise ValueError(f"loss {name!r} has no hyperparameter {key!r}; it takes: {known}")
        check_value(name, key, value, switch=isinstance(defaults[key], bool))
    return Objective(name, LOSSES[name], defaults | hyperparameters)
