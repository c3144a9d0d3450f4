"""Frames come exactly, by number, upright and in their colours; bad files are named.

Every frame of the files made here shows its own number, so that what a test reads is known without
any decoder's help. A whole decode by PyAV alone is the second opinion.
"""

import os
import pickle
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import mux_sound, mux_video, numbered_frames, read_numbers

from condi_lib.videos.cursor import FrameCursor
from condi_lib.videos.decode import VideoError, VideoReader, probe, read_frames, write_video
from condi_lib.videos.frame_table import FrameTable

N = 100
H264 = {"preset": "veryfast", "sc_threshold": "0"}
REAL_DATA = Path(
    os.environ.get("CONDI_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
RNG = np.random.default_rng(7)
UNEVEN_TIMES = np.cumsum(RNG.integers(1, 6, N)).tolist()

# name of the file -> how to make it; the muxer goes by the suffix
KINDS = {
    **{
        f"h264_g{gop}_b{b_frames}.{suffix}": {
            "options": {**H264, "g": str(gop), "bf": str(b_frames)}
        }
        for gop in (16, 30, 250)
        for b_frames in (0, 3)
        for suffix in ("mp4", "mkv")
    },
    "open_gop.mp4": {"options": {"x264-params": "open-gop=1:keyint=16:bframes=3:scenecut=0"}},
    "intra_refresh.mkv": {"options": {"x264-params": "intra-refresh=1:keyint=30:bframes=0"}},
    "interlaced.mp4": {"options": {"g": "16", "x264-params": "tff=1"}},
    "hevc.mp4": {
        "codec": "libx265",
        "options": {"x265-params": "log-level=none:keyint=16:bframes=4:open-gop=1"},
    },
    "hevc.mkv": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=16"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "30", "lag-in-frames": "16"}},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "30", "auto-alt-ref": "1"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"g": "30", "preset": "12"}},
    "av1.mkv": {"codec": "libsvtav1", "options": {"g": "30", "preset": "12"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "16", "bf": "2", "qscale": "3"}},
    "h264.avi": {"options": {"g": "16", "bf": "2"}},
    "mjpeg.avi": {"codec": "mjpeg", "options": {"qscale": "3"}, "pixel_format": "yuvj420p"},
    "lossless.mkv": {"codec": "ffv1", "pixel_format": "bgr0"},
    "transport.ts": {"options": {"g": "16", "bf": "2"}},
    "flash.flv": {"options": {"g": "16", "bf": "2"}},
    "fragments.mp4": {
        "options": {"g": "16"},
        "muxer_options": {"movflags": "frag_keyframe+empty_moov"},
    },
    "index_first.mp4": {"options": {"g": "16"}, "muxer_options": {"movflags": "faststart"}},
    "late_start.mp4": {"options": {"g": "16"}, "times": range(100, 100 + N)},
    "late_start.mkv": {"options": {"g": "16"}, "times": range(100, 100 + N)},
    "uneven.mp4": {"times": UNEVEN_TIMES, "time_base": Fraction(1, 90)},
    "uneven.mkv": {"times": UNEVEN_TIMES, "time_base": Fraction(1, 90)},
    "with_sound.mp4": {"audio_sec": N / 30},
    "longer_sound.mkv": {"audio_sec": 5},
    "ten_bit.mp4": {"pixel_format": "yuv420p10le"},
    "grey.mp4": {"pixel_format": "gray"},
    "full_range.mp4": {"pixel_format": "yuvj420p"},
}
# An edit list hides what is shown before time 0, though it must be decoded.
EDITED = {"options": {"g": "16"}, "times": range(-20, N - 20)}
SHORT = numbered_frames(20)


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Make a file once, by its name in ``KINDS``."""
    folder = tmp_path_factory.mktemp("videos")
    frames = numbered_frames(N)

    def make_file(name: str) -> Path:
        path = folder / name
        return path if path.exists() else mux_video(path, frames, **KINDS[name])

    return make_file


@pytest.fixture(autouse=True)
def quiet(capfd):
    """Nothing, FFmpeg above all, may write to stderr while it reads."""
    yield
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if not line.startswith("Svt[")] == []  # an encoder's chatter


def naive_frames(path: Path) -> np.ndarray:
    """Decode everything by PyAV alone."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


# ---------------------------------------------------------------------------------------- frames


@pytest.mark.parametrize("name", KINDS)
def test_whole_decode_by_clip_and_scattered_give_the_same_exact_frames(make, name):
    path = make(name)
    whole = read_frames(path)
    assert read_numbers(whole) == list(range(N))
    assert (whole == naive_frames(path)).all()
    assert probe(path).n_frames == N
    rng = np.random.default_rng(0)
    with VideoReader(path) as reader:
        for start in rng.permutation(N)[:8]:  # clips in any order, forward and back
            clip = np.arange(start, min(start + 8, N))
            assert (reader.read(clip) == whole[clip]).all()
        scattered = rng.integers(0, N, 12)  # unordered, with repeats
        assert (reader.read(scattered) == whole[scattered]).all()
        assert read_numbers(np.stack(list(reader))) == list(range(N))


def test_frames_hidden_by_an_edit_list_are_not_counted(tmp_path):
    path = mux_video(tmp_path / "edited.mp4", numbered_frames(N), **EDITED)
    whole = read_frames(path)
    assert read_numbers(whole) == list(range(20, N))
    assert probe(path).n_frames == N - 20
    with VideoReader(path) as reader:
        for start in (70, 3, 40):
            assert (reader.read(range(start, start + 8)) == whole[start : start + 8]).all()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("name", ["h264_g16_b3.mp4", "open_gop.mp4", "hevc.mp4"])
def test_a_recording_that_begins_between_keyframes_begins_at_the_next(make, tmp_path, name, suffix):
    """What lacks its keyframe cannot be decoded: it is no frame of the file, by any reading."""
    path = tmp_path / f"cut.{suffix}"
    with av.open(str(make(name))) as source, av.open(path, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        third_key = [place for place, packet in enumerate(packets) if packet.is_keyframe][2]
        for packet in packets[third_key + 5 :]:  # shown from frame 32 + 5 on, about
            packet.stream = stream
            target.mux(packet)
    whole = read_frames(path)
    assert read_numbers(whole) == list(range(48, N))  # the fourth keyframe of one every 16
    assert probe(path).n_frames == N - 48
    with VideoReader(path) as reader:
        assert (reader.read([30, 4, 5]) == whole[[30, 4, 5]]).all()


@pytest.mark.parametrize("name", ["h264_g16_b3.mp4", "h264_g16_b3.mkv", "mpeg4.avi"])
def test_reading_nothing_and_one_frame_repeated(make, name):
    with VideoReader(make(name)) as reader:
        assert reader.read([]).shape == (0, 48, 80, 3)
        assert read_numbers(reader.read([50] * 3)) == [50, 50, 50]


@pytest.mark.parametrize("name", ["h264_g16_b3.mp4", "mpeg4.avi"])
@pytest.mark.parametrize(("asked", "message"), [(N, f"has {N} frames"), (-1, "count from 0")])
def test_frames_that_do_not_exist_are_refused(make, name, asked, message):
    with VideoReader(make(name)) as reader:
        with pytest.raises(IndexError, match=rf"{name}: frame {asked} asked for; .*{message}"):
            reader.read([0, asked])
        assert read_numbers(reader.read([1])) == [1]  # and the reader still reads


@pytest.mark.parametrize("indices", [[0.5], [True, False], [[0, 1]], ["0"]])
def test_indices_must_be_whole_numbers(make, indices):
    with (
        VideoReader(make("h264_g16_b3.mp4")) as reader,
        pytest.raises(TypeError, match="indices must be whole numbers"),
    ):
        reader.read(indices)


# ----------------------------------------------------------------------------------------- jumps


def jumps_while_reading(path: Path, clips: list[range], monkeypatch) -> int:
    jumps = []
    jump = FrameCursor._jump
    monkeypatch.setattr(
        FrameCursor, "_jump", lambda self, number: (jumps.append(number), jump(self, number))
    )
    with VideoReader(path) as reader:
        jumps.clear()  # one brought the reader back from the end of the packets to frame 0
        for clip in clips:
            assert read_numbers(reader.read(clip)) == list(clip)
    return len(jumps)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("gop", "clips", "expected"),
    [
        (16, [range(0, 8), range(8, 16)], 0),  # next to each other
        (16, [range(0, 8), range(10, 15)], 0),  # a gap, but no keyframe in it
        (16, [range(0, 8), range(20, 28)], 1),  # keyframe 16 lies between
        (16, [range(0, 8), range(40, 48), range(90, 98)], 2),
        (250, [range(0, 8), range(40, 48), range(90, 98)], 0),  # one keyframe: seeking never pays
        (250, [range(90, 98), range(0, 8)], 1),  # back to the start
    ],
)
def test_a_jump_is_made_only_where_a_keyframe_lies_between(
    make, monkeypatch, suffix, gop, clips, expected
):
    assert jumps_while_reading(make(f"h264_g{gop}_b3.{suffix}"), clips, monkeypatch) == expected


@pytest.mark.parametrize(
    "name",
    ["h264_g16_b3.mp4", "h264_g16_b3.mkv", "open_gop.mp4", "hevc.mp4", "hevc.mkv", "vp9.webm"],
)
def test_a_jump_lands_on_the_keyframe_itself(make, monkeypatch, name):
    seen = []
    frame_at = FrameTable.frame_at
    monkeypatch.setattr(
        FrameTable, "frame_at", lambda self, pts: seen.append(frame_at(self, pts)) or seen[-1]
    )
    with VideoReader(make(name)) as reader:
        keys = reader._cursor.table.key_frames.tolist()
        for key in keys[:0:-1]:  # backward, so that every read is a jump
            seen.clear()
            reader.read([key + 2])
            assert seen == [key, key + 1, key + 2]
    assert keys == list(range(0, N, keys[1]))


def test_a_jump_that_lands_beyond_its_frame_is_made_good(make, monkeypatch):
    path = make("h264_g16_b3.mp4")
    with VideoReader(path) as reader:
        table = reader._cursor.table
        table.key_stamps[:] = table.key_stamps[-1]  # as a demuxer would that lands anywhere
        assert read_numbers(reader.read([40, 41])) == [40, 41]
        assert read_numbers(reader.read([20, 60])) == [20, 60]
        assert not reader._cursor._may_jump


# ---------------------------------------------------------------------------------- size, colour


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
def test_sizes(make, kind, expected):
    frames = read_frames(make("h264_g16_b3.mp4"), range(64, 72), **kind)
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
def test_impossible_sizes_are_refused(make, sizes, message):
    with pytest.raises(ValueError, match=message):
        VideoReader(make("h264_g16_b3.mp4"), **sizes)


# ------------------------------------------------------------------------------------------ info


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
def test_info(make, name, codec):
    info = probe(make(name))
    assert (info.path, info.codec) == (make(name), codec)
    assert (info.n_frames, info.height_px, info.width_px) == (N, 48, 80)
    assert info.fps == pytest.approx(30, rel=1e-3)  # matroska counts in milliseconds
    assert info.duration_sec == pytest.approx(N / 30, rel=1e-3)


def test_info_of_uneven_times_is_the_mean(make):
    gap_sec = (UNEVEN_TIMES[-1] - UNEVEN_TIMES[0]) / (N - 1) / 90
    info = probe(make("uneven.mp4"))
    assert info.fps == pytest.approx(1 / gap_sec, rel=1e-6)
    assert info.duration_sec == pytest.approx(N * gap_sec, rel=1e-6)


def test_a_reader_tells_the_same_info(make):
    for name in ("h264_g16_b3.mp4", "mpeg4.avi"):
        with VideoReader(make(name), short_side_px=24) as reader:
            assert reader.info == probe(make(name))


# ------------------------------------------------------------------------------------- bad files


def spoil(path: Path, source: Path, share: float) -> Path:
    """Cut a file off after a share of its bytes."""
    content = source.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def without_moov(path: Path, source: Path) -> Path:
    """Leave an mp4 without its index, as a recorder does whose battery dies."""
    content = source.read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 4])
    return path


