"""What a policy would do and answer on the videos of a clip table, and which threshold to take.

Shapes: V videos, N clips of the longest one, C classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from condi_lib.clip_table import ClipTable, DenseView
from condi_lib.evaluation.over_k import VIDEOS_AT_ONCE, random_generator
from condi_lib.sampling import Adaptive, Policy, queue_length

POWERS = (1.0, 2.0, 4.0, 8.0)
NUMBERS_AT_ONCE = 4_000_000
SAME = 1e-9  # accuracies are means of 0 and 1, which may round differently


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a policy answers, video by video, and at what cost.

    Attributes:
        probs: Video-level probabilities, float64 ``[V, C]``.
        correct: Whether the most probable class is the label, bool ``[V]``.
        n_teacher: Clips on which the teacher ran, int64 ``[V]``.
        n_student: Clips on which the student ran, int64 ``[V]``: all where they are ranked by it,
            the teacher's where it only weighs them, none where the policy needs no student.
    """

    probs: NDArray[np.float64]
    correct: NDArray[np.bool_]
    n_teacher: NDArray[np.int64]
    n_student: NDArray[np.int64]


def decide(source: ClipTable | DenseView, policy: Policy, seed: int = 0) -> Decisions:
    """Return what a policy answers on every video of a table.

    The teacher's logits of a clip are used only where the policy has the teacher look at it, so
    this is what :class:`condi_lib.selective.SelectiveClassifier` answers on the same videos.

    Args:
        source: A table or a dense view with what the policy needs.
        policy: How videos are shared between teacher and student.
        seed: Of random policies; the draw depends on it and on the video's place in the table.

    Raises:
        ValueError: If a column is missing that the policy needs, or a video has no clips.
    """
    parts = []
    for first, view in _chunks(source, 1 if policy.is_random else _videos_at_once(source)):
        queue = policy.queue(view, random_generator(seed, 0, first))
        n_seen = _look(policy, view, queue)
        probs = policy.probabilities(view, queue, n_seen).double()
        skimmed = view.n_clips if policy.ranking is not None else n_seen
        n_student = skimmed * policy.needs_student
        parts.append((probs, probs.argmax(dim=1) == view.label, n_seen, n_student))
    return Decisions(*(torch.cat(column).numpy() for column in zip(*parts, strict=True)))


def _look(policy: Policy, view: DenseView, queue: Tensor) -> Tensor:
    """How many clips of each video the teacher sees until the policy is settled, ``[V]``."""
    length = queue_length(queue)
    if not policy.stops_early:
        return length
    n_seen = torch.zeros_like(length)
    while bool((open_ := (n_seen < length) & ~policy.is_settled(view, queue, n_seen)).any()):
        n_seen += open_
    return n_seen


def choose_adaptive(
    validation: ClipTable | DenseView,
    budget: float | None = None,
    target_accuracy: float | None = None,
    max_clips: int = 10,
    powers: Sequence[float] = POWERS,
    sampler: str = "confidence",
    n_thresholds: int = 200,
) -> Adaptive:
    """Choose threshold and power of adaptive inference on *validation* videos.

    Args:
        validation: Videos that the policy will not be judged on.
        budget: Either: the most teacher clips per video, on average, that may be spent; the most
            accurate setting within it is chosen, of equal ones the cheapest.
        target_accuracy: Or: the video accuracy to reach; the cheapest setting is chosen.
        max_clips: See :class:`Adaptive`.
        powers: The powers to choose from.
        sampler: See :class:`Adaptive`.
        n_thresholds: How many thresholds are tried for each power: quantiles of those at which
            any video would stop later.

    Raises:
        ValueError: If not exactly one aim is given, or no setting reaches it; says what can be
            reached.
    """
    if (budget is None) == (target_accuracy is None):
        raise ValueError("give either a budget of teacher clips per video or a target_accuracy")
    found = _candidates(validation, max_clips, powers, sampler, n_thresholds)
    if budget is not None:
        return _most_accurate(found, budget)
    good = [each for each in found if each[0] >= target_accuracy - SAME]
    if not good:
        best = max(each[0] for each in found)
        raise ValueError(
            f"no threshold reaches a video accuracy of {target_accuracy:.1%} on these videos; the "
            f"best is {best:.1%}"
        )
    return min(good, key=lambda each: (each[1], -each[0]))[2]


