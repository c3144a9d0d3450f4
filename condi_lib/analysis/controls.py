"""Controls: what a data set gives away of its classes besides the action itself."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from condi_lib.evaluation import clip_mean
from condi_lib.study.study import Study
from condi_lib.videos.pantomime import CLASSES, PantomimeSpec, script

FILE_FIELDS = ["n_frames", "width_px", "height_px"]
KEYS = ["video_id", "clip_index"]
EMPTY, QUIET, AFTER_ACTION = "an empty scene", "no action, none before", "no action, one before"
HIDDEN, LOOK_ALIKE, LABELLED = "the action behind a board", "a look-alike", "the action"
CONTENTS = (EMPTY, QUIET, AFTER_ACTION, HIDDEN, LOOK_ALIKE, LABELLED)


def size_and_length_accuracy(study: Study, seed: int = 0) -> tuple[float, float]:
    """Classify test videos from frame count, width and height alone.

    A random forest of 200 trees, fitted on every video outside the test split. If it is far above
    chance, the files betray their classes: resize to a fixed size, cut fixed-length clips, and
    hold video accuracies against it.

    Args:
        study: Whose videos.
        seed: Of the forest.

    Returns:
        Video accuracy over the test videos of all folds, and chance: the share of the most
        frequent class among them.
    """
    hits, labels = size_and_length_hits(study, seed)
    counts = np.bincount(labels)
    return float(hits.mean()), float(counts.max() / counts.sum())


def size_and_length_hits(
    study: Study, seed: int = 0
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether that classifier is right, and the label, of each test video of all folds: ``[V]``."""
    hits, labels = [], []
    for fold in study.spec.fold_names:
        videos = study.videos(fold)
        test = (videos["split"] == "test").to_numpy()
        forest = RandomForestClassifier(200, random_state=seed)
        forest.fit(videos.loc[~test, FILE_FIELDS], videos.loc[~test, "label"])
        predicted = forest.predict(videos.loc[test, FILE_FIELDS])
        labels.append(videos.loc[test, "label"].to_numpy())
        hits.append(predicted == labels[-1])
    return np.concatenate(hits), np.concatenate(labels)


def clip_contents(spec: PantomimeSpec, split: str) -> pd.DataFrame:
    """What the clips of a split of the embedded benchmark show, as its script says.

    Poses flow from clip to clip, so a clip without an action begins with the end of one if there
    was one before it, be it behind a board.

    Returns:
        ``video_id``, ``clip_index`` and ``content``, one of :data:`CONTENTS`.
    """
    rows = []
    for index in range(spec.splits[split].n_videos):
        scene = script(spec, split, index)
        before = "empty"
        for number, clip in enumerate(scene.clips):
            acting = before == "hidden" or before in CLASSES
            without = EMPTY if clip.action == "empty" else AFTER_ACTION if acting else QUIET
            content = {"key": LABELLED, "confuser": LOOK_ALIKE}.get(clip.truth, without)
            rows.append((scene.file, number, HIDDEN if clip.action == "hidden" else content))
            before = clip.action
    return pd.DataFrame(rows, columns=[*KEYS, "content"])


def accuracy_by_content(
    study: Study, methods: Sequence[str] = ("teacher", "naive"), split: str = "test"
) -> pd.DataFrame:
    """Clip accuracy of networks on the clips that show this or that.

    Where there is no action, nor the rest of one, a network can only be at chance unless walls or
    actors betray the class. A student that was trained with the labels of untrimmed videos has had
    the chance to learn it if they do.

    Args:
        study: Of the embedded benchmark; its clips are the scenes of the script.
        methods: ``"teacher"`` and students that classify; those that the study lacks are left out.
        split: Whose clips.

    Returns:
        A row for each of :data:`CONTENTS` that there is: ``clips``, how many, and for each network
        its accuracy, an :class:`Interval` over videos of the mean over seeds.

    Raises:
        ValueError: If the study is not of the embedded benchmark or cuts it elsewhere.
    """
    pantomime = study.spec.dataset.pantomime
    if pantomime is None or study.spec.dataset.clip_frames != pantomime.clip_frames:
        raise ValueError(
            f"study {study.name}: what a clip shows is known of the embedded benchmark alone, cut "
            "into the clips that it is drawn in; set dataset.clip_frames to pantomime's"
        )
    methods = [name for name in methods if name in ("teacher", *study.students)]
    hits = pd.concat(_hits(study, methods, seed, split) for seed in study.seeds)
    mean_hits = hits.groupby(KEYS, as_index=False).mean().merge(clip_contents(pantomime, split))
    rows = {}
    for content in CONTENTS:
        if (of := mean_hits["content"] == content).any():
            rows[content] = {"clips": int(of.sum())} | {
                name: clip_mean(mean_hits[name], mean_hits["video_id"], of) for name in methods
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _hits(study: Study, methods: Sequence[str], seed: int, split: str) -> pd.DataFrame:
    """Whether each network is right on each clip; a column for each, beside the clip's keys."""
    fold = study.spec.fold_names[0]
    teacher = study.teacher_table(seed, split, fold)
    hits = teacher.clips[KEYS].copy()
    for name in methods:
        table = teacher if name == "teacher" else study.table(name, seed, split, fold, teacher)
        logits = table.teacher_logits if name == "teacher" else table.student_logits
        hits[name] = logits.argmax(dim=1).numpy() == table.clips["label"].to_numpy()
    return hits
