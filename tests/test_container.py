"""Every kind of bad file gets an error with its name, the cause and what to do."""

import pickle
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import (
    N_FRAMES,
    mux_sound,
    mux_video,
    numbered_frames,
)

from condi_lib.videos.decode import VideoError, probe, write_video

pytestmark = pytest.mark.usefixtures("quiet")

SHORT = numbered_frames(20)


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


# file name -> how to make it, what the error says
BAD_FILES = {
    "missing.mp4": (lambda path: path, "does not exist"),
    "folder.mp4": (folder, "is a folder"),
    "empty.mp4": (nothing, r"is empty \(0 bytes\)"),
    "text.mp4": (text, "is not a video"),
    "text.txt": (text, "is not a video, but perhaps a picture, sound, text"),
    "noise.mp4": (noise, "is not a video"),
    "sound.mp4": (mux_sound, "has only audio"),
    "sound_with_cover.mp4": (with_cover, "has only audio"),
    "one_frame.mp4": (lambda path: write_video(path, SHORT[:1]), "has one frame"),
    "one_frame.avi": (lambda path: mux_video(path, SHORT[:1], codec="mpeg4"), "has one frame"),
    "at_once.mkv": (at_once, "has zero duration"),
}
# file to cut off, share of its bytes that is left, the part that the error names
CUTS = [
    ("index_first.mp4", 0.01, "moov"),
    ("index_first.mp4", 0.6, "mdat"),
    ("index_first.mp4", 0.999, "mdat"),
    ("h264_g16_b3.mp4", 0.3, "mdat"),
    ("h264_g16_b3.mp4", 0.99, "moov"),
    ("fragments.mp4", 0.01, "moov"),
    ("h264_g16_b3.mkv", 0.1, "Segment"),
    ("h264_g16_b3.mkv", 0.6, "Segment"),
    ("vp9.webm", 0.99, "Segment"),
    ("mpeg4.avi", 0.5, "RIFF"),
    ("mpeg4.avi", 0.999, "RIFF"),
]


@pytest.mark.parametrize(("source", "share", "part"), CUTS)
def test_files_that_were_cut_short_are_truncated(make_video, tmp_path, source, share, part):
    content = make_video(source).read_bytes()
    path = tmp_path / source
    path.write_bytes(content[: int(share * len(content))])
    message = rf"is truncated: its '{part}' part should end at byte (\d+), the file at byte (\d+)"
    with pytest.raises(VideoError, match=message) as caught:
        probe(path)
    should_end, ends = map(int, re.search(message, str(caught.value)).groups())
    assert ends == path.stat().st_size
    assert ends < should_end <= len(content)


def test_a_recording_whose_index_was_never_written_is_truncated(make_video, tmp_path):
    """A recorder whose battery dies leaves all frames and no index."""
    content = make_video("h264_g16_b3.mp4").read_bytes()
    path = tmp_path / "a.mp4"
    path.write_bytes(content[: content.index(b"moov") - 4])
    with pytest.raises(VideoError, match=r"a\.mp4: is truncated: it lacks its 'moov' part"):
        probe(path)


@pytest.mark.parametrize("rest", [bytes(100), b"\xff" * 50, b"\n"])
def test_what_follows_a_complete_file_does_not_matter(make_video, tmp_path, rest):
    path = tmp_path / "a.mp4"
    path.write_bytes(make_video("h264_g16_b3.mp4").read_bytes() + rest)
    assert probe(path).n_frames == N_FRAMES


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_named_with_the_cause_and_what_to_do(tmp_path, name):
    build, cause = BAD_FILES[name]
    path = tmp_path / name
    build(path)
    with pytest.raises(VideoError, match=cause) as caught:
        probe(path)
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.cause}; {caught.value.advice}"
    again = pickle.loads(pickle.dumps(caught.value))  # as worker processes send it
    assert (str(again), again.cause) == (str(caught.value), caught.value.cause)
