"""Frames come exactly, by number, upright and in their colours, from every kind of file.

Every frame of the files made here shows its own number, so that what a test reads is known without
any decoder's help. A whole decode by PyAV alone is the second opinion.
"""

import os
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import (
    KINDS,
    N_FRAMES,
    UNEVEN_TIMES,
    mux_video,
    numbered_frames,
    read_numbers,
)

from condi_lib.videos.decode import VideoError, VideoReader, probe, read_frames, write_video

pytestmark = pytest.mark.usefixtures("quiet")

REAL_DATA = Path(
    os.environ.get("CONDI_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
# An edit list hides what is shown before time 0, though it must be decoded.
EDITED = {"options": {"g": "16"}, "times": range(-20, N_FRAMES - 20)}
SHORT = numbered_frames(20)


def naive_frames(path: Path) -> np.ndarray:
    """Decode everything by PyAV alone."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("name", KINDS)
def test_whole_decode_by_clip_and_scattered_give_the_same_exact_frames(make_video, name):
    path = make_video(name)
    whole = read_frames(path)
    assert read_numbers(whole) == list(range(N_FRAMES))
    assert (whole == naive_frames(path)).all()
    assert probe(path).n_frames == N_FRAMES
    rng = np.random.default_rng(0)
    with VideoReader(path) as reader:
        for start in rng.permutation(N_FRAMES)[:8]:  # clips in any order, forward and back
            clip = np.arange(start, min(start + 8, N_FRAMES))
            assert (reader.read(clip) == whole[clip]).all()
        scattered = rng.integers(0, N_FRAMES, 12)  # unordered, with repeats
        assert (reader.read(scattered) == whole[scattered]).all()
        assert read_numbers(np.stack(list(reader))) == list(range(N_FRAMES))


def test_frames_hidden_by_an_edit_list_are_not_counted(tmp_path):
    path = mux_video(tmp_path / "edited.mp4", numbered_frames(N_FRAMES), **EDITED)
    whole = read_frames(path)
    assert read_numbers(whole) == list(range(20, N_FRAMES))
    assert probe(path).n_frames == N_FRAMES - 20
    with VideoReader(path) as reader:
        for start in (70, 3, 40):
            assert (reader.read(range(start, start + 8)) == whole[start : start + 8]).all()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("name", ["h264_g16_b3.mp4", "open_gop.mp4", "hevc.mp4"])
def test_a_recording_that_begins_between_keyframes_begins_at_the_next(
    make_video, tmp_path, name, suffix
):
    """What lacks its keyframe cannot be decoded: it is no frame of the file, by any reading."""
    path = tmp_path / f"cut.{suffix}"
    with av.open(str(make_video(name))) as source, av.open(path, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        third_key = [place for place, packet in enumerate(packets) if packet.is_keyframe][2]
        for packet in packets[third_key + 5 :]:  # shown from frame 32 + 5 on, about
            packet.stream = stream
            target.mux(packet)
    whole = read_frames(path)
    assert read_numbers(whole) == list(range(48, N_FRAMES))  # the fourth keyframe of one every 16
    assert probe(path).n_frames == N_FRAMES - 48
    with VideoReader(path) as reader:
        assert (reader.read([30, 4, 5]) == whole[[30, 4, 5]]).all()


@pytest.mark.parametrize("name", ["h264_g16_b3.mp4", "h264_g16_b3.mkv", "mpeg4.avi"])
def test_reading_nothing_and_one_frame_repeated(make_video, name):
    with VideoReader(make_video(name)) as reader:
        assert reader.read([]).shape == (0, 48, 80, 3)
        assert read_numbers(reader.read([50] * 3)) == [50, 50, 50]


@pytest.mark.parametrize("name", ["h264_g16_b3.mp4", "mpeg4.avi"])
@pytest.mark.parametrize(
    ("asked", "message"), [(N_FRAMES, f"has {N_FRAMES} frames"), (-1, "count from 0")]
)
def test_frames_that_do_not_exist_are_refused(make_video, name, asked, message):
    with VideoReader(make_video(name)) as reader:
        with pytest.raises(IndexError, match=rf"{name}: frame {asked} asked for; .*{message}"):
            reader.read([0, asked])
        assert read_numbers(reader.read([1])) == [1]  # and the reader still reads


@pytest.mark.parametrize("indices", [[0.5], [True, False], [[0, 1]], ["0"]])
def test_indices_must_be_whole_numbers(make_video, indices):
    with (
        VideoReader(make_video("h264_g16_b3.mp4")) as reader,
        pytest.raises(TypeError, match="indices must be whole numbers"),
    ):
        reader.read(indices)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("hflip", [False, True])
def test_rotation_and_mirroring_are_applied(tmp_path, degrees, hflip):
    stored = numbered_frames(10, height=48, width=80)
    kind = {"codec": "libx264", "options": {"qp": "0"}, "pixel_format": "yuv444p"}
    plain = read_frames(mux_video(tmp_path / "plain.mp4", stored, **kind))
    path = mux_video(tmp_path / "turned.mp4", stored, rotation=degrees, hflip=hflip, **kind)
    expected = np.rot90(plain, degrees // 90, axes=(1, 2))
    if hflip:
        expected = expected[:, :, ::-1]
    assert (read_frames(path) == expected).all()
    info = probe(path)
    assert (info.height_px, info.width_px) == expected.shape[1:3]
    assert read_frames(path, short_side_px=24).shape[1:3] == (
        (24, 40) if degrees % 180 == 0 else (40, 24)
    )


def test_a_rotation_that_is_no_quarter_turn_is_refused(tmp_path):
    path = mux_video(tmp_path / "tilted.mp4", SHORT, rotation=30)
    with pytest.raises(VideoError, match=r"tilted.mp4: .* rotated by \d+ degrees, no quarter turn"):
        probe(path)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv420p10le", "yuv444p"])
def test_colours_survive(tmp_path, pixel_format):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 100, 50)]
    frames = np.array(colours, dtype=np.uint8)[:, None, None].repeat(48, 1).repeat(64, 2)
    path = write_video(
        tmp_path / "colours.mp4", frames, options={"qp": "1"}, pixel_format=pixel_format
    )
    error = np.abs(read_frames(path).astype(int) - frames)
    assert error.max() <= 4


@pytest.mark.parametrize("size", [(49, 83), (48, 81), (35, 64)])
def test_odd_sizes_come_back_up_to_the_last_row_and_column(tmp_path, size):
    frames = numbered_frames(20, *size)
    path = write_video(tmp_path / "odd.mp4", frames, options={"qp": "0"}, pixel_format="yuv444p")
    assert np.abs(read_frames(path).astype(int) - frames).max() <= 4


@pytest.mark.parametrize("size", [(49, 83), (48, 81), (35, 64)])
def test_odd_sizes_with_colours_at_half_the_resolution(tmp_path, size):
    frames = np.full((5, *size, 3), (200, 100, 50), dtype=np.uint8)
    path = mux_video(tmp_path / "odd.webm", frames, codec="libvpx-vp9")
    assert probe(path).codec == "vp9"
    assert np.abs(read_frames(path).astype(int) - frames).max() <= 4


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({}, (48, 80)),
        ({"short_side_px": 24}, (24, 40)),
        ({"short_side_px": 25}, (25, 41)),  # 25 * 80 / 48 = 41.67, rounded down
        ({"short_side_px": 96}, (96, 160)),
        ({"size_px": (32, 32)}, (32, 32)),
    ],
)
def test_sizes(make_video, kind, expected):
    frames = read_frames(make_video("h264_g16_b3.mp4"), range(64, 72), **kind)
    assert frames.shape == (8, *expected, 3)
    assert frames.dtype == np.uint8
    assert read_numbers(frames) == list(range(64, 72))


def test_shrinking_averages(tmp_path):
    """A checkerboard of single pixels becomes grey: no pixel of the original is passed over."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    frames = np.repeat(board[None, :, :, None], 3, axis=3).repeat(2, axis=0)
    path = write_video(
        tmp_path / "board.mkv", frames, codec="ffv1", pixel_format="bgr0", options={}
    )
    assert (read_frames(path) == frames).all()
    assert np.abs(read_frames(path, size_px=(16, 16)).astype(int) - 127).max() <= 5


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"short_side_px": 24, "size_px": (24, 24)}, "not both"),
        ({"short_side_px": 0}, "at least 1 px"),
        ({"size_px": (24, -1)}, "at least 1 px"),
    ],
)
def test_impossible_sizes_are_refused(make_video, sizes, message):
    with pytest.raises(ValueError, match=message):
        VideoReader(make_video("h264_g16_b3.mp4"), **sizes)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("h264_g16_b3.mp4", "h264"),
        ("h264_g16_b3.mkv", "h264"),
        ("late_start.mp4", "h264"),
        ("h264.avi", "h264"),
        ("hevc.mp4", "hevc"),
        ("vp9.webm", "vp9"),
        ("av1.mp4", "av1"),
        ("mpeg4.avi", "mpeg4"),
    ],
)
def test_info(make_video, name, codec):
    info = probe(make_video(name))
    assert (info.path, info.codec) == (make_video(name), codec)
    assert (info.n_frames, info.height_px, info.width_px) == (N_FRAMES, 48, 80)
    assert info.fps == pytest.approx(30, rel=1e-3)  # matroska counts in milliseconds
    assert info.duration_sec == pytest.approx(N_FRAMES / 30, rel=1e-3)


