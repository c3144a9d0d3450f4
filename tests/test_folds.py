"""The mean over official folds: of folds of unequal size, some of whose videos overlap.

Three folds test 2, 3 and 4 of five videos; what a fold says of a video is written out below, NaN
where it does not test it, and everything is computed once more from that table by loops.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_study import tiny

from condi_lib.analysis.folds import Folds
from condi_lib.analysis.results import Sweep, clip_scores, sweep
from condi_lib.analysis.tables import comparison_table, state_denominator, video_counts
from condi_lib.clip_table import ClipTable, write_clip_table
from condi_lib.statistics import bootstrap_fold_mean, bootstrap_mean
from condi_lib.study import Study, read_study
from condi_lib.study.study import FolderStore

NAN = np.nan
IDS = [["a", "b"], ["c", "a", "d"], ["e", "d", "c", "b"]]
SAYS = np.array([[1, 0, NAN], [0, NAN, 1], [NAN, 1, 0], [NAN, 1, 1], [NAN, NAN, 0]])  # a to e
PLACES = np.array([1, 0, 1, 0, 1, 0, 1, 0, 1])  # the same, fold after fold
FOLDS = Folds.of(IDS)


def brute_force(table, n_resamples, seed):
    """Resample rows (videos), average each column (fold) over what it has, then the columns."""
    rng = np.random.default_rng(seed)
    means = []
    for draw in rng.integers(len(table), size=(n_resamples, len(table))):
        columns = [[x for x in table[draw][:, f] if not np.isnan(x)] for f in range(table.shape[1])]
        means.append(np.mean([np.mean(c) for c in columns]) if all(columns) else NAN)
    return np.array(means)


def test_the_mean_of_unequal_folds_is_not_the_mean_of_all_places():
    assert FOLDS.means(PLACES) == pytest.approx([1 / 2, 2 / 3, 1 / 2])
    assert FOLDS.interval(PLACES).value == pytest.approx((1 / 2 + 2 / 3 + 1 / 2) / 3)
    assert PLACES.mean() == pytest.approx(5 / 9)  # what it would be otherwise
    assert FOLDS.n_videos == 5


def test_places_are_put_where_their_video_and_fold_are():
    table = np.full((5, 3), NAN)
    table[FOLDS.video, FOLDS.fold] = PLACES
    order = [sorted("abcde").index(v) for v in dict.fromkeys(itertools.chain(*IDS))]
    np.testing.assert_array_equal(table, SAYS[order])


def test_resampling_takes_videos_with_all_that_folds_say_of_them():
    rng = np.random.default_rng(1)
    table = rng.random((40, 3))
    table[rng.random((40, 3)) < 0.4] = NAN
    table[np.isnan(table).all(axis=1), 0] = 0.5
    found = bootstrap_fold_mean(table, n_resamples=300, seed=5)
    expected = brute_force(table, 300, 5)
    assert found.value == pytest.approx(np.mean([np.nanmean(table[:, f]) for f in range(3)]))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(expected, [0.025, 0.975])))


def test_one_fold_is_the_plain_mean_to_the_last_digit():
    values = np.random.default_rng(0).integers(0, 2, 57).astype(float)
    assert bootstrap_fold_mean(values[:, None]) == bootstrap_mean(values)
    assert Folds.of([[str(n) for n in range(57)]]).interval(values) == bootstrap_mean(values)


def test_a_video_in_all_folds_counts_once():
    """Three folds that agree on the same videos say no more than one of them."""
    values = np.random.default_rng(0).integers(0, 2, 57).astype(float)
    thrice, once = np.repeat(values[:, None], 3, axis=1), bootstrap_mean(values)
    found = bootstrap_fold_mean(thrice)
    assert (found.value, found.low, found.high) == pytest.approx((once.value, once.low, once.high))
    pooled = bootstrap_mean(np.repeat(values, 3))  # as if there were three times as many videos
    assert pooled.high - pooled.low < 0.7 * (once.high - once.low)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[1, NAN], [0, NAN]], "fold 1 has no value"),
        ([[1, 0], [NAN, NAN]], "video 1 has no value"),
        ([[1, 0]], "V >= 2"),
        ([1, 0], "V >= 2"),
        ([[1], [np.inf]], "finite"),
    ],
)
def test_what_cannot_be_resampled_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_fold_mean(table)


def test_what_videos_add_sums_to_the_mean_over_folds():
    assert FOLDS.by_video(PLACES).mean() == pytest.approx(FOLDS.means(PLACES).mean())
    a = 5 * (1 / 3) * (1 / 2 + 0 / 3)  # in folds of 2 and 3 videos
    assert FOLDS.by_video(PLACES)[0] == pytest.approx(a)
    stacked = np.stack([PLACES, 1 - PLACES])
    assert FOLDS.by_video(stacked)[1] == pytest.approx(FOLDS.by_video(1 - PLACES))


def test_numbers_of_a_sweep_over_folds():
    rng = np.random.default_rng(3)
    correct = {name: rng.integers(0, 2, (2, 9, 4)).astype(np.float32) for name in ("dense", "mine")}
    found = Sweep(correct, [1, 2, 3, 4], FOLDS)

    def mean(method, k, seed=slice(None)):
        values, at = correct[method][seed, :, k - 1], [slice(0, 2), slice(2, 5), slice(5, 9)]
        return np.mean([values[..., part].mean() for part in at])

    assert found.accuracy("mine", 2).value == pytest.approx(mean("mine", 2))
    assert found.gain("mine", 2).value == pytest.approx(mean("mine", 2) - mean("dense", 1))
    assert found.by_seed("mine", 3) == pytest.approx([mean("mine", 3, s) for s in (0, 1)])
    assert found.by_fold("mine", 3).mean() == pytest.approx(mean("mine", 3))
    assert found.best_k("mine") == max(range(1, 5), key=lambda k: (round(mean("mine", k), 9), -k))
    row = found.rows().query("sampler == 'mine' and k_clips == 4").iloc[0]
    assert row["video_accuracy"] == pytest.approx(mean("mine", 4))
    assert (row["n_videos"], row["n_seeds"]) == (5, 2)
    with pytest.raises(ValueError, match="no official folds"):
        Sweep(correct, [1, 2, 3, 4]).by_fold("mine", 1)


def test_the_p_value_flips_whole_videos():
    """All 32 signs of the five videos' differences, each weighted as its folds are."""
    rng = np.random.default_rng(4)
    correct = {name: rng.random((1, 9, 1)).astype(np.float32) for name in ("a", "b")}
    found = Sweep(correct, [1], FOLDS)
    difference = (correct["a"] - correct["b"])[0, :, 0].astype(float)
    sums = []
    for signs in itertools.product((1, -1), repeat=5):
        flipped = difference * np.array(signs)[FOLDS.video]
        sums.append(abs(FOLDS.means(flipped).mean()))
    expected = np.mean(np.array(sums) >= sums[0] - 1e-12)
    assert found.p_value("a", 1, "b", 1) == pytest.approx(expected)
    table = comparison_table(found, {"a": 1, "b": 1}, "a", ["b"])
    assert table.loc["b", "p_value"] == pytest.approx(expected)
    assert table.loc["b", "difference"].value == pytest.approx(FOLDS.means(difference).mean())


