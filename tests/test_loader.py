"""Clips as tensors: cached or decoded, here or in workers, always the same pixels."""

import itertools
import os
import pickle
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_clips import CLASSES, write_videos

from condi_lib.videos.batches import ClipDecoder
from condi_lib.videos.catalog import Catalog
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import VideoError, read_frames
from condi_lib.videos.loader import ClipSet, cache_clips

N_FRAMES = [10, 3, 8, 5]  # clips of 4: 3, 1, 2, 2; the last ones loop
SIZE = (16, 12)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    catalog, n_frames = write_videos(tmp_path_factory.mktemp("videos"), N_FRAMES, size_px=24)
    return ClipSet(catalog, ClipGrid(4, stride=2), SIZE, n_frames)


@pytest.fixture(scope="module")
def cached(clips, tmp_path_factory):
    path = tmp_path_factory.mktemp("cache") / "clips.npy"
    cache_clips(clips, path)
    return replace(clips, cache=path)


def by_hand(clips: ClipSet) -> torch.Tensor:
    """Every clip, from all frames of its video; the grid written out once more."""
    frames = [read_frames(record.path, size_px=SIZE) for record in clips.catalog]
    chosen = [
        frames[0][[0, 2]], frames[0][[4, 6]], frames[0][[8, 8]],  # 8, 9, 8, 9: every other one
        frames[1][[0, 2]],
        frames[2][[0, 2]], frames[2][[4, 6]],
        frames[3][[0, 2]], frames[3][[4, 4]],
    ]  # fmt: skip
    return torch.from_numpy(np.stack(chosen))


def test_clips_are_the_grid_s_frames(clips):
    assert len(clips) == 8 and clips.shape == (8, 2, 16, 12, 3)
    everything = next(clips.batches([range(8)]))
    assert everything.dtype == torch.uint8
    assert torch.equal(everything, by_hand(clips))
    assert torch.equal(clips[4], everything[4])


BATCHES = [[7, 0, 0, 3], [5], [2, 1, 4, 6, 7]]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with one core
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_the_order_asked_for(clips, cached, workers):
    expected = by_hand(clips)
    for source in (clips, cached):
        got = list(source.batches(BATCHES, workers))
        assert [len(batch) for batch in got] == [4, 1, 5]
        for rows, batch in zip(BATCHES, got, strict=True):
            assert torch.equal(batch, expected[rows])


def test_batches_do_not_touch_the_global_generator(clips, cached):
    before = torch.random.get_rng_state()
    for source in (clips, cached):
        list(source.batches([[0], [1]]))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_broke_after_the_scan_is_named(tmp_path, workers):
    catalog, n_frames = write_videos(tmp_path, [8, 8], size_px=24)
    clips = ClipSet(catalog, ClipGrid(4), SIZE, n_frames)
    broken = catalog.records[1].path
    broken.write_bytes(broken.read_bytes()[:300])
    with closing(clips.batches([[0], [1, 2]], workers)) as batches:
        assert next(batches).shape == (1, 4, *SIZE, 3)
        with pytest.raises(VideoError, match="is truncated") as caught:
            next(batches)
    assert caught.value.path == broken


@pytest.mark.parametrize("workers", [0, 1])
def test_the_list_of_batches_is_read_as_they_are_needed(clips, cached, workers):
    for source in (clips, cached):
        asked = []

        def endless(asked=asked):
            for number in itertools.count():
                asked.append(number)
                yield [number % 8]

        with closing(source.batches(endless(), workers)) as batches:
            for number in range(3):
                assert torch.equal(next(batches)[0], clips[number])
        assert len(asked) <= 3 + 2 * workers


def test_a_batch_opens_each_file_once_and_its_jobs_hold_no_catalog(clips):
    jobs = clips._jobs([7, 0, 0, 3, 2])
    names = [Path(job.path).name for job in jobs]
    assert names == ["0_bright.mp4", "1_dark.mp4", "3_dark.mp4"]
    assert [job.n_frames for job in jobs] == [10, 3, 5]
    assert [job.clip_indices for job in jobs] == [[0, 0, 2], [0], [1]]
    assert [job.places for job in jobs] == [[1, 2, 4], [3], [0]]
    assert torch.equal(ClipDecoder(clips.grid, SIZE).decode(jobs), by_hand(clips)[[7, 0, 0, 3, 2]])


def test_cached_batches_are_copies(cached):
    batch = next(cached.batches([[0]]))
    batch.fill_(0)
    assert next(cached.batches([[0]])).any()


def test_table_says_what_every_clip_is(clips):
    table = clips.table()
    assert table["video_id"].tolist() == [
        *["0_bright.mp4"] * 3, "1_dark.mp4", *["2_bright.mp4"] * 2, *["3_dark.mp4"] * 2
    ]  # fmt: skip
    assert table["clip_index"].tolist() == [0, 1, 2, 0, 0, 1, 0, 1]
    assert table["start_frame"].tolist() == [0, 4, 8, 0, 0, 4, 0, 4]
    assert table["label"].tolist() == [0, 0, 0, 1, 0, 0, 1, 1]
    assert table["split"].tolist() == ["train"] * 4 + ["val"] * 4