def test_info_of_uneven_times_is_the_mean(make_video):
    gap_sec = (UNEVEN_TIMES[-1] - UNEVEN_TIMES[0]) / (N_FRAMES - 1) / 90
    info = probe(make_video("uneven.mp4"))
    assert info.fps == pytest.approx(1 / gap_sec, rel=1e-6)
    assert info.duration_sec == pytest.approx(N_FRAMES * gap_sec, rel=1e-6)


def test_a_reader_tells_the_same_info(make_video):
    for name in ("h264_g16_b3.mp4", "mpeg4.avi"):
        with VideoReader(make_video(name), short_side_px=24) as reader:
            assert reader.info == probe(make_video(name))


def real_files() -> list[Path]:
    folder = REAL_DATA / "decoder_clips"
    return sorted(folder.iterdir()) if folder.is_dir() else []


@pytest.mark.parametrize("path", real_files() or [None], ids=lambda path: path and path.name)
def test_real_files_decode_the_same_whole_and_by_clip(path):
    if path is None:
        pytest.skip(f"no real videos in {REAL_DATA}; name their folder by CONDI_REAL_DATA")
    info = probe(path)
    whole = read_frames(path, short_side_px=32)
    assert len(whole) == info.n_frames
    assert whole.std() > 10  # pictures, not blanks
    with VideoReader(path, short_side_px=32) as reader:
        for share in (0.8, 0.1, 0.5):
            start = int(share * info.n_frames)
            clip = np.arange(start, min(start + 8, info.n_frames))
            assert (reader.read(clip) == whole[clip]).all()
