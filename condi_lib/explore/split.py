"""What every setting of the explorer answers on the videos of a split, from a clip table alone.

All K of a sampler are computed at once and kept, so that moving K only looks numbers up. Answers
are those of ``evaluation.correct_over_k``, and of ``evaluation.decide`` where a policy does the
same. Shapes: V videos, N clips of the longest one, C classes, R clips in all.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from condi_lib.clip_table import ClipTable, DenseView
from condi_lib.evaluation import random_generator
from condi_lib.explore.setting import BEST, SCORES, WAYS, Setting
from condi_lib.sampling import SAMPLERS, RankedBy, average, division_weights, top_k_weights

NUMBERS_AT_ONCE = 1_000_000
MOST_DIVISIONS = 64  # settings with clips for the student whose answers are kept
LISTS = {
    "all": "all videos",
    "improved": "most improved over dense",
    "hurt": "most hurt against dense",
    "confidently_wrong": "confidently wrong",
}


@dataclass(frozen=True, eq=False)
class Answers:
    """What is said of each video; the last axis of a whole sweep is K = 1 … N.

    Attributes:
        predicted: The most probable class, of equal ones the first, ``[V]`` or ``[V, N]``.
        probability: Its probability.
        of_label: The probability of the true class.
        right: Whether they are the same class.
    """

    predicted: NDArray[np.int64]
    probability: NDArray[np.float32]
    of_label: NDArray[np.float32]
    right: NDArray[np.bool_]

    def at(self, k_clips: int) -> "Answers":
        """Return the answers of a sweep at one K, beyond the longest video those of dense."""
        column = min(k_clips, self.right.shape[1]) - 1
        return Answers(*(each[:, column] for each in vars(self).values()))


class SplitAnswers:
    """Answers of every setting on the videos of one table.

    Attributes:
        table: The clips; one split, or whatever is to be explored together.
        view: Its dense view.
        scores: Keys of ``SCORES`` that the table has columns for.
    """

    def __init__(self, table: ClipTable, seed: int = 0) -> None:
        """Take both networks' probabilities, which needs as much memory as the table again.

        Args:
            table: With ``teacher_logits``; student and confidence are optional.
            seed: Of the random sampler's one draw.

        Raises:
            ValueError: If the teacher's logits are missing.
        """
        if table.teacher_logits is None:
            raise ValueError(
                "the clip table has no teacher_logits: score the videos with a teacher"
            )
        self.table, self.view, self.seed = table, table.dense(), seed
        self._teacher = self.view.teacher_logits.softmax(dim=-1)
        student = self.view.student_logits
        self._student = None if student is None else student.softmax(dim=-1)
        has = {"confidence": self.view.confidence is not None, "student": student is not None}
        self.scores = [s for s in SCORES if has.get(s, has.get(s.partition("_")[0], True))]
        self._search = [name.lower() for name in self.view.video_id]
        self._scores: dict[str, Tensor] = {}
        self._sweeps: dict[str, Answers] = {}
        self._divisions: OrderedDict[Setting, Answers] = OrderedDict()

    @property
    def n_videos(self) -> int:
        """V."""
        return self.view.n_videos

    @property
    def longest(self) -> int:
        """N: clips of the longest video."""
        return self.view.mask.shape[1]

    @property
    def can_divide(self) -> bool:
        """Whether a student can share the clips: it needs class logits and z̃."""
        return self._student is not None and self.view.confidence is not None

    def prepare(self) -> None:
        """Compute the sweep of every sampler now, so that nothing waits for one later."""
        ways = [way for way in WAYS if way != BEST]
        for sampler in (*self.scores, *ways):
            self.sweep(sampler)

    def sweep(self, sampler: str) -> Answers:
        """Return what a sampler answers at every K, ``[V, N]`` each."""
        if sampler not in self._sweeps:
            k_clips = range(1, self.longest + 1)
            parts = []
            for first, view in self._chunks():
                weights = self._kept(sampler, k_clips, first, view)
                parts.append(
                    self._answers(first, average(_part(self._teacher, first, view), weights))
                )
            self._sweeps[sampler] = _joined(parts)
        return self._sweeps[sampler]

    def answers(self, setting: Setting) -> Answers:
        """Return what a setting answers on every video, ``[V]`` each."""
        if not setting.k_student:
            return self.sweep(setting.sampler).at(setting.k_clips)
        if setting not in self._divisions:
            parts = []
            for first, view in self._chunks():
                probs = self._shared(first, view, self._weights(setting, first, view))
                parts.append(self._answers(first, probs.unsqueeze(1)))
            self._divisions[setting] = _joined(parts).at(1)
            while len(self._divisions) > MOST_DIVISIONS:
                self._divisions.popitem(last=False)
        self._divisions.move_to_end(setting)
        return self._divisions[setting]

    def accuracy(self, setting: Setting) -> float:
        """Return a setting's video accuracy, a fraction."""
        return float(self.answers(setting).right.mean())

    def accuracy_over_k(self, sampler: str) -> NDArray[np.float64]:
        """Return a sampler's video accuracy at K = 1 … N, fractions ``[N]``."""
        return self.sweep(sampler).right.mean(axis=0)

    def probabilities(self, setting: Setting, video: int) -> NDArray[np.float32]:
        """Return what a setting says of one video, ``[C]``."""
        view = self.view.videos(video, video + 1)
        weights = self._weights(setting, video, view)
        return self._shared(video, view, weights)[0].numpy()

    def clips(self, setting: Setting, video: int) -> pd.DataFrame:
        """Return what is known of one video's clips: :meth:`described`, with their weights.

        ``teacher_weight`` and, of a student, ``student_weight`` sum to 1 over the video; they are
        0 where a clip is not looked at. Rows are numbered from 0.
        """
        first, last = self.table.first_rows[video : video + 2]
        found = self.described(range(first, last), setting.score).reset_index(drop=True)
        view = self.view.videos(video, video + 1)
        teacher, student = self._weights(setting, video, view)
        found["teacher_weight"] = teacher[0].numpy()
        if self._student is not None:
            found["student_weight"] = student[0].numpy()
        return found

    def described(self, rows: Sequence[int], score: str) -> pd.DataFrame:
        """Return what is known of some clips: one row each, by their row in the table.

        Columns as those of ``Prediction.clips``: ``clip_index, start_frame, teacher_class,
        teacher_prob``, of a student ``student_class, student_prob, confidence``; besides ``video``
        (its number), ``teacher_right``, ``score`` and ``truth`` where known.
        """
        clips = self.table.clips.iloc[list(rows)]
        video = np.searchsorted(self.table.first_rows, clips.index, side="right") - 1
        at = torch.from_numpy(video), torch.from_numpy(clips["clip_index"].to_numpy(copy=True))
        columns = [c for c in ("clip_index", "start_frame", "truth", "confidence") if c in clips]
        found = clips[columns].assign(video=video, score=self._score(score)[at].numpy())
        for name, probs in (("teacher", self._teacher), ("student", self._student)):
            if probs is not None:
                top = probs[at].max(dim=1)
                found[f"{name}_class"] = [self.table.classes[c] for c in top.indices.tolist()]
                found[f"{name}_prob"] = top.values.numpy()
        label = [self.table.classes[c] for c in clips["label"]]
        return found.assign(teacher_right=found["teacher_class"].to_numpy() == np.array(label))

    def videos(
        self, which: str, setting: Setting, label: int | None = None, search: str = ""
    ) -> NDArray[np.int64]:
        """Return the numbers of some videos.

        Args:
            which: A key of ``LISTS``: ``improved`` and ``hurt`` go by the probability of the true
                class beside dense, largest change first; ``confidently_wrong`` by the probability
                of the wrong answer; ``all`` in the order of the table.
            setting: Whose answers.
            label: Only videos of this true class.
            search: Only videos whose name holds each of these words.
        """
        answers = self.answers(setting)
        change = answers.of_label - self.sweep("dense").at(1).of_label
        chosen, rank = {
            "all": (np.ones(self.n_videos, bool), np.zeros(self.n_videos)),
            "improved": (change > 0, -change),
            "hurt": (change < 0, change),
            "confidently_wrong": (~answers.right, -answers.probability),
        }[which]
        if label is not None:
            chosen = chosen & (self.view.label.numpy() == label)
        if words := search.lower().split():
            chosen = chosen & [all(word in name for word in words) for name in self._search]
        found = np.flatnonzero(chosen)
        return found[np.argsort(rank[found], kind="stable")]

    def score_by_clip(self, score: str) -> NDArray[np.float32]:
        """Return a score of every clip of the table, ``[R]``."""
        return self._score(score)[self.view.mask].numpy()

    def teacher_right(self) -> NDArray[np.bool_]:
        """Return whether the teacher is right on each clip of the table, ``[R]``."""
        predicted = self.table.teacher_logits.numpy().argmax(axis=1)
        return predicted == self.table.clips["label"].to_numpy()

    def _chunks(self) -> Iterator[tuple[int, DenseView]]:
        step = max(64, min(1024, NUMBERS_AT_ONCE // (self.longest * len(self.table.classes))))
        for first in range(0, self.n_videos, step):
            yield first, self.view.videos(first, min(first + step, self.n_videos))

    def _score(self, sampler: str) -> Tensor:
        """What a sampler ranks clips by, ``[V, N]``; computed once."""
        if sampler not in self._scores:
            if SAMPLERS[sampler].is_random:
                self._scores[sampler] = self._drawn()
            else:
                self._scores[sampler] = SAMPLERS[sampler].weights.score(self.view)
        return self._scores[sampler]

    def _drawn(self) -> Tensor:
        """Random numbers ``[V, N]``: those with which ``decide`` draws the clips of each video."""
        drawn = torch.zeros(self.view.mask.shape, dtype=torch.float64)
        for video, n_clips in enumerate(self.view.n_clips.tolist()):
            generator = random_generator(self.seed, 0, video)
            drawn[video, :n_clips] = torch.rand(n_clips, generator=generator, dtype=torch.float64)
        return drawn

    def _kept(self, sampler: str, k_clips: Sequence[int], first: int, view: DenseView) -> Tensor:
        """Selection weights ``[v, K, n]`` for the videos of a view that begins at ``first``."""
        how = SAMPLERS[sampler]
        if how.is_random or isinstance(how.weights, RankedBy):
            return top_k_weights(_part(self._score(sampler), first, view), view.mask, k_clips)
        return how.weights(view, k_clips, torch.Generator())

    def _weights(self, setting: Setting, first: int, view: DenseView) -> tuple[Tensor, Tensor]:
        """The weights of the teacher's and of the student's clip predictions, ``[v, n]`` each."""
        if not setting.k_student:
            kept = self._kept(setting.sampler, [setting.k_clips], first, view)[:, 0]
            return kept, torch.zeros_like(kept)
        ranks = (self._score(name) for name in ("confidence", "student_negative_entropy"))
        confidence, certainty = (_part(rank, first, view) for rank in ranks)
        return division_weights(
            confidence, certainty, view.mask, setting.k_clips, setting.k_student
        )

    def _shared(self, first: int, view: DenseView, weights: tuple[Tensor, Tensor]) -> Tensor:
        """Probabilities ``[V, C]`` of the videos from ``first`` on."""
        both = [
            average(_part(probs, first, view), share.unsqueeze(1)).squeeze(1)
            for probs, share in zip((self._teacher, self._student), weights, strict=True)
            if probs is not None
        ]
        return torch.stack(both).sum(dim=0)

    def _answers(self, first: int, probs: Tensor) -> Answers:
        """From probabilities ``[v, K, C]`` of the videos from ``first`` on."""
        values = probs.numpy()
        label = self.view.label[first : first + len(values)].numpy()
        predicted = values.argmax(axis=2)
        probability = np.take_along_axis(values, predicted[..., None], axis=2)[..., 0]
        of_label = values[np.arange(len(values)), :, label]
        return Answers(predicted, probability, of_label, predicted == label[:, None])


def _part(probs: Tensor, first: int, view: DenseView) -> Tensor:
    return probs[first : first + view.n_videos, : view.mask.shape[1]]


def _joined(parts: list[Answers]) -> Answers:
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Answers(*(np.concatenate(column) for column in columns))
