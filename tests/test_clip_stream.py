"""Clips come as from a reader of the intact file, or are marked; never anything else."""

import os

import av
import numpy as np
import pytest
from test_decode import REAL_DATA, real_files
from video_files import (
    KINDS,
    N_FRAMES,
    is_noticed,
    mux_video,
    numbered_frames,
    packets_of,
    spoil,
)

from condi_lib.videos.clip_stream import ClipStream, frame_clips
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import VideoError, VideoReader, probe, write_video

pytestmark = pytest.mark.usefixtures("quiet")

SIZE = (24, 40)
GRIDS = [ClipGrid(16), ClipGrid(16, stride=3), ClipGrid(7, stride=2)]
GRID = ClipGrid(8)


def clips_by_reader(path, grid, n_frames=None, **sizes):
    """Every clip of an intact file, by way of the reader of single frames."""
    n_frames = probe(path).n_frames if n_frames is None else n_frames
    with VideoReader(path, **({"size_px": SIZE} | sizes)) as reader:
        return [
            reader.read(grid.frame_indices(n_frames, index))
            for index in range(grid.n_clips(n_frames))
        ]


def usable(stream, expected):
    """Read a stream, hold each clip against the one expected, and return which were usable."""
    found = []
    for place, (index, pixels) in enumerate(stream):
        assert index == place
        if pixels is not None:
            assert (pixels.dtype, pixels.shape) == (np.uint8, expected[index].shape)
            assert (pixels == expected[index]).all()
            found.append(index)
    return found


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_an_intact_file_gives_the_clips_that_a_reader_gives(make_video, name, grid):
    path = make_video(name)
    expected = clips_by_reader(path, grid)
    with ClipStream(path, grid, SIZE) as stream:
        assert stream.n_clips in (None, len(expected))  # None where only decoding tells
        assert usable(stream, expected) == list(range(len(expected)))
        assert (stream.n_frames, stream.n_clips) == (N_FRAMES, len(expected))
        assert (stream.damaged_frames, stream.stopped_at_frame) == (0, None)
        assert stream.fps == pytest.approx(probe(path).fps, rel=1e-3)
        chosen = [len(expected) - 1, 1, 0, 1]
        for index, pixels in zip(chosen, stream.read(chosen), strict=True):
            assert (pixels == expected[index]).all()
        assert usable(stream, expected) == list(range(len(expected)))  # and once more


@pytest.mark.parametrize("name", ["h264_g16_b3.mp4", "mpeg4.avi"])
def test_chosen_clips_are_read_without_the_others(make_video, name):
    path = make_video(name)
    expected = clips_by_reader(path, GRID)
    with ClipStream(path, GRID, SIZE) as stream:
        assert (stream.read([7])[0] == expected[7]).all()
        assert (stream.read([12])[0] == expected[12]).all()  # the short last one
        assert stream.read([]) == []
        for wrong in (13, -1):
            with pytest.raises(IndexError, match=f"{name}: clip {wrong} asked for"):
                stream.read([0, wrong])


@pytest.mark.parametrize("degrees", [0, 90])
@pytest.mark.parametrize("resize", ["stretch", "cover"])
def test_clips_are_upright_and_resized_as_a_reader_does_it(tmp_path, degrees, resize):
    path = mux_video(tmp_path / "turned.mp4", numbered_frames(20), rotation=degrees)
    expected = clips_by_reader(path, GRID, size_px=(30, 30), resize=resize)
    with ClipStream(path, GRID, (30, 30), resize) as stream:
        assert usable(stream, expected) == [0, 1, 2]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_damage_is_lost_up_to_the_next_keyframe(make_video, tmp_path, suffix):
    source = make_video(f"h264_g30_b0.{suffix}")  # frames are stored in the order they are shown
    path = spoil(source, tmp_path / f"damaged.{suffix}", 42)
    expected = clips_by_reader(source, GRID)
    with ClipStream(path, GRID, SIZE) as stream:
        assert usable(stream, expected) == [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]  # 40-63 touch 42-59
        assert (stream.damaged_frames, stream.stopped_at_frame) == (60 - 42, None)
        assert (stream.n_frames, stream.n_clips) == (N_FRAMES, 13)
        chosen = stream.read([9, 6, 4])
        assert chosen[1] is None
        assert (chosen[0] == expected[9]).all() and (chosen[2] == expected[4]).all()
    with ClipStream(path, GRID, SIZE) as stream:  # by jumping alone
        assert [pixels is None for pixels in stream.read([12, 7, 5, 0])] == [
            False,
            True,
            True,
            False,
        ]
        assert stream.damaged_frames == 60 - 42


def test_damage_to_a_frame_that_no_clip_reads_costs_no_clip(make_video, tmp_path):
    source = make_video("h264_g16_b0.mp4")
    path = spoil(source, tmp_path / "damaged.mp4", 15)  # the last before a keyframe
    expected = clips_by_reader(source, ClipGrid(16, stride=2))
    with ClipStream(path, ClipGrid(16, stride=2), SIZE) as stream:
        assert usable(stream, expected) == list(range(7))
        assert stream.damaged_frames == 1


