"""Curves, bars and labels: what they say and where they stand, never their pixels."""

import itertools

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from condi_lib import plotting
from condi_lib.evaluation import accuracy_rows
from condi_lib.plotting import METHODS, TRUTH_COLOURS, styles_of, text_colour
from condi_lib.plotting.line_labels import spread
from condi_lib.plotting.style import TRUTH_LINES
from condi_lib.statistics import Interval

# What a dichromat sees, linear RGB to linear RGB (Machado et al. 2009, severity 1).
DICHROMACY = {
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "nobody": np.eye(3),
}


pytestmark = pytest.mark.usefixtures("house_style")


@pytest.fixture
def ax():
    return plt.subplots()[1]


@pytest.fixture
def rows():
    """Four methods at K = 1, 2, 3, all meeting dense at 60 %, ± 10 points."""
    accuracy = {
        "condi_sr": [0.58, 0.7, 0.6],
        "random": [0.3, 0.5, 0.6],
        "st_ent": [0.57, 0.55, 0.6],
        "dense": [0.6, 0.6, 0.6],
    }
    return pd.DataFrame(
        [(m, k, a, a - 0.1, a + 0.1) for m, v in accuracy.items() for k, a in enumerate(v, 1)],
        columns=["sampler", "k_clips", "video_accuracy", "low", "high"],
    )


def named(ax):
    """The names written beside lines, without line breaks, once the figure is laid out."""
    ax.get_figure(root=True).draw_without_rendering()
    return {text.get_text().replace("\n", " "): text for text in ax.texts}


def line(ax, label):
    return next(each for each in ax.get_lines() if each.get_label() == label)


def boxes(texts):
    """Where texts stand once the figure is laid out, in pixels."""
    texts = list(texts)
    texts[0].get_figure(root=True).draw_without_rendering()
    return [plt.Text.get_window_extent(text) for text in texts]


def lab(colour, matrix):
    rgb = np.array(plt.matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(matrix) @ linear, 0, 1)
    srgb = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(srgb.astype(np.float32)[None, None], cv2.COLOR_RGB2LAB)[0, 0]


@pytest.mark.parametrize("eyes", DICHROMACY)
def test_students_colours_differ_to_colour_blind_eyes(eyes):
    students = ["condi_sr", "st_ent", "st_conf", "bce_conf", "naive", "dense"]
    seen = [lab(METHODS[name].colour, DICHROMACY[eyes]) for name in students]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 12
    truths = [lab(colour, DICHROMACY[eyes]) for colour in TRUTH_COLOURS.values()]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(truths, 2)) > 12


def test_in_grey_marker_or_line_tells_methods_and_truths_apart():
    assert len({(s.marker, s.linestyle) for s in METHODS.values()}) == len(METHODS)
    assert len(set(TRUTH_LINES.values())) == len(TRUTH_COLOURS)
    assert len({s.label for s in METHODS.values()}) == len(METHODS)


def test_unknown_methods_get_looks_of_their_own_that_do_not_depend_on_their_order():
    names = [f"condi_sr_mu{i}" for i in range(12)]
    styles = styles_of([*names, "condi_sr"])
    assert styles["condi_sr"] == METHODS["condi_sr"]
    assert len({(s.colour, s.marker) for s in styles.values()}) == 13
    assert styles_of(names[::-1]) == {name: styles[name] for name in names}
    assert styles["condi_sr_mu1"].label == "condi sr mu1"
    used = {(s.colour, s.marker) for s in METHODS.values()}
    assert used.isdisjoint((styles[name].colour, styles[name].marker) for name in names)


def test_more_unknown_methods_than_looks_still_get_one():
    assert len(styles_of([f"method {i}" for i in range(40)])) == 40


def test_text_is_darkened_until_legible_on_white():
    assert text_colour("#000000") == "#000000"
    assert text_colour("#767676") == "#767676"  # WCAG: the lightest grey with 4.54 to 1
    assert sum(plt.matplotlib.colors.to_rgb(text_colour("#777777"))) < 3 * 0x77 / 255