def text(path: Path) -> Path:
    path.write_text("file,label\na.mp4,clap\n" * 50)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def with_cover(path: Path) -> Path:
    """A song with a picture, which FFmpeg takes for a video of one frame."""
    with av.open(path, "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=16000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(cover.encode(frame))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        silence.sample_rate = 16000
        container.mux(sound.encode(silence))
        container.mux(sound.encode())
        container.mux(cover.encode())
    return path


def nothing(path: Path) -> Path:
    path.touch()
    return path


def noise(path: Path) -> Path:
    path.write_bytes(bytes(range(256)) * 40)
    return path


def at_once(path: Path) -> Path:
    """Show all frames at time 0."""
    kind = {"options": {"bf": "0"}, "times": [0] * 20, "time_base": Fraction(1, 1000)}
    return mux_video(path, SHORT, **kind)


# file name -> how to make it (its path, the maker of good files), what the error says
BAD_FILES = {
    "missing.mp4": (lambda path, make: path, "does not exist"),
    "folder.mp4": (lambda path, make: folder(path), "is a folder"),
    "empty.mp4": (lambda path, make: nothing(path), r"is empty \(0 bytes\)"),
    "text.mp4": (lambda path, make: text(path), "is not a video"),
    "text.txt": (lambda path, make: text(path), "is a text file"),
    "noise.mp4": (lambda path, make: noise(path), "is not a video"),
    "cut_in_frames.mp4": (
        lambda path, make: spoil(path, make("index_first.mp4"), 0.6),
        r"is truncated: its 'mdat' part should end at byte \d+, the file at byte \d+",
    ),
    "cut_before_index.mp4": (
        lambda path, make: spoil(path, make("h264_g16_b3.mp4"), 0.3),
        "is truncated: its 'mdat' part",
    ),
    "no_index.mp4": (
        lambda path, make: without_moov(path, make("h264_g16_b3.mp4")),
        "is truncated: it lacks its 'moov' part",
    ),
    "cut_fragments.mp4": (
        lambda path, make: spoil(path, make("fragments.mp4"), 0.5),
        "is truncated: its 'm",
    ),
    "cut.mkv": (
        lambda path, make: spoil(path, make("h264_g16_b3.mkv"), 0.6),
        "is truncated: its 'Segment'",
    ),
    "cut.webm": (
        lambda path, make: spoil(path, make("vp9.webm"), 0.99),
        "is truncated: its 'Segment'",
    ),
    "cut.avi": (
        lambda path, make: spoil(path, make("mpeg4.avi"), 0.5),
        "is truncated: its 'RIFF'",
    ),
    "sound.mp4": (lambda path, make: mux_sound(path), "has only audio"),
    "sound_with_cover.mp4": (lambda path, make: with_cover(path), "has only audio"),
    "one_frame.mp4": (lambda path, make: write_video(path, SHORT[:1]), "has one frame"),
    "one_frame.avi": (
        lambda path, make: mux_video(path, SHORT[:1], codec="mpeg4"),
        "has one frame",
    ),
    "at_once.mkv": (lambda path, make: at_once(path), "has zero duration"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_named_with_the_cause_and_what_to_do(make, tmp_path, name):
    build, cause = BAD_FILES[name]
    path = build(tmp_path / name, make)
    with pytest.raises(VideoError, match=cause) as caught:
        probe(path)
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.cause}; {caught.value.advice}"
    again = pickle.loads(pickle.dumps(caught.value))  # as worker processes send it
    assert (str(again), again.cause) == (str(caught.value), caught.value.cause)


def test_damage_within_a_file_raises_where_it_lies_and_every_time(make, tmp_path):
    source = make("h264_g30_b0.mp4")
    with av.open(str(source)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][40]
        start, end = packet.pos + 10, packet.pos + packet.size
    content = bytearray(source.read_bytes())
    content[start:end] = b"\xff" * (end - start)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    with VideoReader(path) as reader:
        assert reader.info.n_frames == N
        assert read_numbers(reader.read(range(30, 40))) == list(range(30, 40))
        for _ in range(2):
            with pytest.raises(VideoError, match=r"damaged.mp4: is damaged at frame 40.*; re-enc"):
                reader.read([45])
        assert read_numbers(reader.read(range(60, 70))) == list(range(60, 70))
    with pytest.raises(VideoError, match="damaged at frame 40"):
        read_frames(path)


def test_a_file_that_decodes_to_fewer_frames_than_it_lists_raises(make):
    with VideoReader(make("h264_g30_b0.mp4")) as reader:
        table = reader._cursor.table
        longer = np.append(table.pts, table.pts[-1] + 512)
        object.__setattr__(table, "pts", longer)
        with pytest.raises(VideoError, match=f"promises {N + 1} frames, of which {N} decode"):
            list(reader)


# ----------------------------------------------------------------------------------------- write


def test_the_same_frames_give_the_same_bytes_and_replace_the_file(tmp_path):
    path = write_video(tmp_path / "a.mp4", SHORT)
    first = path.read_bytes()
    assert write_video(path, iter(SHORT)).read_bytes() == first
    assert read_numbers(read_frames(path)) == list(range(20))
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_a_broken_off_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_video(tmp_path / "a.mp4", SHORT)
    first = path.read_bytes()

    def breaking_off():
        yield from SHORT[:5]
        raise RuntimeError("the power failed")

    with pytest.raises(RuntimeError, match="the power failed"):
        write_video(path, breaking_off())
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (SHORT[:0], "there are no frames"),
        (SHORT[:, :47], "47 x 80 px .* even sizes"),
        (SHORT.astype(np.float32), "float32"),
        (SHORT[..., 0], "need RGB"),
        ([SHORT[0], SHORT[1, :40]], r"frame 1 is uint8 \[40, 80, 3\], frame 0 uint8 \[48, 80, 3\]"),
    ],
)
def test_frames_that_cannot_be_written_are_refused(tmp_path, frames, message):
    with pytest.raises(ValueError, match=rf"a\.mp4: cannot be written with libx264: .*{message}"):
        write_video(tmp_path / "a.mp4", frames)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------ real files


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