def choose_adaptive_within(
    validation: ClipTable | DenseView,
    budgets: Sequence[float],
    max_clips: int = 10,
    powers: Sequence[float] = POWERS,
    sampler: str = "confidence",
    n_thresholds: int = 200,
) -> list[Adaptive]:
    """Choose as :func:`choose_adaptive` for each of several budgets, in the time of one.

    Raises:
        ValueError: If a budget is negative.
    """
    found = _candidates(validation, max_clips, powers, sampler, n_thresholds)
    return [_most_accurate(found, budget) for budget in budgets]


def _candidates(
    validation: ClipTable | DenseView,
    max_clips: int,
    powers: Sequence[float],
    sampler: str,
    n_thresholds: int,
) -> list[tuple[float, float, Adaptive]]:
    """Accuracy, mean number of teacher clips and policy of every setting worth trying."""
    found: list[tuple[float, float, Adaptive]] = []
    for power in powers:
        policy = Adaptive(0.0, max_clips, power, sampler)
        found += _settings(policy, *_course(validation, policy), n_thresholds)
    return found


def _most_accurate(found: list[tuple[float, float, Adaptive]], budget: float) -> Adaptive:
    affordable = [each for each in found if each[1] <= budget + SAME]
    if not affordable:
        raise ValueError(f"budget must be at least 0 clips, got {budget}")
    return max(affordable, key=lambda each: (round(each[0], 9), -each[1]))[2]


def _videos_at_once(source: ClipTable | DenseView) -> int:
    """As many videos as have a few million logits: short ones are decided in few large steps."""
    view = source.dense(0, 1) if isinstance(source, ClipTable) else source
    if view.teacher_logits is None:
        return VIDEOS_AT_ONCE
    if isinstance(source, ClipTable):
        n_clips = int(source.clips["clip_index"].max()) + 1
    else:
        n_clips = view.mask.shape[1]
    numbers = n_clips * view.teacher_logits.shape[2]
    return max(VIDEOS_AT_ONCE, min(1024, NUMBERS_AT_ONCE // numbers))


def _chunks(source: ClipTable | DenseView, size: int) -> Iterator[tuple[int, DenseView]]:
    part = source.dense if isinstance(source, ClipTable) else source.videos
    for first in range(0, source.n_videos, size):
        yield first, part(first, min(first + size, source.n_videos))


def _course(
    source: ClipTable | DenseView, policy: Adaptive
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Certainty, and whether the answer is right, after 0, 1, … clips: two of ``[V, M + 1]``."""
    certainty, correct = [], []
    step = _videos_at_once(source)
    longest = max(int(view.n_clips.max()) for _, view in _chunks(source, step))
    looks = range(min(policy.max_clips, longest) + 1)
    for _, view in _chunks(source, step):
        queue = policy.queue(view, torch.Generator())
        states = [torch.minimum(queue_length(queue), torch.tensor(n)) for n in looks]
        certainty.append(torch.stack([policy.certainty(view, queue, n) for n in states], 1))
        answers = [policy.probabilities(view, queue, n).argmax(dim=1) for n in states]
        correct.append(torch.stack(answers, 1) == view.label.unsqueeze(1))
    return torch.cat(certainty).numpy(), torch.cat(correct).numpy()


def _settings(
    policy: Adaptive,
    certainty: NDArray[np.float64],
    correct: NDArray[np.bool_],
    n_thresholds: int,
) -> list[tuple[float, float, Adaptive]]:
    """Accuracy, mean number of teacher clips and policy at each threshold worth trying."""
    highest = np.maximum.accumulate(certainty, axis=1)
    levels = np.unique(highest[np.isfinite(highest)])
    if len(levels) > n_thresholds:
        levels = levels[np.linspace(0, len(levels) - 1, n_thresholds).round().astype(int)]
    settings = []
    for threshold in [0.0, *levels.tolist(), np.inf]:
        n_seen = (highest >= threshold).argmax(axis=1)
        accuracy = float(np.take_along_axis(correct, n_seen[:, None], axis=1).mean())
        settings.append((accuracy, float(n_seen.mean()), replace(policy, threshold=threshold)))
    return settings