def test_accuracy_over_k_draws_the_rows_and_names_its_axes(ax, rows):
    assert plotting.accuracy_over_k(ax, rows) is ax
    assert ax.get_xlabel() == "clips given to the teacher, K"
    assert ax.get_ylabel() == "video accuracy (%)"
    assert ax.yaxis.get_major_formatter()(0.575) == "57.5"
    assert set(named(ax)) == {"ConDi-SR", "random", "ST-Ent", "dense (all clips)"}
    assert line(ax, "random").get_ydata().tolist() == [0.3, 0.5, 0.6]
    assert line(ax, "ConDi-SR").get_color() == METHODS["condi_sr"].colour
    assert ax.get_xticks().tolist() == [1, 2, 3]
    assert len(ax.collections) == 4  # one band each


def test_accuracy_over_k_accepts_what_evaluation_returns(ax):
    correct = {"random": [[0.0, 1.0], [0.5, 1.0]], "dense": [[1.0, 1.0], [1.0, 1.0]]}
    plotting.accuracy_over_k(ax, accuracy_rows(correct, [1, 2], n_resamples=10))
    assert line(ax, "random").get_ydata().tolist() == [0.25, 1.0]


def test_only_chosen_methods_and_intervals_are_drawn(ax, rows):
    plotting.accuracy_over_k(ax, rows, ["dense", "condi_sr"], interval_of=["condi_sr"])
    assert set(named(ax)) == {"ConDi-SR", "dense (all clips)"}
    (band,) = ax.collections
    low, high = band.get_datalim(ax.transData).intervaly
    assert (low, high) == pytest.approx((0.48, 0.8))


def test_bars_span_the_intervals(ax, rows):
    plotting.accuracy_over_k(ax, rows, ["random"], intervals="bar")
    spans = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(spans, [[0.2, 0.4], [0.4, 0.6], [0.5, 0.7]])


def test_a_chosen_k_is_ringed(ax, rows):
    plotting.accuracy_over_k(ax, rows, chosen_k={"condi_sr": 2})
    ring = line(ax, "_chosen K")
    assert (ring.get_xdata().tolist(), ring.get_ydata().tolist()) == ([2], [0.7])


def test_wrong_requests_are_refused(ax, rows):
    with pytest.raises(ValueError, match=r"no rows of \['naive'\]; there are \['condi_sr',"):
        plotting.accuracy_over_k(ax, rows, ["naive"])
    with pytest.raises(ValueError, match="'band' or 'bar', got 'box'"):
        plotting.accuracy_over_k(ax, rows, intervals="box")


def test_names_stand_where_curves_differ_and_never_overlap(ax, rows):
    plotting.accuracy_over_k(ax, rows)
    texts = named(ax)
    dense = texts.pop("dense (all clips)")
    first_k = ax.transData.transform((1, 0.5))[0]
    for a, b in itertools.combinations(boxes(texts.values()), 2):
        assert not a.overlaps(b)
    for box in boxes(texts.values()):
        assert ax.bbox.x0 <= box.x0 and box.x1 < first_k
    (box,) = boxes([dense])
    assert box.x0 > ax.transData.transform((3, 0.6))[0]
    height = {name: b.y0 for name, b in zip(texts, boxes(texts.values()), strict=True)}
    assert height["ConDi-SR"] > height["ST-Ent"] > height["random"]


def test_labelling_again_replaces_the_names(ax, rows):
    plotting.accuracy_over_k(ax, rows)
    before = [text.get_position() for text in named(ax).values()]
    plotting.label_lines(ax)
    after = [text.get_position() for text in named(ax).values()]
    np.testing.assert_allclose(after, before, atol=1)


def test_lines_with_private_labels_or_without_points_have_no_name(ax):
    ax.plot([1, 2], [1, 2], label="_aside")
    ax.plot([np.nan], [np.nan], label="nothing")
    assert len(named(plotting.label_lines(ax))) == 0


def test_the_name_of_a_line_that_leaves_the_axes_stays_beside_them(ax):
    ax.plot([1, 2], [0.1, 5], label="up")
    plotting.label_lines(ax, "right").set_ylim(0, 1)
    name = named(ax)["up"]
    assert name.xy == pytest.approx((2, 1))
    (box,) = boxes([name])
    assert 0 < ax.bbox.y0 < box.y0 < ax.bbox.y1


def test_names_are_of_what_is_drawn_when_the_figure_is_laid_out(ax, rows):
    plotting.accuracy_over_k(ax, rows)
    plotting.published_curve(ax, [1, 2], [0.6, 0.7], "published")
    assert set(named(ax)) == {"ConDi-SR", "random", "ST-Ent", "dense (all clips)", "published"}
    ax.plot([1, 3], [0.2, 0.2], label="later")
    assert "later" not in named(ax)
    assert "later" in named(plotting.label_lines(ax))


