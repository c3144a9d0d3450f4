"""Which videos each bootstrap resample holds: V of them, drawn with replacement.

Resamples come in chunks, so that memory does not grow with the number of videos; they depend on
the seed alone, never on the chunks.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NUMBERS_AT_ONCE = 4_000_000  # a chunk takes at most 32 MB


def chunks_of(n_resamples: int, n_videos: int) -> Iterator[slice]:
    """Yield which resamples to draw together.

    Raises:
        ValueError: If ``n_resamples`` is below 1.
    """
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
    step = max(1, NUMBERS_AT_ONCE // n_videos)
    for start in range(0, n_resamples, step):
        yield slice(start, min(start + step, n_resamples))


def draw_videos(
    n_videos: int, n_resamples: int, seed: int | list[int]
) -> Iterator[tuple[slice, NDArray[np.intp]]]:
    """Yield which resamples, and the videos drawn for each, ``[resamples, V]``; chunk by chunk."""
    rng = np.random.default_rng(seed)
    for chunk in chunks_of(n_resamples, n_videos):
        yield chunk, rng.integers(n_videos, size=(chunk.stop - chunk.start, n_videos))


def count_videos(
    n_videos: int, n_resamples: int, seed: int
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield what :func:`draw_videos` draws as the times each video is drawn, ``[resamples, V]``.

    A product with these counts sums any number of columns over every resample at once. Counts that
    are one chunk are kept: chapters ask for hundreds of intervals over the same videos.
    """
    if 0 < n_resamples * n_videos <= NUMBERS_AT_ONCE:
        yield slice(0, n_resamples), _all_counts(n_videos, n_resamples, seed)
        return
    for chunk, videos in draw_videos(n_videos, n_resamples, seed):
        yield chunk, _counted(videos)


@lru_cache(maxsize=2)
def _all_counts(n_videos: int, n_resamples: int, seed: int) -> NDArray[np.float64]:
    counts = np.concatenate([_counted(v) for _, v in draw_videos(n_videos, n_resamples, seed)])
    counts.setflags(write=False)
    return counts


def _counted(videos: NDArray[np.intp]) -> NDArray[np.float64]:
    n_resamples, n_videos = videos.shape
    places = videos + n_videos * np.arange(n_resamples)[:, None]
    counts = np.bincount(places.ravel(), minlength=videos.size)
    return counts.reshape(videos.shape).astype(float)
