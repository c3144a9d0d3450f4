"""Means, trends, ranks and agreement across settings: closed forms and a second computation."""

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr

from condi_lib.evaluation import rank_methods, slope_weights, weighted_sum
from condi_lib.evaluation.across import concordance
from condi_lib.statistics import bootstrap_difference, bootstrap_mean

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def own_numbers(monkeypatch):
    """Each test draws its own, whichever ran before."""
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(0))


# A weighted sum of means over groups of different videos


def test_one_group_is_its_bootstrap_mean_in_value():
    values = RNG.uniform(size=(2, 40))
    found = weighted_sum([values], [1.0])
    assert found.value == pytest.approx(values.mean())
    plain = bootstrap_mean(values)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.01)


def test_the_interval_of_a_sum_of_independent_groups_has_the_textbook_width():
    groups = [RNG.normal(0, 1, 400), RNG.normal(0, 3, 100), RNG.normal(0, 2, 900)]
    weights = [1.0, -1.0, 0.5]
    found = weighted_sum(groups, weights, 8000)
    pairs = list(zip(groups, weights, strict=True))
    error = np.sqrt(sum(w**2 * g.var() / g.size for g, w in pairs))
    assert found.value == pytest.approx(sum(w * g.mean() for g, w in pairs))
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_groups_of_one_size_are_not_drawn_alike():
    values = RNG.normal(size=200)
    apart = weighted_sum([values, values], [1.0, -1.0])
    paired = bootstrap_difference(values, values)
    assert paired.low == paired.high == 0
    assert apart.value == 0 and apart.high - apart.low > 0.2  # 2 · 1.96 · sqrt(2 / 200) = .39


def test_weights_of_a_slope_give_the_least_squares_slope():
    x, y = np.log2([3, 6, 12, 24, 40]), RNG.normal(size=5)
    assert slope_weights(x) @ y == pytest.approx(np.polyfit(x, y, 1)[0])
    np.testing.assert_allclose(slope_weights([0, 1]), [-1, 1])
    with pytest.raises(ValueError, match="two different x"):
        slope_weights([2, 2])


@pytest.mark.parametrize("weights", [[], [1.0, 2.0]])
def test_each_group_has_one_weight(weights):
    with pytest.raises(ValueError, match="one weight per group"):
        weighted_sum([[0.0, 1.0]], weights)


# Ranks


def right(share, n_videos=100):
    """The first ``share`` of the videos are right."""
    return (np.arange(n_videos) < share * n_videos).astype(float)


def test_ranks_are_those_of_the_accuracies_and_ties_share_theirs():
    ranks = rank_methods(
        {
            "one": {"a": right(0.9), "b": right(0.5), "c": right(0.7)},
            "two": {"c": right(0.2), "b": right(0.2), "a": right(0.1)},
        }
    )
    assert ranks.by_setting.loc["one"].to_dict() == {"a": 1, "b": 3, "c": 2}
    assert ranks.by_setting.loc["two"].to_dict() == {"a": 3, "b": 1.5, "c": 1.5}
    assert {m: i.value for m, i in ranks.mean.items()} == {"a": 2, "b": 2.25, "c": 1.75}


def test_a_lead_beyond_doubt_has_no_interval_and_full_agreement():
    setting = {"a": np.ones(50), "b": np.zeros(50)}
    ranks = rank_methods({"one": setting, "two": setting})
    assert (ranks.mean["a"].low, ranks.mean["a"].high) == (1, 1)
    assert (ranks.agreement.low, ranks.agreement.value) == (1, 1)


def test_settings_that_share_videos_are_drawn_together():
    """Equal settings swap their ranks together: mean ranks are whole in every resample."""
    coins = {"a": RNG.integers(0, 2, 30), "b": RNG.integers(0, 2, 30)}
    shared = rank_methods({"one": coins, "two": coins})
    assert (shared.mean["a"].low, shared.mean["a"].high) == (1, 2)


def test_a_setting_with_fewer_videos_is_ranked_by_its_own():
    many = {"a": right(0.6), "b": right(0.5)}
    few = {"a": many["a"][50:70], "b": np.ones(20)}
    ranks = rank_methods({"one": many, "two": few})
    assert ranks.by_setting.to_numpy().tolist() == [[1, 2], [2, 1]]
    assert ranks.agreement.value == 0


def test_seeds_are_averaged_before_anything_is_ranked():
    two_seeds = {"a": np.stack([right(0.9), right(0.1)]), "b": right(0.6)}
    assert rank_methods({"one": two_seeds}).by_setting.loc["one", "b"] == 1


def test_a_single_setting_agrees_with_nobody():
    agreement = rank_methods({"one": {"a": right(0.3), "b": right(0.4)}}).agreement
    assert np.isnan([agreement.value, agreement.low, agreement.high]).all()


def test_settings_need_the_same_methods():
    with pytest.raises(ValueError, match="same methods in every setting"):
        rank_methods({"one": {"a": right(0.3)}, "two": {"b": right(0.3)}})
    with pytest.raises(ValueError, match="same methods"):
        rank_methods({})


# Kendall's W


def test_w_is_1_of_equal_orders_0_of_opposite_ones():
    assert concordance([[1, 2, 3], [1, 2, 3], [1, 2, 3]]) == 1
    assert concordance([[1, 2, 3], [3, 2, 1]]) == 0
    assert np.isnan(concordance([[2, 2, 2], [2, 2, 2]]))


def test_w_says_the_same_as_the_mean_rank_correlation_of_pairs():
    """Without ties the mean Spearman correlation of all pairs is (G W - 1) / (G - 1)."""
    ranks = np.stack([RNG.permutation(6) + 1 for _ in range(4)])
    pairs = [spearmanr(a, b).statistic for a, b in itertools.combinations(ranks, 2)]
    assert np.mean(pairs) == pytest.approx((4 * concordance(ranks) - 1) / 3)


def test_w_corrects_for_ties():
    """Siegel & Castellan's formula: W = 12 S / (G² (M³ - M) - G sum of (t³ - t))."""
    ranks = np.array([[1, 2.5, 2.5, 4], [1.5, 1.5, 3, 4], [2, 1, 3, 4]])
    sums = ranks.sum(axis=0)
    spread = ((sums - sums.mean()) ** 2).sum()
    expected = 12 * spread / (9 * (64 - 4) - 3 * (6 + 6 + 0))
    assert concordance(ranks) == pytest.approx(expected)