@pytest.mark.parametrize(
    ("wanted", "placed"),
    [
        ([0.2, 0.8], [0.2, 0.8]),  # there is room: nothing moves
        ([0.5, 0.5], [0.55, 0.45]),  # equal: half each, the first one on top
        ([0.5, 0.52, 0.9], [0.46, 0.56, 0.9]),
        ([0.0, 1.0], [0.05, 0.95]),  # the edges push
        ([0.0, 0.0, 0.0], [0.25, 0.15, 0.05]),
    ],
)
def test_spread_moves_as_little_as_possible(wanted, placed):
    got = spread(wanted, [0.1] * len(wanted), 0, 1)
    np.testing.assert_allclose(got, placed, atol=1e-12)


def test_spread_keeps_unequal_heights_apart():
    rng = np.random.default_rng(0)
    wanted, heights = rng.uniform(0, 1, 8), rng.uniform(0.02, 0.15, 8)
    placed = spread(wanted, heights, 0, 1)
    order = np.argsort(placed)
    assert np.array_equal(order, np.argsort(wanted))
    room = np.diff(placed[order]) - (heights[order][1:] + heights[order][:-1]) / 2
    assert room.min() > -1e-12


def test_published_curve_is_hollow_in_the_methods_colour_and_skips_the_unpublished(ax, rows):
    plotting.accuracy_over_k(ax, rows, ["condi_sr"])
    plotting.published_curve(ax, [1, 5, 7], [0.651, np.nan, 0.7125], "paper, table III")
    published = line(ax, "paper, table III")
    assert published.get_xdata().tolist() == [1, 7]
    assert published.get_color() == METHODS["condi_sr"].colour
    assert published.get_markerfacecolor() == "white"
    assert ax.get_xticks().tolist() == [1, 2, 3, 7]
    assert set(named(ax)) == {"ConDi-SR", "paper, table III"}


def test_published_dense_is_level_named_and_begins_with_the_curves(ax):
    plotting.published_curve(ax, [1, 5], [0.86, 0.91], "random", "random")
    plotting.published_dense(ax, 0.8908)
    dense = line(ax, METHODS["dense"].label)
    assert dense.get_xdata().tolist() == [1, 5] and dense.get_ydata().tolist() == [0.8908] * 2
    assert set(named(ax)) == {"random", METHODS["dense"].label}


def test_published_numbers_in_percent_are_refused(ax):
    with pytest.raises(ValueError, match=r"fractions, got 71\.25: divide by 100"):
        plotting.published_curve(ax, [7], [71.25], "paper")


def history(**columns):
    return pd.DataFrame({"epoch": [1, 2, 3], **columns})


def test_training_curves_name_parts_shares_and_rates():
    axes = plt.subplots(1, 3)[1]
    down = [3.0, 2.0, 1.0]
    table = history(
        train_loss=down, train_distillation=down, train_confidence=down, val_loss=down,
        val_clip_accuracy=[0.1, 0.2, 0.3], val_auroc=[0.5, 0.6, np.nan],
        val_confidence_mean=[0.5] * 3, val_confidence_std=[0.6] * 3,
        lr=[0.1, 0.1, 0.1], confidence_lr=[0.1, 0.01, 0.001],
    )  # fmt: skip
    assert plotting.training_curves(axes, table) is axes
    assert set(named(axes[0])) == {"total", "distillation", "confidence"}
    assert line(axes[0], "_val loss").get_ydata().tolist() == down
    assert set(named(axes[1])) == {
        "AUROC of z̃", "clip accuracy of the class head", "mean z̃ ± 1 std"
    }  # fmt: skip
    assert axes[1].collections[0].get_datalim(axes[1].transData).intervaly.tolist() == [0, 1]
    assert axes[1].get_ylabel() == "share or AUROC (%)"
    assert set(named(axes[2])) == {"backbone", "confidence head"}
    assert axes[2].get_yscale() == "log"
    assert {each.get_xlabel() for each in axes} == {"epoch"}


def test_what_a_history_lacks_is_left_out():
    axes = plt.subplots(1, 3)[1]
    table = history(train_loss=[1.0] * 3, train_distillation=[1.0] * 3, lr=[0.1] * 3,
                    confidence_lr=[np.nan] * 3)  # fmt: skip
    plotting.training_curves(axes, table)
    assert [set(named(each)) for each in axes] == [{"distillation"}, set(), {"backbone"}]


