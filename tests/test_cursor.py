"""Jumps pay, land where they should and never change a frame; damage is met where it lies."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import (
    N_FRAMES,
    read_numbers,
)

from condi_lib.videos.cursor import FrameCursor
from condi_lib.videos.decode import VideoError, VideoReader, read_frames
from condi_lib.videos.frame_table import FrameTable

pytestmark = pytest.mark.usefixtures("quiet")


def jumps_while_reading(path: Path, clips: list[range], monkeypatch) -> int:
    jumps = []
    jump = FrameCursor._jump
    monkeypatch.setattr(
        FrameCursor, "_jump", lambda self, number: jumps.append(number) or jump(self, number)
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
    make_video, monkeypatch, suffix, gop, clips, expected
):
    assert (
        jumps_while_reading(make_video(f"h264_g{gop}_b3.{suffix}"), clips, monkeypatch) == expected
    )


@pytest.mark.parametrize(
    "name",
    ["h264_g16_b3.mp4", "h264_g16_b3.mkv", "open_gop.mp4", "hevc.mp4", "hevc.mkv", "vp9.webm"],
)
def test_a_jump_lands_on_the_keyframe_itself(make_video, monkeypatch, name):
    seen = []
    frame_at = FrameTable.frame_at
    monkeypatch.setattr(
        FrameTable, "frame_at", lambda self, pts: seen.append(frame_at(self, pts)) or seen[-1]
    )
    with VideoReader(make_video(name)) as reader:
        keys = reader._cursor.table.key_frames.tolist()
        for key in keys[:0:-1]:  # backward, so that every read is a jump
            seen.clear()
            reader.read([key + 2])
            assert seen == list(range(key, key + len(seen)))
            assert len(seen) <= 3 + 5  # frames stored before one of these and shown after it
    assert keys == list(range(0, N_FRAMES, keys[1]))


def test_a_jump_that_lands_beyond_its_frame_is_made_good(make_video, monkeypatch):
    path = make_video("h264_g16_b3.mp4")
    with VideoReader(path) as reader:
        table = reader._cursor.table
        table.key_stamps[:] = table.key_stamps[-1]  # as a demuxer would that lands anywhere
        assert read_numbers(reader.read([40, 41])) == [40, 41]
        assert read_numbers(reader.read([20, 60])) == [20, 60]
        assert not reader._cursor._may_jump


def test_damage_within_a_file_raises_where_it_lies_and_every_time(make_video, tmp_path):
    source = make_video("h264_g30_b0.mp4")
    with av.open(str(source)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][40]
        start, end = packet.pos + 10, packet.pos + packet.size
    content = bytearray(source.read_bytes())
    content[start:end] = b"\xff" * (end - start)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    with VideoReader(path) as reader:
        assert reader.info.n_frames == N_FRAMES
        assert read_numbers(reader.read(range(30, 40))) == list(range(30, 40))
        for _ in range(2):
            with pytest.raises(VideoError, match=r"damaged.mp4: is damaged at frame 40.*; re-enc"):
                reader.read([45])
        assert read_numbers(reader.read(range(60, 70))) == list(range(60, 70))
    with pytest.raises(VideoError, match="damaged at frame 40"):
        read_frames(path)


def test_a_file_that_decodes_to_fewer_frames_than_it_lists_raises(make_video):
    with VideoReader(make_video("h264_g30_b0.mp4")) as reader:
        table = reader._cursor.table
        longer = {"pts": table.pts[-1] + 512, "sure_at": N_FRAMES}
        reader._cursor.table = replace(
            table, **{name: np.append(getattr(table, name), end) for name, end in longer.items()}
        )
        with pytest.raises(
            VideoError, match=f"promises {N_FRAMES + 1} frames, of which {N_FRAMES} decode"
        ):
            list(reader)