@pytest.mark.parametrize("at", [0, -1])
def test_damage_in_the_first_and_last_group_of_pictures(make_video, tmp_path, at):
    source = make_video("h264_g16_b3.mp4")
    keys = [place for place, packet in enumerate(packets_of(source)) if packet[2]]
    path = spoil(source, tmp_path / "damaged.mp4", keys[at])
    expected = clips_by_reader(source, GRID)
    with ClipStream(path, GRID, SIZE) as stream:
        left = {0: list(range(2, 13)), -1: list(range(12))}[at]  # 16 frames; 96 to 99
        assert usable(stream, expected) == left
        assert stream.damaged_frames == {0: 16, -1: 4}[at]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "name", ["h264_g16_b3.mp4", "h264_g30_b3.mkv", "open_gop.mp4", "h264_g16_b0.mp4", "av1.mkv"]
)
def test_whatever_packets_are_spoiled_the_rest_is_intact(make_video, tmp_path, name, seed):
    """A second opinion on what is lost: nothing within a clip of frames of the intact file."""
    source, rng = make_video(name), np.random.default_rng(seed)
    path, spoiled = tmp_path / name, []
    for packet in rng.permutation(N_FRAMES).tolist():
        if len(spoiled) <= seed % 3 and is_noticed(spoil(source, path, packet), N_FRAMES):
            spoiled.append(packet)
    spoil(source, path, *spoiled)
    expected = clips_by_reader(source, ClipGrid(1))
    with ClipStream(path, ClipGrid(1), SIZE) as stream:
        good = usable(stream, expected)
        assert stream.damaged_frames == N_FRAMES - len(good)
        assert stream.n_frames == N_FRAMES
        keys = [*stream._cursor.table.key_frames.tolist(), N_FRAMES]
    hit = {np.searchsorted(keys, packet, side="right") for packet in spoiled}
    # What is stored before the next keyframe may be shown in another group, by up to 3 frames.
    least = N_FRAMES - sum(keys[group] - keys[group - 1] + 3 for group in hit)
    assert least <= len(good) < N_FRAMES


@pytest.mark.parametrize(("name", "spoiled"), [("mpeg4.avi", 40), ("h264.avi", 50)])
def test_without_a_table_the_video_ends_in_the_damage(make_video, tmp_path, name, spoiled):
    source = make_video(name)
    path = spoil(source, tmp_path / name, spoiled)
    expected = clips_by_reader(source, GRID)
    with ClipStream(path, GRID, SIZE) as stream:
        good = usable(stream, expected)
        assert spoiled - 4 <= stream.stopped_at_frame <= spoiled + 1  # B-frames are stored later
        assert good == list(range(stream.stopped_at_frame // 8))
        assert (stream.n_frames, stream.n_clips, stream.damaged_frames) == (None, None, 1)
        found = stream.read([0, len(good), len(good) + 1])
        assert (found[0] == expected[0]).all() and found[1:] == [None, None]


@pytest.mark.parametrize("name", ["mpeg4.avi", "h264_g16_b3.mp4"])
@pytest.mark.parametrize("spoiled", [None, 40])
def test_clips_are_counted_as_they_would_be_read(make_video, tmp_path, name, spoiled):
    path = make_video(name)
    if spoiled is not None:
        path = spoil(path, tmp_path / name, spoiled)
    with ClipStream(path, GRID, SIZE) as stream, ClipStream(path, GRID, SIZE) as read:
        n_clips = len(list(read))
        assert stream.count_clips() == read.count_clips() == n_clips
        assert n_clips == (6 if name == "mpeg4.avi" and spoiled else 13)


def test_a_file_without_a_usable_clip_is_refused_with_the_cause(make_video, tmp_path):
    path = spoil(make_video("h264_g250_b0.mp4"), tmp_path / "damaged.mp4", 3)
    with (
        ClipStream(path, GRID, SIZE) as stream,
        pytest.raises(VideoError, match=r"damaged\.mp4: has no clip .*damaged at frame 3"),
    ):
        list(stream)


@pytest.mark.parametrize("name", ["one.mp4", "one.avi"])
def test_a_picture_is_no_video(tmp_path, name):
    codec = {"mp4": "libx264", "avi": "mpeg4"}[name[-3:]]
    path = mux_video(tmp_path / name, numbered_frames(1), codec=codec)
    with pytest.raises(VideoError, match=rf"{name}: has one frame"):
        list(ClipStream(path, GRID, SIZE))


@pytest.mark.parametrize("path", real_files() or [None], ids=lambda path: path and path.name)
def test_real_files_give_the_clips_that_a_reader_gives(path):
    if path is None:
        pytest.skip(f"no real videos in {REAL_DATA}; name their folder by CONDI_REAL_DATA")
    grid, n_frames = ClipGrid(32, stride=8), probe(path).n_frames
    with ClipStream(path, grid, SIZE) as stream, VideoReader(path, size_px=SIZE) as reader:
        for index, pixels in stream:
            assert (pixels == reader.read(grid.frame_indices(n_frames, index))).all()
        assert index == grid.n_clips(n_frames) - 1


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("resize", ["stretch", "cover"])
def test_frames_handed_over_are_cut_and_resized_as_those_of_a_file(tmp_path, grid, resize):
    frames = numbered_frames(40)
    kind = {"codec": "ffv1", "pixel_format": "bgr0", "options": {}}
    path = write_video(tmp_path / "lossless.mkv", frames, **kind)
    for size in ((48, 80), (20, 30)):
        expected = clips_by_reader(path, grid, size_px=size, resize=resize)
        found = list(frame_clips(iter(frames), grid, size, resize))
        assert [index for index, _ in found] == list(range(len(expected)))
        for (_, pixels), clip in zip(found, expected, strict=True):
            assert np.abs(pixels.astype(int) - clip).max() <= (0 if size == (48, 80) else 1)


FRAME = numbered_frames(1)[0]


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        ([], ValueError, "no frames were handed over"),
        ([FRAME, FRAME / 255], TypeError, "frame 1 handed over: must be .* uint8, got float64"),
        ([FRAME.tolist()], TypeError, "frame 0 handed over: must be .* uint8, got list"),
        ([None], TypeError, "frame 0 handed over: .* got NoneType"),
        ([FRAME[..., 0]], ValueError, r"frame 0 handed over: must be RGB .* got \[48, 80\]"),
        ([FRAME[:0]], ValueError, r"must be RGB .* got \[0, 80, 3\]"),
        ([FRAME] * 9 + [FRAME[1:]], ValueError, r"frame 9 .* shape \[47, 80, 3\], those before"),
    ],
)
def test_frames_that_are_none_are_named(frames, error, message):
    with pytest.raises(error, match=message):
        list(frame_clips(frames, GRID, SIZE))