def test_one_rate_for_both_branches_is_drawn_once(ax):
    plotting.rate_curves(ax, history(lr=[0.1, 0.2, 0.1], confidence_lr=[0.1, 0.2, 0.1]))
    assert set(named(ax)) == {"both branches"}


def test_bars_begin_at_their_origin_and_show_number_and_interval(ax):
    intervals = {"condi_sr": Interval(0.72, 0.7, 0.75), "st_conf": Interval(0.45, 0.4, 0.5)}
    assert plotting.bars_with_intervals(ax, intervals, "AUROC", origin=0.5) is ax
    first, second = ax.patches
    assert (first.get_x(), first.get_width()) == pytest.approx((0.5, -0.05))  # drawn from below
    assert (second.get_x(), second.get_width()) == pytest.approx((0.5, 0.22))
    assert [t.get_text() for t in ax.get_yticklabels()] == ["ST-Conf", "ConDi-SR"]
    assert [t.get_text() for t in ax.texts] == ["45.0", "72.0"]
    assert ax.collections[1].get_segments()[0][:, 0].tolist() == [0.7, 0.75]
    assert ax.get_xlabel() == "AUROC (%)"


def test_bar_panels_name_methods_once():
    axes = plt.subplots(1, 2)[1]
    bar = {"naive": Interval(0.012, 0.01, 0.02)}
    plotting.bar_panels(axes, {"AURC": bar, "E-AURC": bar}, percent=False)
    assert [[t.get_text() for t in each.get_yticklabels()] for each in axes] == [
        ["naive loss"], [""]
    ]  # fmt: skip
    assert [each.get_xlabel() for each in axes] == ["AURC", "E-AURC"]
    assert axes[0].texts[0].get_text() == "0.012"


def test_each_truths_histogram_sums_to_one_however_rare_it_is(ax):
    values = [0.1, 0.1, 0.9, 0.9, 0.9, 0.4]
    truth = ["key", "key", "key", "key", "key", "generic"]
    plotting.histogram_by_truth(ax, values, truth, "confidence z̃", bins=[0, 0.5, 1])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["key clips", "generic clips"]  # there is no confuser
    tops = [patch.get_xy()[:, 1].max() for patch in ax.patches]
    assert tops == pytest.approx([0.6, 1.0])
    assert ax.patches[0].get_edgecolor() == plt.matplotlib.colors.to_rgba(TRUTH_COLOURS["key"])
    assert ax.get_ylabel() == "share of clips of that kind (%)"


def test_stacked_shares_lie_end_to_end_and_small_ones_have_no_number(ax):
    shares = pd.DataFrame({"right": [0.97, 0.2], "wrong": [0.03, 0.8]}, index=["key", "confuser"])
    plotting.stacked_shares(ax, shares, "share of clips")
    spans = [(patch.get_x(), patch.get_width()) for patch in ax.patches]
    np.testing.assert_allclose(spans, [(0, 0.97), (0, 0.2), (0.97, 0.03), (0.2, 0.8)])
    assert [t.get_text() for t in ax.texts] == ["97", "20", "80"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["key", "confuser"]
    assert ax.get_xlabel() == "share of clips (%)"


def test_risk_coverage_and_reliability_name_their_axes():
    left, right = plt.subplots(1, 2)[1]
    plotting.risk_coverage(left, {"condi_sr": ([0.5, 1], [0.1, 0.3])})
    assert line(left, "ConDi-SR").get_ydata().tolist() == [0.1, 0.3]
    assert left.get_ylabel() == "risk: share of them wrong (%)"
    bins = pd.DataFrame({"confidence": [0.2, 0.8], "accuracy": [0.3, 0.7], "share": [0.5, 0.5]})
    plotting.reliability(right, bins, "condi_sr")
    assert right.collections[0].get_offsets().tolist() == [[0.2, 0.3], [0.8, 0.7]]
    assert right.get_xlabel() == "confidence, ConDi-SR (%)"


def test_histogram_names_right_and_wrong_clips_where_the_truth_is_not_known():
    _, ax = plt.subplots()
    plotting.histogram_by_truth(ax, [0.1, 0.9, 0.8], ["wrong", "right", "right"], "score")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "right clips",
        "wrong clips",
    ]
    plt.close()
