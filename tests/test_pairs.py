"""Table III of a study with planted results, and what the paper's own says by the same rules."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_study import tiny

from condi_lib.analysis import Findings
from condi_lib.analysis.backbones import (
    accuracy_table,
    common_methods,
    contrasts,
    once_each,
    pairs_of,
    published_cells,
    published_gains,
    published_ranks,
    published_table,
    ranks_of,
    readable,
)
from condi_lib.analysis.findings import write_findings
from condi_lib.analysis.results import Sweep
from condi_lib.clip_table import ClipTable, write_clip_table
from condi_lib.plotting import accuracy_texts
from condi_lib.statistics import bootstrap_difference
from condi_lib.study import Study, read_study
from condi_lib.study.study import FolderStore

N_VIDEOS, N_CLIPS = 60, 4
SMALL = {"backbone": "r2plus1d_small", "options": {}}
VARIANTS = {
    "r_m": {"teacher": SMALL, "student": {"backbone": "mobilenetv2_3d_small", "options": {}}},
    "r_s": {"teacher": SMALL, "student": {"backbone": "shufflenetv2_3d_small", "options": {}}},
    "x_s": {
        "teacher": {"backbone": "resnext3d_small", "options": {}},
        "student": {"backbone": "shufflenetv2_3d_small", "options": {}},
    },
    "wider": {"teacher": {"options": {"width": 3}}},
    "as_long": {"student": {"training": {"epochs": 7}}},
}
# Share of videos that are right at K = 1, 2, 3; all meet dense at K = 4.
PLANTED = {
    "dense": (0.5, 0.5, 0.5),
    "oracle": (1.0, 0.9, 0.8),
    "random": (0.3, 0.4, 0.45),
    "equidistant": (0.3, 0.4, 0.45),
    "condi_sr": (0.7, 0.9, 0.6),
}


def planted(condi_sr=PLANTED["condi_sr"], dense=0.5):
    """The same videos are right first, whatever the method; with 20 videos a step is 5 points."""
    shares = PLANTED | {"condi_sr": condi_sr, "dense": (dense,) * 3}
    order = np.arange(N_VIDEOS) / N_VIDEOS
    correct = {
        method: (order[:, None] < np.array([*share, dense]))[None].astype(np.float32)
        for method, share in shares.items()
    }
    return Sweep(correct, list(range(1, N_CLIPS + 1)))


def findings(val=PLANTED["condi_sr"], **changes):
    metrics = pd.DataFrame(columns=["split", "seed", "method", "auroc"])
    sweeps = {"val": planted(val), "test": planted(**changes)}
    return Findings(sweeps, metrics, pd.DataFrame({"network": [], "seed": [], "fold": []}))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study kept in a folder: random tables of its own, planted findings of its variants."""
    folder = tmp_path_factory.mktemp("pairs")
    spec = read_study(tiny(variants={"backbones": VARIANTS}))
    rng = np.random.default_rng(0)
    clips = pd.DataFrame(
        [(f"{split}{video}", clip, 0, video % 3, split)
         for split, video, clip in itertools.product(("val", "test"), range(9), range(N_CLIPS))],
        columns=["video_id", "clip_index", "start_frame", "label", "split"],
    )  # fmt: skip
    for name, role in (("teacher", "teacher_logits"), ("condi_sr", "student_logits")):
        given = clips.assign(confidence=rng.uniform(size=len(clips)).astype(np.float32))
        given = given if name == "condi_sr" else clips
        logits = torch.from_numpy(rng.normal(size=(len(clips), 3)).astype(np.float32))
        table = ClipTable(given, ("a", "b", "c"), **{role: logits})
        write_clip_table(table, folder / f"{name}-seed0.parquet")
        pd.DataFrame({"epoch": [1]}).to_csv(folder / f"{name}-seed0.csv", index=False)
    found = {
        "r_m": findings(val=(0.9, 0.7, 0.6)),  # chooses K = 1, where test videos prefer K = 2
        "r_s": findings(condi_sr=(0.7, 0.6, 0.6)),
        "x_s": findings(condi_sr=(0.2, 0.3, 0.3)),
        "wider": findings(dense=0.4),
        "as_long": findings(condi_sr=(0.6, 0.6, 0.6)),
    }
    for name, each in found.items():
        write_findings(each, folder / "backbones" / name)
    return Study(spec, FolderStore(folder), "tiny")


