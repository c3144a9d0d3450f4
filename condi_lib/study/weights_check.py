"""Are these weights read as they should be? Look at what they say of a handful of videos.

A wrong class order, channel order or range is no error to a program: the network answers, and is
right as often as chance. So the videos are shown to it in the ways that are usually confused, and
where labels are known, the accuracy of each is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom
from torch import Tensor, nn

from condi_lib.models import ClassesDiffer, PretrainedWeights
from condi_lib.models.weights import alphabetical
from condi_lib.study.data_check import datasets_to_check
from condi_lib.study.datasets import read_catalog
from condi_lib.videos.catalog import Catalog, VideoRecord
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import VideoError, VideoReader, probe
from condi_lib.videos.preprocess import Preprocess

CHANCE_LEVEL = 0.01  # as many right answers as that are this unlikely for a network that guesses
CLEARLY_SURER = 0.1
CLIPS_AT_ONCE = 4
TOP = 5


@dataclass(frozen=True, eq=False)
class Trial:
    """What the network says if it is read in one way.

    Attributes:
        channels: Channel order that it was shown.
        classes: How its outputs were named.
        is_recognised: Whether that is how the weights were recognised.
        names: Class of each output; None where they have numbers only.
        probs: Mean over clips, ``[V, C]``.
        labels: Output that means each video's label, int64 ``[V]``; -1 where it is not known.
    """

    channels: str
    classes: str
    is_recognised: bool
    names: tuple[str, ...] | None
    probs: NDArray[np.float32]
    labels: NDArray[np.int64]

    @property
    def n_labelled(self) -> int:
        """Videos whose label is known."""
        return int((self.labels >= 0).sum())

    @property
    def confidence(self) -> float:
        """Mean over videos of the highest probability."""
        return float(self.probs.max(axis=1).mean())

    def hits(self, k: int = 1) -> int:
        """Labelled videos whose class is among the ``k`` most probable."""
        best = self.ranked()[:, :k]
        return int((best == self.labels[:, None]).any(axis=1).sum())

    def ranked(self) -> NDArray[np.int64]:
        """Outputs by falling probability, ``[V, C]``."""
        return np.argsort(-self.probs, axis=1, kind="stable")

    def is_chance(self) -> bool:
        """Whether a network that guesses would often have as many right answers."""
        chance = 1 / self.probs.shape[1]
        return bool(binom.sf(self.hits() - 1, self.n_labelled, chance) > CHANCE_LEVEL)


def labelled_videos(where: str, n_videos: int, seed: int = 0) -> Catalog:
    """Some videos of a data set with their labels, drawn at random; from the test split if any.

    Args:
        where: A params file, by name or path; or a folder per class, or a CSV of files and labels.
        n_videos: At most so many.
        seed: Of the draw. Files that are missing or damaged, of which Kinetics has many, are passed
            over.

    Raises:
        ValueError: If not one video can be used.
    """
    catalog = read_catalog(next(iter(datasets_to_check(where).values())))
    if "test" in catalog.split_names:
        catalog = catalog.split("test")
    draw = np.random.default_rng(seed).permutation(len(catalog)).tolist()
    usable = (index for index in draw if _is_usable(catalog.records[index].path))
    chosen = sorted(islice(usable, n_videos))
    if not chosen:
        raise ValueError(
            f"{catalog.root}: of {len(catalog)} videos not one can be used; see what `data check` "
            "says of them"
        )
    return replace(catalog, records=tuple(catalog.records[index] for index in chosen))


def _is_usable(path: Path) -> bool:
    try:
        probe(path)
    except VideoError:
        return False
    return True


def try_weights(
    weights: PretrainedWeights,
    paths: Sequence[Path],
    labelled: Catalog | None = None,
    preprocess: Preprocess | None = None,
    max_clips: int = 10,
) -> list[Trial]:
    """Show videos to a network in the ways in which weights are usually misread.

    Args:
        weights: The weights.
        paths: Videos without labels.
        labelled: Videos with labels.
        preprocess: Instead of the weights' own.
        max_clips: At most so many clips of a video, evenly spread.

    Returns:
        A trial for each channel order and order of the classes; that which was recognised first.

    Raises:
        ValueError: If it is not known how to show videos, or the data set has other classes.
        VideoError: If a video cannot be read.
    """
    pixels = preprocess or weights.preprocess
    if pixels is None:
        raise ValueError(
            f"{weights.path}: the preprocessing that it was trained with is not known "
            f"({weights.recipe.doubt}); give `--preprocess` or, where only that is open, "
            "`--channel-order`"
        )
    records = () if labelled is None else labelled.records
    orders = _class_orders(weights, None if labelled is None else labelled.classes)
    swapped = replace(pixels, channel_order={"rgb": "bgr", "bgr": "rgb"}[pixels.channel_order])
    model, ways = weights.build().eval(), (pixels, swapped)
    videos = [*paths, *(record.path for record in records)]
    probs = np.stack([_probabilities(model, ways, path, weights, max_clips) for path in videos], 1)
    labels = np.full(len(videos), -1)
    trials = []
    for way, shown in zip(ways, probs, strict=True):
        for order, names in orders.items():
            labels = _labels(records, labelled, names, len(paths))
            known = way is pixels and order == weights.class_order != "unknown"
            trials.append(Trial(way.channel_order, order, known, names, shown, labels))
    return trials


def _class_orders(
    weights: PretrainedWeights, wanted: Sequence[str] | None
) -> dict[str, tuple[str, ...] | None]:
    """Names of the outputs, as recognised and then as they may be otherwise."""
    if wanted is None:
        return {weights.class_order: weights.classes}
    orders: dict[str, tuple[str, ...]] = {}
    if weights.class_order == "unknown":
        if len(wanted) != weights.num_classes:
            raise ClassesDiffer(
                f"{weights.path}: has {weights.num_classes} classes, the data set {len(wanted)}"
            )
        orders = {"alphabetical?": tuple(alphabetical(wanted)), "the data set's?": tuple(wanted)}
    else:
        names = sorted(zip(weights.outputs_of(wanted), wanted, strict=True))
        orders = {weights.class_order: tuple(name for _, name in names)}
        orders |= {"alphabetical?": tuple(alphabetical(wanted)), "the data set's?": tuple(wanted)}
    first_of_each: dict[tuple[str, ...], str] = {}
    for order, names in orders.items():
        first_of_each.setdefault(names, order)
    return {order: names for names, order in first_of_each.items()}


def _labels(
    records: Sequence[VideoRecord],
    labelled: Catalog | None,
    names: tuple[str, ...] | None,
    n_unlabelled: int,
) -> NDArray[np.int64]:
    known = [names.index(labelled.classes[record.label]) for record in records]
    return np.array([-1] * n_unlabelled + known, np.int64)


@torch.inference_mode()
def _probabilities(
    model: nn.Module,
    ways: Sequence[Preprocess],
    path: Path,
    weights: PretrainedWeights,
    max_clips: int,
) -> NDArray[np.float32]:
    """The mean softmax of a video's clips in each way of showing them, ``[ways, C]``."""
    clips = _clips(path, weights, max_clips)
    sums = []
    for way in ways:
        logits = [model(way(part)) for part in clips.split(CLIPS_AT_ONCE)]
        sums.append(torch.cat(logits).softmax(dim=1).mean(dim=0))
    return torch.stack(sums).numpy()


