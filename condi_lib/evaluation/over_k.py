"""Video accuracy of every sampler at every number of clips, from a clip table.

All K of a sampler are one small product per video, ``weights [K, N] @ probs [N, C]``. Videos pass
in chunks that fit the processor's cache, one per thread: the softmax is taken once per chunk for
all samplers, and besides the results memory does not grow with the number of videos.
Shapes: V videos, N clips of the longest one, K numbers of clips, C classes, S seeds, D draws.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from condi_lib.clip_table import ClipTable, DenseView
from condi_lib.sampling import SAMPLERS, Sampler, average, dense_weights
from condi_lib.statistics import Interval, bootstrap_means

VIDEOS_AT_ONCE = 64  # random draws depend on it: it is a constant, not a setting


def video_correct(view: DenseView, weights: Tensor) -> NDArray[np.bool_]:
    """Return whether the teacher's averaged prediction is right, bool ``[V, K]``.

    If two classes share the highest probability, the first one counts as predicted.

    Args:
        view: Videos with ``teacher_logits [V, N, C]``.
        weights: Selection weights ``[V, K, N]``, see ``sampling``.
    """
    return _correct(_teacher_probs(view), weights, view)


def correct_by_draw(
    source: ClipTable | DenseView,
    samplers: Sequence[str | Sampler],
    k_clips: Sequence[int],
    seed: int = 0,
    random_draws: int = 10,
) -> dict[str, NDArray[np.bool_]]:
    """Return for each sampler whether each video is right at each K, in every draw.

    Args:
        source: A table or a dense view, with teacher logits and what the samplers look at.
        samplers: Names in ``SAMPLERS``, or samplers of your own. They are called by several
            threads at once, each with its own videos and generator.
        k_clips: Numbers of clips kept; a shorter video keeps all it has.
        seed: Seed of the random samplers. A draw depends on it, the draw's number and the videos,
            not on the other samplers, ``k_clips`` or ``random_draws``.
        random_draws: Draws D of each random sampler; the others have one.

    Returns:
        By the sampler's name, bool ``[D, V, K]``.

    Raises:
        ValueError: If a sampler is unknown, lacks what it looks at or breaks its promise about
            weights; if a K or ``random_draws`` is below 1; if there are no teacher logits.
    """
    chosen = [_sampler(sampler) for sampler in samplers]
    if not len(k_clips) or min(k_clips) < 1 or random_draws < 1:
        asked = f"k_clips {list(k_clips)}, random_draws {random_draws}"
        raise ValueError(f"need one or more K and draws, all of at least 1, got {asked}")
    n_draws = {sampler.name: random_draws if sampler.is_random else 1 for sampler in chosen}
    shape = (source.n_videos, len(k_clips))
    correct = {name: np.empty((draws, *shape), bool) for name, draws in n_draws.items()}
    part = source.dense if isinstance(source, ClipTable) else source.videos

    def evaluate(first: int) -> None:
        last = min(first + VIDEOS_AT_ONCE, source.n_videos)
        view = part(first, last)
        probs = _teacher_probs(view)
        for sampler in chosen:
            for draw in range(n_draws[sampler.name]):
                weights = _checked(sampler, view, k_clips, random_generator(seed, draw, first))
                correct[sampler.name][draw, first:last] = _correct(probs, weights, view)

    _in_threads(evaluate, range(0, source.n_videos, VIDEOS_AT_ONCE))
    return correct


def correct_over_k(
    source: ClipTable | DenseView,
    samplers: Sequence[str | Sampler],
    k_clips: Sequence[int],
    seed: int = 0,
    random_draws: int = 10,
) -> dict[str, NDArray[np.float32]]:
    """Return how often each video is right at each K, float32 ``[V, K]`` by sampler.

    Entries are 0 or 1, and for random samplers the share of the draws. The mean over videos is the
    video accuracy. Arguments and errors are those of ``correct_by_draw``.
    """
    by_draw = correct_by_draw(source, samplers, k_clips, seed, random_draws)
    return {name: correct.mean(axis=0, dtype=np.float32) for name, correct in by_draw.items()}


def accuracy_rows(
    correct: Mapping[str, ArrayLike],
    k_clips: Sequence[int],
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    mean: Callable[..., Interval] | None = None,
) -> pd.DataFrame:
    """Return tidy rows of video accuracies with their bootstrap intervals over videos.

    Args:
        correct: By sampler, ``[V, K]`` or, of several training seeds, ``[S, V, K]``.
        k_clips: The K numbers of clips.
        n_resamples: See ``statistics.bootstrap_mean``.
        seed: The same.
        level: The same.
        mean: What is called with ``[S, V]`` and these three; None: videos are simply averaged.

    Returns:
        One row per sampler and K, in order: ``sampler``, ``k_clips``, ``video_accuracy``, ``low``,
        ``high`` (fractions), ``n_videos``, ``n_seeds``.

    Raises:
        ValueError: If an array is not ``[V, K]`` or ``[S, V, K]`` with the K of ``k_clips``.
    """
    rows = []
    for name, values in correct.items():
        by_seed = _by_seed(values, k_clips, name)
        n_seeds, n_videos, _ = by_seed.shape
        if mean is None:
            found = bootstrap_means(by_seed.mean(axis=0), n_resamples, seed, level)
        else:
            found = [
                mean(column, n_resamples, seed, level) for column in np.moveaxis(by_seed, 2, 0)
            ]
        for k, at in zip(k_clips, found, strict=True):
            rows.append((name, k, at.value, at.low, at.high, n_videos, n_seeds))
    columns = ["sampler", "k_clips", "video_accuracy", "low", "high", "n_videos", "n_seeds"]
    return pd.DataFrame(rows, columns=columns)


def best_k(correct_val: ArrayLike, k_clips: Sequence[int]) -> int:
    """Return the number of clips of highest video accuracy; of equal ones the smallest.

    Args:
        correct_val: ``[V, K]`` or ``[S, V, K]`` on *validation* videos: a K chosen on the videos
            it is judged on flatters the method.
        k_clips: The K numbers of clips, in any order.

    Raises:
        ValueError: As ``accuracy_rows``.
    """
    accuracy = _by_seed(correct_val, k_clips, "correct_val").mean(axis=(0, 1))
    ties = np.isclose(accuracy, accuracy.max(), rtol=0, atol=1e-9)  # sums may round differently
    return int(np.asarray(k_clips)[ties].min())


def _in_threads(work: Callable[[int], None], items: Sequence[int]) -> None:
    """Do all the work, an item per thread, in as many threads as torch may use.

    Chunks are too small to be worth splitting inside an operation: with two threads per operation
    this took six times as much processor time on a busy machine.
    """
    n_threads = torch.get_num_threads()
    with ThreadPoolExecutor(n_threads, None, torch.set_num_threads, (1,)) as pool:
        try:
            list(pool.map(work, items))
        finally:  # the workers changed what threads started later would get, not this thread's
            torch.set_num_threads(n_threads)


def _teacher_probs(view: DenseView) -> Tensor:
    if view.teacher_logits is None:
        raise ValueError("the clip table has no teacher_logits; score the videos with the teacher")
    return view.teacher_logits.softmax(dim=-1)


def _correct(probs: Tensor, weights: Tensor, view: DenseView) -> NDArray[np.bool_]:
    right = _predicted(probs, weights) == view.label.numpy()[:, None]
    # The rounding of a product depends on the row's place in it, which can turn a tie between two
    # classes: rows that average all clips take one common answer, so all samplers meet dense.
    dense = dense_weights(view.mask)
    right_dense = _predicted(probs, dense) == view.label.numpy()[:, None]
    return np.where((weights.numpy() == dense.numpy()).all(axis=-1), right_dense, right)


def _predicted(probs: Tensor, weights: Tensor) -> NDArray[np.int64]:
    # numpy's argmax: the first of equal ones, and several times faster than torch's on short rows
    return average(probs, weights).numpy().argmax(axis=-1)


def _sampler(sampler: str | Sampler) -> Sampler:
    if isinstance(sampler, str):
        if sampler not in SAMPLERS:
            raise ValueError(f"unknown sampler {sampler!r}; choose from {list(SAMPLERS)}")
        return SAMPLERS[sampler]
    return sampler


def random_generator(seed: int, draw: int, first_video: int) -> torch.Generator:
    """Return the generator of one draw for the videos from ``first_video`` on."""
    words = np.random.SeedSequence([seed, draw, first_video]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0] >> 1))  # torch takes 63 bits


def _checked(
    sampler: Sampler, view: DenseView, k_clips: Sequence[int], generator: torch.Generator
) -> Tensor:
    """Return the sampler's weights, or say which of their rules it broke."""
    weights = sampler.weights(view, k_clips, generator)
    shape = (view.n_videos, len(k_clips), view.mask.shape[1])
    if weights.shape != shape:
        problem = f"weights {list(weights.shape)}, need [videos, K, clips] {list(shape)}"
        raise ValueError(f"sampler {sampler.name!r} returned {problem}")
    on_clips = weights @ view.mask.unsqueeze(2).to(weights.dtype)  # NaN, weight on padding: not 1
    if not bool(((on_clips - 1).abs() <= 1e-5).all()):
        problem = "weights that do not sum to 1 over the clips of each video; normalise them"
        raise ValueError(f"sampler {sampler.name!r} returned {problem}")
    return weights


def _by_seed(correct: ArrayLike, k_clips: Sequence[int], name: str) -> NDArray[np.float64]:
    values = np.asarray(correct, dtype=float)
    if values.ndim not in (2, 3) or values.shape[-1] != len(k_clips):
        wanted = f"[V, {len(k_clips)}] or [S, V, {len(k_clips)}]"
        raise ValueError(f"{name} must be {wanted}, one column per K, got {list(values.shape)}")
    return values if values.ndim == 3 else values[None]