@pytest.fixture(scope="module")
def pairs(study):
    return pairs_of(study)


def test_pairs_are_the_study_and_its_variants_under_readable_names(pairs):
    assert [pair.name for pair in pairs] == [
        "plain net × plain net",
        "R(2+1)D × MobileNetV2",
        "R(2+1)D × ShuffleNetV2",
        "ResNeXt × ShuffleNetV2",
        "plain net (wider) × plain net",
        "plain net × plain net (as long)",
    ]
    assert [pair.trial.name for pair in pairs] == [pair.name for pair in pairs]
    same = [pair.same_teacher for pair in pairs]
    assert same[1] == same[2] and same[0] != same[4] and same[2] != same[3]
    assert common_methods(pairs) == ["random", "equidistant", "dense", "condi_sr"]
    assert (readable("resnext3d_101"), readable("my.own:net")) == ("ResNeXt", "my.own:net")


def test_a_pair_trained_twice_counts_once_as_the_variant_trained_it(pairs):
    once = once_each(pairs)
    assert [pair.name for pair in once] == [pairs[5].name, *(pair.name for pair in pairs[1:5])]
    assert once_each(once) == once
    assert pairs[0].training.epochs != pairs[5].training.epochs == 7


def test_a_study_without_variants_is_one_pair(study):
    assert [pair.name for pair in pairs_of(study, "other")] == ["plain net × plain net"]


def test_the_table_has_the_papers_layout(pairs):
    table = accuracy_table(pairs[1:4], ["condi_sr"], [1, 3, 7])
    assert list(table.accuracy.index) == [
        ("oracle", "R(2+1)D", ""), ("oracle", "ResNeXt", ""),
        ("random", "R(2+1)D", ""), ("random", "ResNeXt", ""),
        ("equidistant", "R(2+1)D", ""), ("equidistant", "ResNeXt", ""),
        ("condi_sr", "R(2+1)D", "MobileNetV2"), ("condi_sr", "R(2+1)D", "ShuffleNetV2"),
        ("condi_sr", "ResNeXt", "ShuffleNetV2"),
    ]  # fmt: skip
    assert list(table.accuracy) == [1, 3, "dense", "chosen K"]  # no video has 7 clips
    row = table.accuracy.loc[("condi_sr", "R(2+1)D", "MobileNetV2")]
    assert row.to_list() == pytest.approx([0.7, 0.6, 0.5, 0.7])
    assert table.chosen[("condi_sr", "R(2+1)D", "MobileNetV2")] == 1
    assert table.accuracy.loc[("oracle", "ResNeXt", ""), 3] == pytest.approx(0.8)


def test_only_what_was_measured_highest_is_marked(pairs):
    marks = accuracy_table(pairs[1:4], ["condi_sr"], [1, 3]).marks
    of = {key: list(row) for key, row in zip(marks.index, marks.to_numpy(), strict=True)}
    assert of["oracle", "R(2+1)D", ""] == ["", "", "", ""]  # it reads the label
    assert of["condi_sr", "R(2+1)D", "MobileNetV2"] == ["best", "best", "", "best"]
    # Where K is chosen they differ by no video more than at K = 1; in column 1 and 3 they tie.
    assert of["condi_sr", "R(2+1)D", "ShuffleNetV2"][:2] == ["best", "best"]
    assert of["random", "ResNeXt", ""] == ["best", "best", "", "best"]
    assert of["condi_sr", "ResNeXt", "ShuffleNetV2"] == ["", "", "", ""]


def test_a_tie_is_what_the_paired_interval_says(pairs):
    """One video in sixty is no difference, six are."""
    one = pairs[1].trial.test.correct
    close = dict(one)
    close["random"] = one["condi_sr"].copy()
    close["random"][0, :1] = 0  # wrong on one video that the student gets right
    object.__setattr__(pairs[1].trial, "test", Sweep(close, pairs[1].trial.test.k_clips))
    marks = accuracy_table(pairs[1:2], ["condi_sr"], [1]).marks
    assert marks.loc[("random", "R(2+1)D", ""), 1] == "tied"
    assert marks.loc[("equidistant", "R(2+1)D", ""), 1] == ""
    gap = bootstrap_difference(close["condi_sr"][:, :, 0], close["random"][:, :, 0])
    assert not gap.excludes() and gap.value == pytest.approx(1 / N_VIDEOS)
    object.__setattr__(pairs[1].trial, "test", Sweep(one, pairs[1].trial.test.k_clips))