def _clips(path: Path, weights: PretrainedWeights, max_clips: int) -> Tensor:
    """Evenly spread clips of a video as the weights were trained on, uint8 ``[N, T, H, W, 3]``."""
    recipe = weights.recipe
    grid = ClipGrid(recipe.clip_frames, recipe.stride)
    with VideoReader(path, size_px=recipe.size_px, resize=recipe.resize) as reader:
        n_frames = reader.info.n_frames
        n_clips = grid.n_clips(n_frames)
        chosen = np.linspace(0, n_clips - 1, min(n_clips, max_clips)).round().astype(int)
        wanted = [grid.frame_indices(n_frames, int(index)) for index in chosen]
        frames = torch.from_numpy(reader.read(np.concatenate(wanted).tolist()))
    return frames.view(len(chosen), -1, *frames.shape[1:])


def report(trials: Sequence[Trial], videos: Sequence[str]) -> list[str]:
    """What to print: each video's top-5, each trial's accuracy, and warnings where they are due.

    Args:
        trials: From :func:`try_weights`.
        videos: Names of the videos, in its order.
    """
    first = trials[0]
    lines = [_video_line(first, index, name) for index, name in enumerate(videos)]
    lines += ["", f"{'channels':<10}{'class order':<18}{'top-1':>9}{'top-5':>9}{'confidence':>12}"]
    lines += [_trial_line(trial) for trial in trials]
    return [*lines, *(f"\n{line}" for line in warnings_of(trials))]


def _video_line(trial: Trial, index: int, name: str) -> str:
    best = trial.ranked()[index, :TOP]
    told = ", ".join(f"{_name(trial, k)} {trial.probs[index, k]:.2f}" for k in best)
    label = trial.labels[index]
    truth = (
        "" if label < 0 else f" [{_name(trial, label)}: {'' if best[0] == label else 'not '}hit]"
    )
    return f"{name}{truth}: {told}"


def _name(trial: Trial, output: int) -> str:
    return f"class {output}" if trial.names is None else trial.names[output]


def _trial_line(trial: Trial) -> str:
    n = trial.n_labelled
    shares = [f"{trial.hits(k) / n:.1%}" if n else "-" for k in (1, TOP)]
    mark = "  as recognised" if trial.is_recognised else ""
    row = f"{trial.channels.upper():<10}{trial.classes:<18}{shares[0]:>9}{shares[1]:>9}"
    return f"{row}{trial.confidence:>12.2f}{mark}"


def warnings_of(trials: Sequence[Trial]) -> list[str]:
    """Accuracy like chance, and ways of reading that do clearly better than what was recognised.

    Clearly: by more right answers than the square root of the videos, twice what chance varies by;
    or, where no label is known, by .1 of the mean highest probability.
    """
    first, lines = trials[0], []
    if not first.n_labelled:
        best = max(trials, key=lambda trial: trial.confidence)
        if best.confidence - first.confidence > CLEARLY_SURER:
            lines += [
                f"WARNING: the network is surer of {_way(best)}: {best.confidence:.2f} against "
                f"{first.confidence:.2f}; without labels that is a hint, no proof"
            ]
        return lines
    if first.is_chance():
        lines += [
            f"WARNING: {first.hits()} of {first.n_labelled} right is what guessing gives (chance "
            f"{1 / first.probs.shape[1]:.2%}). Usual suspects: the order of the classes, the "
            "channel order, the range of pixels, clips of another length or frame rate"
        ]
    best = max(trials, key=lambda trial: trial.hits())  # of equal ones the earlier
    if best.hits() - first.hits() > first.n_labelled**0.5:
        lines += [
            f"WARNING: {_way(best)} does better than what was recognised: {best.hits()} against "
            f"{first.hits()} right of {first.n_labelled}"
        ]
    return lines


def _way(trial: Trial) -> str:
    return f"{trial.channels.upper()} with class order {trial.classes!r}"
