"""``resize="cover"``: frames keep their proportion, fill the size, lose their edges equally.

The picture of the ramp tells where each pixel comes from: its red rises from left to right, its
green from top to bottom, so the expected value of every pixel is a formula, not another decoder.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from torchvision.transforms import v2
from video_files import mux_video, numbered_frames

from condi_lib.videos.catalog import Catalog, VideoRecord
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import VideoReader, read_frames, write_video
from condi_lib.videos.loader import ClipSet, cache_clips

HEIGHT, WIDTH = 48, 80
LOSSLESS = {"options": {"qp": "0"}, "pixel_format": "yuv444p"}
SIZES = [(24, 24), (24, 40), (16, 60), (40, 16), (48, 80), (96, 96), (25, 25), (7, 31), (31, 7)]


def scaled_by_search(size):
    """The height and width of which one equals the target's and the other is the least not below.

    Exact fractions and a search over whole numbers, instead of the reader's divisions.
    """
    scale = max(Fraction(size[0], HEIGHT), Fraction(size[1], WIDTH))
    exact = [scale * HEIGHT, scale * WIDTH]
    return tuple(max(n for n in range(1, 500) if n <= side) for side in exact)


@pytest.fixture(scope="module")
def ramp(tmp_path_factory):
    """Red 20 to 178 over the width, green 20 to 161 over the height."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.stack([20 + 2 * x, 20 + 3 * y, np.full_like(x, 100)], axis=-1)
    frames = np.repeat(picture[None].astype(np.uint8), 3, axis=0)
    return mux_video(tmp_path_factory.mktemp("ramp") / "ramp.mp4", frames, **LOSSLESS)


@pytest.mark.parametrize("size", SIZES)
def test_frames_are_the_centre_of_the_smallest_picture_that_covers_the_size(ramp, size):
    found = read_frames(ramp, size_px=size, resize="cover")
    assert found.shape == (3, *size, 3)
    scaled = scaled_by_search(size)
    assert size[0] in scaled or size[1] in scaled
    assert all(s >= wanted for s, wanted in zip(scaled, size, strict=True))
    large = torch.from_numpy(read_frames(ramp, size_px=scaled)).movedim(-1, 1)
    assert torch.equal(torch.from_numpy(found).movedim(-1, 1), v2.CenterCrop(size)(large))


@pytest.mark.parametrize("size", [(24, 24), (16, 60), (40, 16), (96, 96)])
def test_every_pixel_shows_its_place_at_one_scale_in_both_directions(ramp, size):
    found = read_frames(ramp, size_px=size, resize="cover")[0].astype(float)
    scale = max(size[0] / HEIGHT, size[1] / WIDTH)
    rows = (np.arange(size[0]) + 0.5 - size[0] / 2) / scale + HEIGHT / 2 - 0.5  # in the file
    columns = (np.arange(size[1]) + 0.5 - size[1] / 2) / scale + WIDTH / 2 - 0.5
    inner = np.ix_(np.arange(2, size[0] - 2), np.arange(2, size[1] - 2))  # edges have no neighbour
    expected = np.broadcast_to(20 + 2 * columns, size)
    assert np.abs(found[..., 0] - expected)[inner].max() <= 4
    expected = np.broadcast_to((20 + 3 * rows)[:, None], size)
    assert np.abs(found[..., 1] - expected)[inner].max() <= 4


def test_covering_a_square_is_the_short_side_and_a_centre_cut(ramp):
    """What networks published for 112 px were shown."""
    short = read_frames(ramp, short_side_px=24)
    assert short.shape == (3, 24, 40, 3)
    assert (read_frames(ramp, size_px=(24, 24), resize="cover") == short[:, :, 8:32]).all()


def test_a_proportion_that_fits_is_not_cut(ramp):
    stretched = read_frames(ramp, size_px=(24, 40))
    assert (read_frames(ramp, size_px=(24, 40), resize="cover") == stretched).all()


@pytest.mark.parametrize("degrees", [90, 270])
def test_what_is_shown_upright_is_cut_upright(tmp_path, degrees):
    stored = numbered_frames(4, height=HEIGHT, width=WIDTH)
    path = mux_video(tmp_path / "turned.mp4", stored, rotation=degrees, **LOSSLESS)
    found = read_frames(path, size_px=(20, 20), resize="cover")
    short = read_frames(path, short_side_px=20)  # 33 high, 20 wide
    assert short.shape == (4, 33, 20, 3)
    assert (found == short[:, 6:26]).all()  # 6.5 above, rounded to even


def test_scattered_frames_and_iteration_are_cut_alike(ramp):
    with VideoReader(ramp, size_px=(24, 24), resize="cover") as reader:
        assert (reader.height_px, reader.width_px) == (24, 24)
        everything = np.stack(list(reader))
        assert (reader.read([2, 0, 2]) == everything[[2, 0, 2]]).all()


@pytest.mark.parametrize("options", [{"resize": "fill", "size_px": (8, 8)}, {"resize": "cover"}])
def test_a_resize_that_makes_no_sense_is_refused(ramp, options):
    with pytest.raises(ValueError, match=r"resize must be one of \('stretch', 'cover'\)"):
        read_frames(ramp, **options)


def test_clips_and_their_cache_are_cut_as_they_say(ramp, tmp_path):
    catalog = Catalog(ramp.parent, ("a",), (VideoRecord(ramp.name, ramp, 0),))
    sets = {r: ClipSet(catalog, ClipGrid(2), (24, 24), np.array([3]), resize=r)
            for r in ("stretch", "cover")}  # fmt: skip
    for resize, clips in sets.items():
        frames = read_frames(ramp, size_px=(24, 24), resize=resize)
        batch = next(clips.batches([[0, 1]]))
        assert (batch.numpy() == frames[[[0, 1], [2, 2]]]).all()
        cache_clips(clips, tmp_path / resize)
    for one, other in itertools.permutations(sets):
        with pytest.raises(ValueError, match="holds clips of other videos"):
            ClipSet(catalog, ClipGrid(2), (24, 24), np.array([3]), tmp_path / one, other)


def test_a_clip_of_a_file_without_a_table_of_frames_is_not_decoded_twice(tmp_path, monkeypatch):
    """The packets of an avi file do not tell its frames: counting them would decode all of it."""
    path = write_video(tmp_path / "a.avi", numbered_frames(12), codec="mpeg4")
    catalog = Catalog(tmp_path, ("a",), (VideoRecord(path.name, path, 0),))
    clips = ClipSet(catalog, ClipGrid(4), (24, 24), np.array([12]), resize="cover")
    counted = []
    monkeypatch.setattr("condi_lib.videos.decode.probe", counted.append)
    batch = next(clips.batches([[1]])).numpy()
    assert counted == []
    assert (batch[0] == read_frames(path, size_px=(24, 24), resize="cover")[4:8]).all()
    monkeypatch.undo()
    longer = ClipSet(catalog, ClipGrid(4), (24, 24), np.array([16]))
    with pytest.raises(IndexError, match=r"a\.avi: frame 12 asked for; it has 12 frames"):
        next(longer.batches([[3]]))
