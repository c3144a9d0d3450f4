"""Writing videos: complete or not at all, and the same bytes for the same frames."""

import numpy as np
import pytest
from video_files import (
    numbered_frames,
    read_numbers,
)

from condi_lib.videos.decode import read_frames, write_video

pytestmark = pytest.mark.usefixtures("quiet")

SHORT = numbered_frames(20)


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
