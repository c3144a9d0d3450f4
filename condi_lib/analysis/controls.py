"""Controls: what a data set gives away without anybody looking at a single pixel."""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from condi_lib.study.study import Study

FILE_FIELDS = ["n_frames", "width_px", "height_px"]


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