def test_ranks_at_one_k_and_at_the_chosen_one(pairs):
    methods = ["dense", "random", "condi_sr"]
    at_one = ranks_of(pairs[1:4], methods, 1).by_setting
    assert at_one.loc["R(2+1)D × MobileNetV2"].to_list() == [2, 3, 1]
    assert at_one.loc["ResNeXt × ShuffleNetV2"].to_list() == [1, 2, 3]
    ranks = ranks_of(pairs[1:3], methods)
    assert ranks.mean["condi_sr"].value == 1 and ranks.agreement.value == 1


def test_pairs_that_share_a_network_are_compared_video_by_video(pairs):
    found = contrasts(pairs[1:4], "condi_sr").set_index("shared")
    assert list(found.index) == ["R(2+1)D", "ShuffleNetV2"]
    row = found.loc["ShuffleNetV2"]
    assert (row["more"], row["less"]) == ("ResNeXt", "R(2+1)D")
    assert row["difference"].value == pytest.approx(0.3 - 0.6)  # at the chosen K = 2
    assert contrasts(pairs[:1], "condi_sr").empty


# The paper's


def test_the_published_table_is_marked_by_the_same_rule():
    table = published_table()
    assert table.accuracy.loc[("condi_sr", "resnext101", "shufflenetv2"), "kinetics_k5"] == 0.708
    best = table.marks == "best"
    assert not best.loc["oracle"].to_numpy().any()
    assert not best.filter(like="dense").to_numpy().any()
    assert best.loc[("st_conf", "r2plus1d34", "mobilenetv2"), "ucf101_k1"]
    compared = [c for c in best if not c.endswith("dense")]
    assert best[compared].groupby(level="teacher").sum().to_numpy().min() >= 1


def test_published_cells_ranks_and_gains():
    cells = dict(published_cells())
    assert len(cells) == 12
    kinetics = cells["Kinetics: ResNeXt-101 × ShuffleNetV2"]
    assert list(kinetics) == [1, 5, 7, 12, "dense"]
    assert kinetics.loc["random", 1] == 0.521
    gains = published_gains()
    assert gains["Kinetics: ResNeXt-101 × ShuffleNetV2"] == pytest.approx(0.7125 - 0.683)
    assert len(gains) == 12 and (gains > 0).all()
    ranks = published_ranks(first_column=True)
    row = ranks.by_setting.loc["UCF-101: ResNeXt-101 × ShuffleNetV2"]
    assert row["condi_sr"] == 1 and row["bce_conf"] == 6  # 85.6, the least of the row
    assert ranks.by_setting.sum(axis=1).eq(21).all()
    assert 0 < published_ranks().agreement.value < ranks.agreement.value < 1


# On the page


def test_text_and_page_mark_the_same_cells(pairs):
    table = accuracy_table(pairs[1:4], ["condi_sr"], [1, 3])
    shown = accuracy_texts(table, "ours <in %>")
    page, text = shown._repr_html_(), repr(shown)
    n_best = int((table.marks == "best").to_numpy().sum())
    assert page.count("<b>") == n_best + 1  # and one in the legend
    body = text.partition("\n")[2]
    assert body.count("*") == n_best
    assert "70.0*" in body and "<b>70.0</b>" in page and "70.0 at 1*" in body
    assert "ours &lt;in %&gt;" in page and text.startswith("ours <in %>")
    assert list(shown.texts) == ["K=1", "K=3", "dense", "chosen K"]
    assert shown.texts.index[-1] == ("ConDi-SR", "ResNeXt", "ShuffleNetV2")


def test_the_published_table_keeps_its_digits_and_its_gaps():
    shown = accuracy_texts(published_table(), "paper", digits=2)
    assert shown.texts.loc[("random", "resnext101", ""), "kinetics_k12"] == "66.02"
    assert shown.texts.loc[("scsampler", "r2plus1d34", "resnet18"), "ssv2_k1"] == ""
    assert "~" not in repr(shown)
