"""Which networks classify a video of the reader's own, by which policy, and how far they are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from condi_lib.explore.setting import WAYS, Setting
from condi_lib.explore.sources import Choice
from condi_lib.sampling import DENSE, SAMPLERS, Divided, Policy, Selected
from condi_lib.selective import Prediction, SelectiveClassifier
from condi_lib.selective.decoding import Chooser, Event, Video, VideoSource
from condi_lib.study import Study
from condi_lib.study.ensure import is_done
from condi_lib.study.specs import run_folder
from condi_lib.study.study import RunStore
from condi_lib.training import WEIGHTS
from condi_lib.videos.clip_stream import ClipStream


@dataclass(frozen=True)
class Networks:
    """Files of weights of a teacher and a student, or why there are none.

    Attributes:
        teacher: File of weights; None: there are none.
        student: The same; None: nothing can be ranked by it.
        why_none: What to do to have some.
    """

    teacher: Path | None = None
    student: Path | None = None
    why_none: str = "no networks were given; set teacher_weights and student_weights"

    @cached_property
    def classifier(self) -> SelectiveClassifier:
        """Both networks, read when they are first needed.

        Raises:
            ValueError: If there are none, or as ``SelectiveClassifier.load``.
        """
        if self.teacher is None:
            raise ValueError(self.why_none)
        return SelectiveClassifier.load(self.teacher, self.student)


def networks_of_study(study: Study, choice: Choice) -> Networks:
    """Return a study's networks, or why there are none to be had without training."""
    if not isinstance(study.store, RunStore):
        return Networks(
            why_none=f"study {study.name} has tables but no networks; open one that you computed "
            "(`make study`), or set teacher_weights and student_weights"
        )
    teacher = study.spec.teacher_of(choice.seed, choice.fold)
    student = study.spec.student_of(choice.student, choice.seed, choice.fold)
    if not (is_done(teacher) and is_done(student)):
        return Networks(why_none=f"the networks of study {study.name} are not computed yet")
    return Networks(*(run_folder(spec) / WEIGHTS for spec in (teacher, student)))


def policy_of(setting: Setting) -> Policy:
    """Return what a setting means for a video that nobody has looked at yet.

    Raises:
        ValueError: If it asks for the label, or for what the teacher says of every clip.
    """
    if setting.way == "dense":
        return DENSE
    if setting.k_student:
        return Divided(setting.k_clips, setting.k_student)
    if (costs := SAMPLERS[setting.sampler].costs) in ("teacher", "label"):
        what = "the true class" if costs == "label" else "a full teacher pass, which is dense"
        raise ValueError(
            f"“{WAYS[setting.way]}” by this score needs {what}; choose another score or way"
        )
    return Selected(setting.sampler, setting.k_clips)


@dataclass(frozen=True)
class WatchedSource(VideoSource):
    """A source of clips that tells of each clip it decodes.

    Attributes:
        on_clip: Is given the number of clips decoded so far, in the decoder's thread.
    """

    on_clip: Callable[[int], None] = print

    def events(self, number: int, video: Video, choose: Chooser | None) -> Iterator[Event]:
        """See :meth:`VideoSource.events`."""
        n_clips = 0
        for event in super().events(number, video, choose):
            if event.clip is not None:
                n_clips += 1
                self.on_clip(n_clips)
            yield event


def count_clips(classifier: SelectiveClassifier, path: Path) -> int | None:
    """Return how many clips a file has; None if only decoding can tell.

    Raises:
        VideoError: If the file is no usable video; names it and the cause.
    """
    source = classifier.source
    with ClipStream(path, source.grid, source.size_px, source.resize) as stream:
        return stream.n_clips


def classify(
    classifier: SelectiveClassifier, path: Path, setting: Setting, on_clip: Callable[[int], None]
) -> Prediction:
    """Classify a file as a setting says.

    Args:
        classifier: With both networks.
        path: The file.
        setting: How clips are chosen.
        on_clip: Told of each decoded clip.

    Raises:
        VideoError: If the file cannot be used.
        ValueError: As :func:`policy_of`; if the setting needs a student and there is none.
    """
    watched = classifier.with_policy(policy_of(setting))
    source = classifier.source
    watched.source = WatchedSource(source.grid, source.size_px, source.resize, on_clip)
    return watched.predict(path)


def clips_of(prediction: Prediction) -> pd.DataFrame:
    """Return a prediction's clips as the filmstrip shows them: z̃ where nothing was ranked."""
    clips = prediction.clips
    return clips.assign(score=clips["score"].fillna(clips["confidence"]))


def looks_of(prediction: Prediction) -> str:
    """Say how many clips each network saw, and what damage kept from them."""
    told = f"teacher on {prediction.n_teacher} of {len(prediction.clips)} clips"
    told += f", student on {prediction.n_student}" if prediction.n_student else ""
    if prediction.damaged_frames:
        lost = int(prediction.clips["damaged"].sum())
        told += f"; {prediction.damaged_frames} damaged frames, {lost} clips left out"
    return told