# A study with official folds


@pytest.fixture
def study(tmp_path):
    """Random tables of three folds of HMDB-51, as an exported study keeps them."""
    source = {"name": "hmdb51", "root": "videos", "lists": "lists", "content": "0"}
    names = [f"fold {n}" for n in (1, 2, 3)]
    fields = {"dataset.pantomime": ..., "dataset.official": source, "losses": {"st_ent": {}}}
    fields |= {"teacher.train_splits": ["train"], "folds": dict(zip(names, (1, 2, 3), strict=True))}
    for fold, ids in zip(names, IDS, strict=True):
        tail = fold.replace(" ", "_")
        for name in ("teacher", "st_ent"):
            table = random_table(name, fold, ids)
            write_clip_table(table, tmp_path / f"{name}-{tail}-seed0.parquet")
        videos = pd.DataFrame({"video_id": ids, "split": "test", "label": 0})
        videos.to_csv(tmp_path / f"videos-{tail}.csv", index=False)
    lost = pd.DataFrame({"file": ["x", "y", "z"], "split": "test", "kind": "missing", "cause": "?"})
    lost["kind"] = ["missing", "too_short", "missing"]
    lost.to_csv(tmp_path / "left_out-fold_2.csv", index=False)
    return Study(read_study(tiny(**fields)), FolderStore(tmp_path), "tiny")


def random_table(name, fold, ids):
    rows = [(v, c, 16 * c, 0, s) for s in ("val", "test") for v in ids for c in range(2)]
    rows = [(f"{s}/{v}" if s == "val" else v, c, f, y, s) for v, c, f, y, s in rows]
    columns = ["video_id", "clip_index", "start_frame", "label", "split"]
    rng = np.random.default_rng([len(ids), *name.encode()])
    logits = torch.from_numpy(rng.normal(size=(len(rows), 2)).astype(np.float32))
    role = "teacher_logits" if name == "teacher" else "student_logits"
    return ClipTable(pd.DataFrame(rows, columns=columns), ("p", "q"), **{role: logits})


def test_a_sweep_knows_the_official_folds_of_its_study(study):
    found = sweep(study, methods=("dense",))
    assert found.folds.video.tolist() == [0, 1, 2, 0, 3, 4, 3, 2, 1]
    right = []
    for fold, ids in zip(study.spec.fold_names, IDS, strict=True):
        logits = study.teacher_table(0, "test", fold).teacher_logits.softmax(-1)
        right.append((logits.view(len(ids), 2, 2).mean(1).argmax(1) == 0).double().mean())
    assert found.accuracy("dense", 1).value == pytest.approx(float(np.mean(right)))
    assert found.by_fold("dense", 1) == pytest.approx(np.array(right))


def test_clips_of_a_video_in_several_folds_are_those_of_the_first(study):
    scores = clip_scores(study)
    assert scores["video_id"].tolist() == [v for v in "abcde" for _ in range(2)]
    first = study.teacher_table(0, "test", "fold 2").teacher_logits[:2].softmax(-1)[:, 0]
    of_c = scores.loc[scores["video_id"] == "c", "true_class_probability"]
    assert of_c.tolist() == pytest.approx(first.tolist())


def test_the_denominator_is_stated(study):
    counts = video_counts(study)
    assert counts.loc[("fold 2", "test")].to_dict() == {
        "listed": 6, "usable": 3, "missing": 2, "corrupt": 0, "too_short": 1
    }  # fmt: skip
    assert counts.loc[("fold 1", "test"), ["listed", "usable"]].tolist() == [2, 2]
    assert state_denominator(study) == (
        "Results on 9 of 12 listed test videos (all 3 folds): 2 missing, 1 too short."
    )