def test_memory_is_one_clip(make_video):
    """Frames are asked for one by one: a clip is out before the next one's frames are read."""
    given = []
    frames = (given.append(number) or FRAME for number in range(20))
    for index, _ in frame_clips(frames, GRID, SIZE):
        assert len(given) == min(8 * (index + 1), 20)


def test_a_picture_type_that_may_depend_on_later_frames_waits(make_video):
    """The decoder must not give out what was predicted from a frame that it only concealed."""
    source = make_video("h264_g16_b3.mp4")
    with av.open(str(source)) as container:
        shown = sorted(packet.pts for packet in container.demux(video=0) if packet.size)
        container.seek(0)
        stored = [packet.pts for packet in container.demux(video=0) if packet.size]
    with ClipStream(source, GRID, SIZE) as stream:
        sure_at = stream._cursor.table.sure_at
    for place, pts in enumerate(stored):
        before = max(shown.index(earlier) for earlier in stored[: place + 1])
        assert sure_at[shown.index(pts)] >= before


@pytest.mark.parametrize("name", ["transport.ts", "flash.flv"])
def test_a_stream_ends_where_frames_are_lost_without_an_error(make_video, tmp_path, name):
    source = make_video(name)
    content, expected = bytearray(source.read_bytes()), clips_by_reader(source, GRID)
    if name == "transport.ts":
        middle = len(content) // 2 // 188 * 188
        del content[middle : middle + 10 * 188]  # whole packets, as a bad antenna loses them
    else:
        start, _, _ = packets_of(source)[47]
        content[start + 4] = content[start + 4] & 0xE0 | 10  # "end of sequence": no frame
    path = tmp_path / name
    path.write_bytes(content)
    with ClipStream(path, GRID, SIZE) as stream:
        good = usable(stream, expected)
        assert 30 < stream.stopped_at_frame < 60
        assert good == list(range(stream.stopped_at_frame // 8))
    with pytest.raises(VideoError, match=rf"{name}: is damaged at frame \d+ \(.* missing\)"):
        probe(path)


def test_a_stream_whose_times_ignore_the_order_is_read(make_video, tmp_path):
    """As a careless copy of an avi file makes it; its frames still come in their order."""
    path = tmp_path / "careless.ts"
    with av.open(str(make_video("h264.avi"))) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream, packet.pts = stream, packet.dts
                target.mux(packet)
    expected = clips_by_reader(make_video("h264.avi"), GRID)
    with ClipStream(path, GRID, SIZE) as stream:
        assert usable(stream, expected) == list(range(13))


def test_a_file_of_endless_zeros_is_given_up(tmp_path):
    """A terabyte that takes no room on the disk; FFmpeg would look through it for hours."""
    path = mux_video(tmp_path / "zeros.mkv", numbered_frames(20))
    os.truncate(path, 2**40)
    with pytest.raises(VideoError, match=r"zeros\.mkv: .*FFmpeg found nothing in it in good time"):
        ClipStream(path, ClipGrid(8), (24, 40), patience_sec=0.5)