def test_some_rows_of_the_table_and_the_same_as_arrays(clips):
    table, rows = clips.table(), np.array([6, 0, 3])
    pd.testing.assert_frame_equal(clips.table(rows), table.iloc[rows].reset_index(drop=True))
    assert clips.labels.tolist() == table["label"].tolist()
    assert clips.video_of(np.arange(8)).tolist() == [0, 0, 0, 1, 2, 2, 3, 3]
    assert clips.n_clips.tolist() == [3, 1, 2, 2] and clips.first_clip.tolist() == [0, 3, 4, 6]


def test_rows_of_splits(clips):
    assert clips.rows(["train"]).tolist() == [0, 1, 2, 3]
    assert clips.rows(["val"]).tolist() == [4, 5, 6, 7]
    assert clips.rows(["val", "train"]).tolist() == list(range(8))
    with pytest.raises(
        ValueError, match=r"no split \['test'\]; the catalog has \['train', 'val'\]"
    ):
        clips.rows(["test", "val"])


def test_memory_holds_no_pixels(clips, cached):
    for source in (clips, cached):
        assert len(pickle.dumps(source)) < 4000  # what a worker receives; the pixels are 9216 bytes
    many = replace(clips.catalog.records[0])
    records = tuple(replace(many, video_id=f"{i}.mp4") for i in range(1000))
    catalog = Catalog(clips.catalog.root, CLASSES, records)
    large = ClipSet(catalog, ClipGrid(16), (256, 256), np.full(1000, 10**6))
    assert len(large) == 62_500_000  # 200 terabytes, if it held them


def others(clips: ClipSet) -> dict[str, ClipSet]:
    """Sets of as many clips of the same size that are not those of the cache."""
    records = clips.catalog.records
    swapped = (*records[:2], records[3], records[2])  # both have 2 clips
    renamed = (*records[:3], replace(records[3], video_id="other.mp4"))
    return {
        "another order": replace(clips, catalog=replace(clips.catalog, records=swapped)),
        "another video": replace(clips, catalog=replace(clips.catalog, records=renamed)),
        "another length": replace(clips, n_frames=np.add(clips.n_frames, [1, 0, 0, 0])),
        "another stride": replace(clips, grid=ClipGrid(4, stride=3)),
    }


@pytest.mark.parametrize("kind", ["order", "video", "length", "stride"])
def test_cache_of_other_clips_is_refused(clips, cached, kind):
    other = others(clips)[f"another {kind}"]
    assert other.shape == clips.shape  # shapes cannot tell
    with pytest.raises(ValueError, match=r"clips\.npy: holds clips of other videos.*delete it"):
        replace(other, cache=cached.cache)


def test_cache_of_another_shape_or_none_is_refused(clips, cached, tmp_path):
    with pytest.raises(ValueError, match=r"holds uint8 \[8, 2, 16, 12, 3\].*\[8, 2, 8, 8, 3\]"):
        replace(clips, size_px=(8, 8), cache=cached.cache)
    cut = tmp_path / "cut.npy"
    cut.write_bytes(cached.cache.read_bytes()[:-4000])
    for path in (cut, tmp_path / "missing.npy"):
        with pytest.raises(ValueError, match=rf"{path.name}: not a clip cache.*delete it"):
            replace(clips, cache=path)


def test_interrupted_cache_leaves_nothing(clips, tmp_path, monkeypatch):
    path = tmp_path / "clips.npy"
    killed = tmp_path / "clips.npy.123.part"  # of a process that had no time to tidy up
    killed.touch()
    decode = ClipDecoder._clips

    def stop(self, job):
        if job.path.endswith("2_bright.mp4"):
            raise KeyboardInterrupt
        return decode(self, job)

    monkeypatch.setattr(ClipDecoder, "_clips", stop)
    with pytest.raises(KeyboardInterrupt):
        cache_clips(clips, path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_cache_is_a_plain_npy_file(clips, cached):
    pixels = np.load(cached.cache, mmap_mode="r")
    np.testing.assert_array_equal(pixels, by_hand(clips).numpy())


def test_changed_file_is_named(clips):
    grown = replace(clips, n_frames=np.add(clips.n_frames, [1, 0, 0, 0]))
    with pytest.raises(VideoError, match=r"0_bright\.mp4: has 10 frames but had 11 when it was"):
        list(grown.batches([[3, 0]]))


def test_frame_counts_of_another_catalog_are_refused(clips):
    with pytest.raises(ValueError, match="4 videos but 3 frame counts; scan the same catalog"):
        replace(clips, n_frames=clips.n_frames[:3])
