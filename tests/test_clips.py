"""The clip grid against a table worked out by hand and against one that repeats frames in lists.

Spec: a video of T frames has ceil(T / F) clips. Clip i spans the frames [i F, i F + F); if the
video ends before that, the clip's own frames are repeated until it is full. Of the span every
``stride``-th frame is read, from the first.
"""

from itertools import cycle, islice

import numpy as np
import pytest

from condi_lib.videos.clips import ClipGrid

# T, F, stride -> frames read by each clip
TABLE = [
    # whole clips
    (4, 4, 1, [[0, 1, 2, 3]]),
    (8, 4, 1, [[0, 1, 2, 3], [4, 5, 6, 7]]),
    (8, 4, 2, [[0, 2], [4, 6]]),
    (8, 4, 4, [[0], [4]]),
    # a stride that does not divide the span still starts every clip at its first frame
    (8, 4, 3, [[0, 3], [4, 7]]),
    (10, 5, 2, [[0, 2, 4], [5, 7, 9]]),
    # the last clip loops over what is left
    (5, 4, 1, [[0, 1, 2, 3], [4, 4, 4, 4]]),
    (6, 4, 1, [[0, 1, 2, 3], [4, 5, 4, 5]]),
    (7, 4, 1, [[0, 1, 2, 3], [4, 5, 6, 4]]),
    (7, 4, 2, [[0, 2], [4, 6]]),
    (6, 4, 2, [[0, 2], [4, 4]]),
    # ... and its stride runs on through the repeats: 3 4 5 3 4 5 read at 0, 2, 4
    (6, 3, 2, [[0, 2], [3, 5]]),
    (9, 6, 2, [[0, 2, 4], [6, 8, 7]]),
    # shorter than one clip
    (1, 4, 1, [[0, 0, 0, 0]]),
    (3, 8, 1, [[0, 1, 2, 0, 1, 2, 0, 1]]),
    (3, 8, 2, [[0, 2, 1, 0]]),
    # clips of one frame
    (3, 1, 1, [[0], [1], [2]]),
]


@pytest.mark.parametrize(("n_frames", "clip_frames", "stride", "expected"), TABLE)
def test_the_table(n_frames, clip_frames, stride, expected):
    grid = ClipGrid(clip_frames, stride)
    clips = [grid.frame_indices(n_frames, i).tolist() for i in range(grid.n_clips(n_frames))]
    assert clips == expected
    assert grid.sampled_frames == len(expected[0])


def clips_by_hand(n_frames: int, clip_frames: int, stride: int) -> list[list[int]]:
    """Cut a list of frame numbers, with lists and no arithmetic."""
    video = list(range(n_frames))
    clips = []
    while video:
        piece, video = video[:clip_frames], video[clip_frames:]
        clips.append(list(islice(cycle(piece), clip_frames))[::stride])
    return clips


@pytest.mark.parametrize("clip_frames", [1, 2, 3, 5, 8, 16])
def test_all_small_grids_equal_the_oracle(clip_frames):
    for stride in range(1, clip_frames + 1):
        grid = ClipGrid(clip_frames, stride)
        for n_frames in range(1, 3 * clip_frames + 2):
            expected = clips_by_hand(n_frames, clip_frames, stride)
            clips = [grid.frame_indices(n_frames, i) for i in range(grid.n_clips(n_frames))]
            assert [clip.tolist() for clip in clips] == expected
            assert all(len(clip) == grid.sampled_frames for clip in clips)
            assert grid.start_frames(n_frames).tolist() == [clip[0] for clip in expected]


def test_without_stride_every_frame_is_read_once_and_in_order():
    grid = ClipGrid(clip_frames=16)
    read = np.concatenate([grid.frame_indices(250, i) for i in range(grid.n_clips(250))])
    assert grid.n_clips(250) == 16  # 15 whole clips and one with 10 frames
    assert read[:250].tolist() == list(range(250))
    assert read[250:].tolist() == list(range(240, 246))


def test_indices_are_int64():
    grid = ClipGrid()
    assert grid.start_frames(40).dtype == np.int64
    assert grid.frame_indices(40, 2).dtype == np.int64


@pytest.mark.parametrize(
    ("clip_frames", "stride", "message"),
    [
        (0, 1, "clip_frames must be at least 1, got 0"),
        (-4, 1, "clip_frames must be at least 1, got -4"),
        (4, 0, r"stride must be in \[1, clip_frames = 4\], got 0"),
        (4, 5, r"stride must be in \[1, clip_frames = 4\], got 5"),
    ],
)
def test_impossible_grids_are_refused(clip_frames, stride, message):
    with pytest.raises(ValueError, match=message):
        ClipGrid(clip_frames, stride)


def test_a_video_without_frames_is_refused():
    with pytest.raises(ValueError, match="at least one frame to be cut, got 0"):
        ClipGrid().n_clips(0)
    with pytest.raises(ValueError, match="at least one frame to be cut, got -1"):
        ClipGrid().start_frames(-1)


@pytest.mark.parametrize("clip_index", [-1, 3, 100])
def test_clips_that_do_not_exist_are_refused(clip_index):
    with pytest.raises(ValueError, match=rf"in \[0, 2\] for 40 frames .* got {clip_index}"):
        ClipGrid(clip_frames=16).frame_indices(40, clip_index)
