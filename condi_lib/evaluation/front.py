"""Which of many settings are worth their cost: the Pareto front of accuracy over cost."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(cost: ArrayLike, accuracy: ArrayLike) -> NDArray[np.bool_]:
    """Return which settings no other one beats, bool ``[n]``.

    A setting is beaten by one that costs no more and is no less accurate, and is better in one of
    the two. Equal settings do not beat each other.

    Args:
        cost: Of each setting, ``[n]``; lower is better. Every pair is compared: for hundreds.
        accuracy: ``[n]``; higher is better.

    Raises:
        ValueError: If shapes disagree or a number is NaN.
    """
    cost, accuracy = _checked(cost, accuracy)
    more_accurate, cheaper = np.less.outer(accuracy, accuracy), np.greater.outer(cost, cost)
    beaten = (more_accurate & ~cheaper.T) | (cheaper & ~more_accurate.T)
    return ~beaten.any(axis=1)


def best_within(cost: ArrayLike, accuracy: ArrayLike, limit: float) -> int | None:
    """Return the number of the most accurate setting that costs at most ``limit``.

    Of equally accurate ones it is the cheapest; None if all cost more. To choose a setting, give
    its accuracy on *validation* videos.

    Raises:
        ValueError: As :func:`pareto_front`.
    """
    cost, accuracy = _checked(cost, accuracy)
    order = np.lexsort((cost, -accuracy))
    affordable = order[cost[order] <= limit]
    return int(affordable[0]) if len(affordable) else None


def _checked(cost: ArrayLike, accuracy: ArrayLike) -> tuple[NDArray, NDArray]:
    cost, accuracy = np.asarray(cost, float), np.asarray(accuracy, float)
    if cost.ndim != 1 or cost.shape != accuracy.shape:
        shapes = f"{list(cost.shape)} and {list(accuracy.shape)}"
        raise ValueError(f"need one cost and one accuracy per setting, [n] and [n], got {shapes}")
    if np.isnan(cost).any() or np.isnan(accuracy).any():
        setting = int((np.isnan(cost) | np.isnan(accuracy)).argmax())
        raise ValueError(f"cost or accuracy of setting {setting} is NaN")
    return cost, accuracy
