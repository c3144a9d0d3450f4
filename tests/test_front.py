"""The Pareto front: by hand, and against the definition applied to every pair."""

import numpy as np
import pytest

from condi_lib.evaluation import best_within, pareto_front


def front_by_pairs(cost, accuracy):
    def beaten(i):
        return any(
            cost[j] <= cost[i]
            and accuracy[j] >= accuracy[i]
            and (cost[j] < cost[i] or accuracy[j] > accuracy[i])
            for j in range(len(cost))
        )

    return [not beaten(i) for i in range(len(cost))]


def test_by_hand():
    """The third costs more than the second and says less; the last two are one point twice."""
    cost, accuracy = [1, 2, 3, 4, 4], [0.5, 0.7, 0.6, 0.8, 0.8]
    assert pareto_front(cost, accuracy).tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("n", [0, 1, 2, 7, 40])
def test_it_is_what_the_definition_says_of_every_pair(n):
    """Few different numbers, so that there are many ties."""
    rng = np.random.default_rng(n)
    for levels in (2, 5, 1000):
        cost, accuracy = rng.integers(levels, size=(2, n)) / levels
        assert pareto_front(cost, accuracy).tolist() == front_by_pairs(cost, accuracy)


def test_better_settings_never_join_by_making_another_worse():
    rng = np.random.default_rng(0)
    cost, accuracy = rng.random((2, 30))
    front = pareto_front(cost, accuracy)
    kept = pareto_front(cost[front], accuracy[front])
    assert kept.all()
    assert np.array_equal(pareto_front(3 * cost + 1, accuracy**2), front)  # order alone counts


def test_the_best_that_can_be_afforded():
    cost, accuracy = [5, 1, 2, 3], [0.9, 0.6, 0.7, 0.7]
    limits = [0.5, 1, 2, 3, 4.9, 5]
    assert [best_within(cost, accuracy, limit) for limit in limits] == [None, 1, 2, 2, 2, 0]


@pytest.mark.parametrize(
    ("cost", "accuracy", "message"),
    [
        ([1, 2], [0.5], r"\[n\] and \[n\], got \[2\] and \[1\]"),
        ([[1]], [[0.5]], r"got \[1, 1\]"),
        ([1, 2], [0.5, np.nan], "of setting 1 is NaN"),
        ([np.nan, 2], [0.5, 0.5], "of setting 0 is NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(cost, accuracy, message):
    with pytest.raises(ValueError, match=message):
        pareto_front(cost, accuracy)
    with pytest.raises(ValueError, match=message):
        best_within(cost, accuracy, 1)
