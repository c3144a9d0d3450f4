"""Under which conditions a student was trained and judged, as its study's spec says.

A variant of the embedded benchmark may give splits knobs of their own: how many clips show the
labelled action, how strong the cue is, how long videos are, how many labels are wrong. Chapters
read them here, never from names. Names decide only two things: what ``test…`` reports is chosen on
``val…``, and students called ``cell_held_out_…`` are kept for testing what the others suggest.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from condi_lib.study.config import StudySpec
from condi_lib.study.specs import NetworkSpec

HELD_OUT = "cell_held_out_"


@dataclass(frozen=True, eq=False)  # hashable, though networks hold options in dictionaries
class Condition:
    """What a student learnt from and what it is judged on.

    Attributes:
        student: Its name in the study.
        method: Its loss.
        train: The splits it learnt from.
        val: The split that K is chosen on.
        test: The split that is reported.
        key_share: Of the videos of ``test``: share of clips that show the labelled action.
        confuser_share: Share that shows the look-alike.
        cue: Amplitude and tempo of the look-alike relative to the real action.
        n_clips: Of each video.
        label_noise: Share of the training videos that are listed under a wrong class.
        n_train_videos: How many training videos.
        network: Its network and how it is trained.
    """

    student: str
    method: str
    train: tuple[str, ...]
    val: str
    test: str
    key_share: float
    confuser_share: float
    cue: float
    n_clips: int
    label_noise: float
    n_train_videos: int
    network: NetworkSpec

    @property
    def knobs(self) -> tuple[float, float, float]:
        """``key_share, confuser_share, cue``."""
        return self.key_share, self.confuser_share, self.cue

    @property
    def n_doublings(self) -> float:
        """log2 of the number of clips: slopes over it are gains per doubling."""
        return math.log2(self.n_clips)

    @property
    def is_held_out(self) -> bool:
        """Whether it is kept for testing: by its name, as said in the params file."""
        return self.student.startswith(HELD_OUT)

    @property
    def mix(self) -> str:
        """What the videos hold, for readers: ``key 35 %, confusers 35 %``."""
        return f"key {_percent(self.key_share)}, confusers {_percent(self.confuser_share)}"

    def learns_like(self, other: "Condition") -> bool:
        """Whether both are trained alike, but for the kind of videos."""
        return _training(self) == _training(other)

    def difference(self, other: "Condition") -> str:
        """How its training differs from another one's, for readers; empty where it does not."""
        parts = []
        if self.label_noise != other.label_noise:
            parts.append(f"{_percent(self.label_noise)} wrong labels")
        if self.n_train_videos != other.n_train_videos:
            parts.append(f"{self.n_train_videos} of {other.n_train_videos} videos")
        own, others = self.network.options, other.network.options
        changed = [name for name in others | own if own.get(name) != others.get(name)]
        parts += [_option(name, own.get(name)) for name in changed]
        if not parts and not self.learns_like(other):
            parts = ["another loss, network or training"]
        return ", ".join(parts)


def val_of(test: str) -> str:
    """The split on which K is chosen for what another one reports: ``test_n3`` has ``val_n3``.

    Raises:
        ValueError: If the name does not begin with ``test``.
    """
    if not test.startswith("test"):
        raise ValueError(f"split {test!r}: a split to report on is called test…, its K is of val…")
    return f"val{test.removeprefix('test')}"


def conditions_of(spec: StudySpec) -> list[Condition]:
    """The conditions of each student and split it is judged on; none where nothing is known.

    Only of the embedded benchmark is it known what videos hold.

    Raises:
        ValueError: If K would be chosen on videos of another kind than those that are reported.
    """
    if spec.dataset.pantomime is None:
        return []
    return [
        condition_of(spec, student, split)
        for student in spec.losses
        for split in spec.splits_of(student)
        if split.startswith("test")
    ]


def condition_of(spec: StudySpec, student: str, test: str) -> Condition:
    """The condition of one student and one split; see :func:`conditions_of`."""
    pantomime, settings = spec.dataset.pantomime, spec.losses[student]
    network, val = settings.student or spec.student, val_of(test)
    if (missing := {val, test} - set(spec.splits_of(student))) or _kind(spec, val) != _kind(
        spec, test
    ):
        what = f"does not score {sorted(missing)}" if missing else "meets other videos there"
        raise ValueError(f"losses[{student!r}]: K for {test!r} is chosen on {val!r}, but it {what}")
    trained = [pantomime.splits[split] for split in network.train_splits]
    n_videos = sum(split.n_videos for split in trained)
    of = pantomime.of(test)
    return Condition(
        student=student,
        method=settings.loss_of(student),
        train=network.train_splits,
        val=val,
        test=test,
        key_share=of.key_share,
        confuser_share=of.confuser_share,
        cue=of.cue,
        n_clips=pantomime.splits[test].n_clips,
        label_noise=sum(s.label_noise * s.n_videos for s in trained) / n_videos,
        n_train_videos=n_videos,
        network=network,
    )


def cells(conditions: list[Condition]) -> list[Condition]:
    """One for each student trained like the first one, judged on videos of that one's length."""
    return [c for c in conditions if c.learns_like(conditions[0]) and _as_long(c, conditions[0])]


def lengths(conditions: list[Condition]) -> list[Condition]:
    """The first student on videos of every length, shortest first."""
    first = conditions[:1]
    of_first = [c for c in conditions if [c.student, c.knobs] == [first[0].student, first[0].knobs]]
    return sorted(of_first, key=lambda condition: condition.n_clips)


def students_trained_otherwise(conditions: list[Condition]) -> list[Condition]:
    """The first student and those trained otherwise than it, judged on the same videos."""
    others = [c for c in conditions if not c.learns_like(conditions[0])]
    return [*conditions[:1], *(c for c in others if c.test == conditions[0].test)]


def _training(condition: Condition) -> tuple[Any, ...]:
    """What counts when trainings are compared."""
    network = replace(condition.network, train_splits=(), val_split="")
    return condition.method, condition.label_noise, condition.n_train_videos, network


def _kind(spec: StudySpec, split: str) -> tuple[float | int | bool, ...]:
    of, videos = spec.dataset.pantomime.of(split), spec.dataset.pantomime.splits[split]
    return of.key_share, of.confuser_share, of.cue, videos.n_clips, videos.trimmed


def _as_long(condition: Condition, other: Condition) -> bool:
    return condition.n_clips == other.n_clips


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _option(name: str, value: Any) -> str:
    known = {"every": f"one frame in {value}", "pool": f"1/{value} of the resolution"}
    return f"without {name}" if value is None else known.get(name, f"{name} {value}")
