"""Temperatures against closed forms, and calibrated samplers against a loop over videos."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_study import tiny

from condi_lib.analysis.calibration import (
    calibrated_trial,
    calibration_rows,
    gain_rows_by_way,
    temperatures,
)
from condi_lib.clip_table import ClipTable, write_clip_table
from condi_lib.confidence import TEMPERATURES, fit_temperature
from condi_lib.metrics import ece
from condi_lib.study import Study, read_study
from condi_lib.study.study import FolderStore

SEEDS, N_VIDEOS, N_CLIPS, N_CLASSES = (0, 4), 40, 5, 3


@pytest.mark.parametrize(("margin", "n_right"), [(4.0, 70), (1.0, 90), (2.0, 55)])
def test_two_classes_have_a_closed_form(margin, n_right):
    logits = torch.tensor([[margin, 0.0]]).repeat(100, 1)
    label = (torch.arange(100) >= n_right).long()
    share = n_right / 100
    expected = margin / math.log(share / (1 - share))
    assert fit_temperature(logits, label) == pytest.approx(expected, rel=1e-4)


def test_the_temperature_scales_with_the_logits():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(500, 7, generator=generator)
    label = torch.randint(7, (500,), generator=generator)
    label[:300] = logits[:300].argmax(dim=1)
    found = fit_temperature(logits, label)
    assert fit_temperature(10 * logits.half(), label) == pytest.approx(10 * found, rel=1e-2)
    assert fit_temperature(logits + 5, label) == pytest.approx(found, rel=1e-4)
    nll = [torch.nn.functional.cross_entropy(logits / t, label) for t in (found, 0.9 * found)]
    assert nll[0] < nll[1]


def test_labels_drawn_from_the_softmax_need_no_temperature():
    logits = 2 * torch.randn(20000, 5, generator=torch.Generator().manual_seed(0))
    label = torch.multinomial(logits.softmax(dim=1), 1, generator=torch.Generator().manual_seed(1))
    assert fit_temperature(logits, label[:, 0]) == pytest.approx(1, abs=0.05)


def test_all_right_and_all_wrong_end_at_the_bounds():
    logits = torch.tensor([[1.0, 0.0]]).repeat(4, 1)
    lowest, highest = TEMPERATURES
    assert lowest <= fit_temperature(logits, torch.zeros(4, dtype=int)) < 3 * lowest
    assert highest / 1.1 < fit_temperature(logits, torch.ones(4, dtype=int)) <= highest


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"need logits \[n, C\] and label \[n\]"):
        fit_temperature(torch.zeros(3, 2), torch.zeros(2, dtype=int))
    with pytest.raises(ValueError, match="n >= 1"):
        fit_temperature(torch.zeros(0, 2), torch.zeros(0, dtype=int))


# A study of random, over-confident teachers


def table_of(name, seed):
    rng = np.random.default_rng([seed, *name.encode()])
    rows = [
        (f"{split}{video}", clip, 0, video % N_CLASSES, split)
        for split, video, clip in itertools.product(
            ("val", "test"), range(N_VIDEOS), range(N_CLIPS)
        )
    ]
    columns = ["video_id", "clip_index", "start_frame", "label", "split"]
    clips = pd.DataFrame(rows, columns=columns)
    logits = rng.normal(0, 6, (len(clips), N_CLASSES)).astype(np.float32)
    if name == "condi_sr":
        clips["confidence"] = rng.uniform(size=len(clips)).astype(np.float32)
        return ClipTable(clips, ("a", "b", "c"), student_logits=torch.from_numpy(logits))
    logits[np.arange(len(clips)), clips["label"]] += 4
    return ClipTable(clips, ("a", "b", "c"), teacher_logits=torch.from_numpy(logits))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for name, seed in itertools.product(("teacher", "condi_sr"), SEEDS):
        write_clip_table(table_of(name, seed), folder / f"{name}-seed{seed}.parquet")
    return Study(read_study(tiny(seeds=list(SEEDS))), FolderStore(folder), "tiny")


@pytest.fixture(scope="module")
def found(study):
    return temperatures(study)


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def test_each_teacher_has_the_temperature_of_its_validation_clips(study, found):
    for seed in SEEDS:
        val = table_of("teacher", seed).split("val")
        label = torch.tensor(val.clips["label"].to_list())
        assert found[seed, ""] == pytest.approx(fit_temperature(val.teacher_logits, label))
        assert found[seed, ""] > 1.5  # made over-confident


def test_honesty_is_measured_on_test_clips(study, found):
    rows = calibration_rows(study, found)
    test = table_of("teacher", 4).split("test")
    logits, label = test.teacher_logits.numpy(), test.clips["label"].to_numpy()
    row = rows.set_index("seed").loc[4]
    for tail, by in (("", 1), ("_after", found[4, ""])):
        probs = softmax(logits / by)
        right = probs.argmax(1) == label
        assert row[f"ece{tail}"] == pytest.approx(ece(probs.max(1), right), abs=1e-6)
        nll = -np.log(probs[np.arange(len(label)), label]).mean()
        assert row[f"nll{tail}"] == pytest.approx(nll, rel=1e-4)
        assert row[f"sure_when_wrong{tail}"] == pytest.approx((probs.max(1)[~right] >= 0.9).mean())
    assert row["ece_after"] < row["ece"] / 2 and row["nll_after"] < row["nll"]


def test_every_way_of_calibrating_equals_a_loop_over_videos(study, found):
    trial = calibrated_trial(study, found, "condi_sr")
    for at, seed in enumerate(SEEDS):
        test = table_of("teacher", seed).split("test")
        confidence = table_of("condi_sr", seed).split("test").clips["confidence"]
        logits = test.teacher_logits.numpy().reshape(N_VIDEOS, N_CLIPS, -1)
        plain, scaled = softmax(logits), softmax(logits / found[seed, ""])
        student = confidence.to_numpy().reshape(N_VIDEOS, N_CLIPS)
        ways = {
            "dense": (plain, None),
            "dense: averaged with it": (scaled, None),
            "teacher_max_softmax": (plain, plain.max(2)),
            "teacher_max_softmax: ranked by it": (plain, scaled.max(2)),
            "teacher_max_softmax: averaged with it": (scaled, plain.max(2)),
            "teacher_max_softmax: both": (scaled, scaled.max(2)),
            "condi_sr": (plain, student),
            "condi_sr: averaged with it": (scaled, student),
        }
        assert set(trial.methods) == set(ways)
        for name, (probs, score) in ways.items():
            for k in range(1, N_CLIPS + 1):
                for video in range(N_VIDEOS):
                    kept = slice(None) if score is None else np.argsort(-score[video])[:k]
                    right = probs[video, kept].mean(axis=0).argmax() == video % N_CLASSES
                    assert trial.test.correct[name][at, video, k - 1] == right, (name, k, video)


def test_rows_stand_method_by_method_and_gains_are_over_plain_dense(study, found):
    trial = calibrated_trial(study, found, "condi_sr")
    rows = gain_rows_by_way(trial)
    assert rows[["trial", "method"]].to_numpy().tolist() == [
        ["dense", "as it is"], ["dense", "averaged with it"],
        ["teacher_max_softmax", "as it is"], ["teacher_max_softmax", "ranked by it"],
        ["teacher_max_softmax", "averaged with it"], ["teacher_max_softmax", "both"],
        ["condi_sr", "as it is"], ["condi_sr", "averaged with it"],
    ]  # fmt: skip
    assert rows["gain"].iloc[0].value == 0
    assert rows["gain"].iloc[1] == trial.gain("dense: averaged with it")
