"""How time grows with the length of a video, from the videos that were made for it.

Of each length a few files are timed, so an interval is hardly more than the range of these files.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from condi_lib.analysis.savings import lines_over_k, resamples
from condi_lib.analysis.stopwatch import MADE
from condi_lib.analysis.ways import Name
from condi_lib.statistics import Interval, percentile_interval


def by_length(times: pd.DataFrame, family: str, column: str = "ms") -> pd.DataFrame:
    """Time over K at each length, and up to which K skimming pays there.

    Args:
        times: Measured times.
        family: The method whose K are compared with dense.
        column: See :func:`condi_lib.analysis.savings.saved`.

    Returns:
        Indexed by ``n_clips``; the columns of :func:`condi_lib.analysis.savings.lines_over_k`.
    """
    made = times[times["videos"] == MADE]
    rows = {n: lines_over_k(part, family, column) for n, part in made.groupby("n_clips")}
    return pd.DataFrame.from_dict(rows, "index").rename_axis("n_clips")


def time_by_length(times: pd.DataFrame, name: Name, column: str = "ms") -> pd.DataFrame:
    """Milliseconds of a way at each length.

    Returns:
        One row per length: ``n_clips, value, low, high``.
    """
    found = _made(times, name, column).groupby("n_clips").agg(_mean)
    rows = [(n, each.value, each.low, each.high) for n, each in found.items()]
    return pd.DataFrame(rows, columns=["n_clips", "value", "low", "high"])


def saved_by_length(times: pd.DataFrame, name: Name, column: str = "ms") -> pd.DataFrame:
    """The share of a video's time that a way saves against dense on the same file.

    Returns:
        Indexed by ``n_clips``, the lengths at which the way was timed: ``saved``, and ``more``, the
        change from the next shorter length, of other files (both :class:`Interval`; of the
        shortest, None).
    """
    share = 1 - _made(times, name, column) / _made(times, ("dense", ""), column)
    files = {n: part.to_numpy() for n, part in share.dropna().groupby("n_clips")}
    rows, shorter = {}, None
    for n, longer in files.items():
        rows[n] = (_mean(longer), None if shorter is None else _difference(longer, shorter))
        shorter = longer
    return pd.DataFrame.from_dict(rows, "index", columns=["saved", "more"]).rename_axis("n_clips")


def growth(times: pd.DataFrame, name: Name, column: str = "ms") -> tuple[Interval, Interval]:
    """Milliseconds of any video, and of each of its clips: a line over made videos' lengths."""
    ms = _made(times, name, column)
    n_clips, ms = ms.index.get_level_values("n_clips").to_numpy(float), ms.to_numpy()
    every = np.full((1, len(ms)), 1 / len(ms))
    weights = np.vstack([every, resamples(len(ms)).T])
    x, y = weights @ n_clips, weights @ ms
    spread = weights @ n_clips**2 - x**2
    spread[spread < 1e-6] = np.nan  # files of one length: no line
    per_clip = (weights @ (n_clips * ms) - x * y) / spread
    return _interval(y - per_clip * x), _interval(per_clip)


def _made(times: pd.DataFrame, name: Name, column: str) -> pd.Series:
    """A way's times of made videos, by ``n_clips, seed, video``."""
    rows = times[(times["videos"] == MADE) & (times["family"] == name[0])]
    rows = rows[rows["setting"] == name[1]]
    return rows.set_index(["n_clips", "seed", "video"])[column]


def _interval(values: NDArray[np.float64]) -> Interval:
    """The first of some values, with the interval that the others give."""
    return percentile_interval(float(values[0]), values[1:])


def _mean(values: ArrayLike) -> Interval:
    values = np.asarray(values)
    return percentile_interval(float(values.mean()), values @ resamples(len(values)))


def _difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> Interval:
    """The difference of two means over files that have nothing to do with one another."""
    drawn = a @ resamples(len(a)) - b @ resamples(len(b), seed=1)
    return percentile_interval(float(a.mean() - b.mean()), drawn)
