"""Pictures of clips: the right frames, decoded when they are asked for, in bounded memory."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from video_files import numbered_frames, read_numbers

from condi_lib.explore.pictures import Pictures, encode, pictures_of_files, pictures_of_study
from condi_lib.study import open_study
from condi_lib.videos.decode import VideoError, write_video

N_FRAMES, CLIP = 38, 16  # three clips, the last of 6 frames


def opened(picture: str) -> Image.Image:
    kind, _, content = picture.partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two videos whose frames bear their numbers."""
    folder = tmp_path_factory.mktemp("videos")
    for name in ("a.mp4", "b.mp4"):
        options = {"crf": "0", "preset": "ultrafast", "g": "8"}
        write_video(folder / name, numbered_frames(N_FRAMES), options=options)
    (folder / "bad.mp4").write_bytes(b"no video at all")
    return folder


class TestFiles:
    @pytest.mark.parametrize(("start", "middle"), [(0, 8), (16, 24), (32, 32)])
    def test_show_the_middle_of_a_clip_or_its_beginning_where_it_is_short(
        self, folder, start, middle
    ):
        pictures = pictures_of_files(folder, CLIP, side_px=64)
        assert read_numbers(pictures.frames("a.mp4", start)) == [middle]

    def test_move_through_the_frames_that_there_are(self, folder):
        pictures = pictures_of_files(folder, CLIP, side_px=64)
        assert read_numbers(pictures.frames("a.mp4", 16, moving=True)) == list(range(16, 32))
        assert read_numbers(pictures.frames("a.mp4", 32, moving=True)) == list(range(32, 38))
        assert opened(pictures.animation("a.mp4", 16)).n_frames == 16

    def test_decode_no_more_than_the_clips_that_are_looked_at(self, folder):
        asked = []

        def read(video_id, wanted):
            asked.append((video_id, wanted))
            return np.zeros((len(wanted), 8, 8, 3), np.uint8)

        pictures = Pictures(read, CLIP)
        for _ in range(3):
            pictures.thumbnail("a.mp4", 16)
        assert asked == [("a.mp4", range(24, 25))]

    def test_say_what_is_wrong_with_a_file(self, folder):
        pictures = pictures_of_files(folder, CLIP)
        with pytest.raises(VideoError, match="bad"):
            pictures.thumbnail("bad.mp4", 0)
        with pytest.raises(IndexError, match=r"a\.mp4: has no frame 64"):
            pictures.thumbnail("a.mp4", 64)
        found, problem = pictures.thumbnails("bad.mp4", [0, 16])
        assert not found and "bad.mp4" in problem
        found, problem = pictures.thumbnails("a.mp4", [0, 64])
        assert list(found) == [0] and "no frame 64" in problem
        assert pictures.moving("gone.mp4", 0) is None


class TestMemory:
    def test_stays_within_its_bound_and_keeps_what_was_seen_last(self):
        rng, asked = np.random.default_rng(0), []

        def noise(video_id, wanted):
            asked.append(video_id)
            return rng.integers(0, 256, (len(wanted), 32, 32, 3), np.uint8)

        pictures = Pictures(noise, CLIP, most_bytes=20_000)
        for number in range(200):
            pictures.thumbnail(f"{number}", 0)
            assert pictures.n_bytes <= 20_000
        kept = sum(map(len, pictures._kept.values()))
        assert kept == pictures.n_bytes > 10_000
        pictures.thumbnail("199", 0)
        assert asked.count("199") == 1
        pictures.thumbnail("0", 0)
        assert asked.count("0") == 2


def test_a_pantomime_is_drawn_anew_without_files():
    study = open_study("reference")
    pictures = pictures_of_study(study)
    video_id = "test/00003_jump.mp4"
    whole = study.frames(video_id, 128)
    assert np.array_equal(pictures.frames(video_id, 16, moving=True), whole[16:32])
    assert np.array_equal(pictures.frames(video_id, 0)[0], whole[8])
    assert pictures.fps == study.spec.dataset.pantomime.fps


def test_pictures_keep_their_colours_and_rate():
    red = np.zeros((3, 32, 32, 3), np.uint8)
    red[..., 0] = [[[200]], [[150]], [[100]]]
    picture = opened(encode(red, fps=10))
    assert picture.n_frames == 3 and picture.format == "WEBP"
    picture.seek(1)
    assert np.asarray(picture.convert("RGB"))[16, 16].astype(int) == pytest.approx(
        [150, 0, 0], abs=12
    )
    assert picture.info["duration"] == 100
