"""How good a network is after an epoch: loss parts, class accuracy, and what z̃ is worth."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from condi_lib.losses import LossInputs, Objective
from condi_lib.metrics import auroc


@torch.inference_mode()
def validate(
    model: nn.Module,
    batches: Iterable[tuple],
    loss_inputs: Callable[..., LossInputs],
    objective: Objective,
) -> dict[str, float]:
    """Measure ``model`` on batches of validation clips.

    Returns:
        Clip-level numbers, each with the prefix ``val_``: every part of the loss (mean over
        clips), ``clip_accuracy`` of the class head, and for a student with teacher logits
        ``auroc`` of z̃ against "the teacher is right", ``false_positive_rate`` (share of the
        teacher's wrong clips with z̃ > .5, thesis fig. 4.7), mean and standard deviation of z̃.
    """
    model.eval()
    sums: dict[str, float] = {}
    n_clips, hits, confidence, correct = 0, 0, [], []
    for rows, clips in batches:
        inputs = loss_inputs(model(clips), rows)
        n_clips += len(rows)
        for name, part in objective(inputs).items():
            sums[name] = sums.get(name, 0.0) + float(part) * len(rows)
        hits += int((inputs.class_logits.argmax(dim=1) == inputs.labels).sum())
        if inputs.confidence_logit is not None and inputs.teacher_logits is not None:
            confidence.append(inputs.confidence_logit.sigmoid().cpu())
            correct.append(inputs.teacher_correct.bool().cpu())
    row = {f"val_{name}": total / n_clips for name, total in sums.items()}
    row["val_clip_accuracy"] = hits / n_clips
    if objective.has_confidence and confidence:
        row |= _confidence_numbers(torch.cat(confidence), torch.cat(correct))
    return row


def _confidence_numbers(confidence: Tensor, correct: Tensor) -> dict[str, float]:
    both_kinds = bool(correct.any()) and not bool(correct.all())
    wrong = confidence[~correct]
    return {
        "val_auroc": auroc(confidence.numpy(), correct.numpy()) if both_kinds else float("nan"),
        "val_false_positive_rate": float((wrong > 0.5).float().mean()),
        "val_confidence_mean": float(confidence.mean()),
        "val_confidence_std": float(confidence.std(correction=0)),
    }
