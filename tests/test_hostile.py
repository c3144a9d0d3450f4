"""No file crashes, blocks or exhausts what reads it, and none is read as something else.

Each file is read in four ways, by processes that this one can outlive.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_files import GROUPS, ONE_PIXEL, make_hostile_files
from read_hostile import WAYS
from tiny_clips import network
from video_files import mux_video, numbered_frames

from condi_lib.sampling import DENSE, Selected
from condi_lib.selective import ClipNetwork, SelectiveClassifier
from condi_lib.videos.clip_stream import ClipStream
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import VideoError, probe
from condi_lib.videos.preprocess import Preprocess

CHILD = Path(__file__).with_name("read_hostile.py")
HUNG_SEC = 60  # of the clock on a machine that may be busy; CPU time is held to MOST_CPU_SEC
MOST_CPU_SEC, MOST_BYTES = 10, 10**9
LEAST_CONTRAST = 0.5  # standard deviation of a frame, of 255
REFUSED = {"no video", "no file", "too large"}
INTACT = {"cut", "declared", "name"}  # in these groups not a byte of a picture is touched


class Child:
    """A process that reads what it is told to."""

    def __enter__(self):
        pipe = subprocess.PIPE
        command = [sys.executable, str(CHILD)]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.said = self.process.communicate()[1].decode()

    def line(self) -> dict | None:
        """The next line that it writes; None if it dies or hangs."""
        text = b""
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], HUNG_SEC)
            piece = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not piece:
                return None
            text += piece
        return json.loads(text)

    def read(self, path: Path, way: str) -> dict:
        self.process.stdin.write(json.dumps({"path": str(path), "way": way}).encode() + b"\n")
        found = self.line()
        return {"crash": f"hangs or died, code {self.process.poll()}"} if found is None else found


def read_all(files: dict[str, Path]) -> Iterator[tuple[str, str, dict]]:
    pending = [(what, way) for what in files for way in WAYS]
    while pending:
        with Child() as child:
            while pending:
                what, way = pending.pop(0)
                found = child.read(files[what], way)
                yield what, way, found
                if "hangs" in found.get("crash", ""):
                    break
        assert child.said == ""  # nothing, FFmpeg above all, writes to stderr


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "files"
    return make_hostile_files(folder), folder / "sources"


@pytest.fixture(scope="module")
def found(corpus):
    return list(read_all(corpus[0]))


@pytest.fixture(scope="module")
def sums(corpus):
    """The checksums of the clips of the intact files that the others were made from."""
    names = ("end.mp4", "front.mp4", "plain.mkv", "mpeg4.avi", "stream.ts")
    with Child() as child:
        return {name: child.read(corpus[1] / name, "stream")["sums"] for name in names}


def test_there_are_many(corpus):
    assert len(corpus[0]) >= 180
    assert {what.split(":")[0] for what in corpus[0]} == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("way", WAYS)
def test_each_is_read_or_refused_by_name_in_bounded_time_and_memory(found, group, way):
    failures = [
        (what, result)
        for what, how, result in found
        if what.startswith(f"{group}: ") and how == way
        if not (
            "crash" not in result
            and result.get("named", True)
            and ("error" in result if group in REFUSED else True)
            and ("error" not in result if group == "name" else True)
            and result["cpu_sec"] <= MOST_CPU_SEC
            and result["peak_bytes"] <= MOST_BYTES
        )
    ]
    assert failures == []


def test_no_picture_is_blank(found):
    blank = [
        (what, way, result["contrast"])
        for what, way, result in found
        if result.get("contrast", 255) < LEAST_CONTRAST and ONE_PIXEL not in what
    ]
    assert blank == []


def test_where_no_picture_is_touched_every_clip_is_that_of_the_intact_file(found, sums):
    by_suffix = {Path(name).suffix: value for name, value in sums.items()}
    n_clips = 0
    for what, way, result in found:
        if what.split(":")[0] not in INTACT or way != "stream" or "error" in result:
            continue
        source = what.split()[1]
        expected = sums.get(source) or by_suffix.get(f".{source}") or sums["end.mp4"]
        for clip, total in enumerate(result["sums"]):
            # The clip in which a stream was cut off loops over the frames that are left of it.
            is_last = source == "stream.ts" and clip == len(result["sums"]) - 1
            assert total is None or is_last or total == expected[clip], what
            n_clips += total is not None
        if what.startswith("name: "):
            assert result["sums"] == expected, what
    assert n_clips > 100


@pytest.mark.parametrize("who", ["the file", "its folder"])
def test_a_file_that_may_not_be_read(tmp_path, who):
    """As somebody else, since nothing is forbidden to root."""
    path = tmp_path / "private" / "a.mp4"
    path.parent.mkdir()
    mux_video(path, numbered_frames(20)).chmod(0o600 if who == "its folder" else 0)
    path.parent.chmod(0o700 if who == "the file" else 0)
    is_root = os.geteuid() == 0
    try:
        if is_root:
            try:
                os.seteuid(65534)
            except OSError:
                pytest.skip("this root cannot be anybody else")
        for read in (probe, lambda file: ClipStream(file, ClipGrid(8), (24, 40))):
            with pytest.raises(VideoError, match=r"a\.mp4: cannot be read \(Permission denied\)"):
                read(path)
    finally:
        if is_root:
            os.seteuid(0)
        path.parent.chmod(0o700)


@pytest.mark.parametrize("kind", ["pipe", "device zero", "socket"])
def test_what_is_no_file_is_named(corpus, kind):
    with pytest.raises(
        VideoError, match=r"cannot be read \(it is a pipe, socket or device\); copy"
    ):
        probe(corpus[0][f"no file: {kind}"])


def test_a_playlist_is_not_followed(corpus):
    lists = [path for what, path in corpus[0].items() if "playlist" in what or "concat" in what]
    assert len(lists) >= 5
    for path in lists:
        with pytest.raises(VideoError, match="is not a video"):
            probe(path)


def test_frames_without_bounds_are_named(corpus):
    message = r"of 16383 x 16383 px, more than \d+ px|frames of more than \d+ px"
    for name in ("vp8.webm", "moving.gif"):
        with pytest.raises(VideoError, match=message):
            probe(corpus[0][f"too large: {name} of 16383 px"])


@pytest.mark.parametrize(
    "policy", [DENSE, Selected(k_clips=2), Selected("equidistant", 2)], ids=str
)
def test_each_ends_in_a_prediction_or_an_error_that_names_the_file(corpus, policy):
    pixels = Preprocess(24, mean=(0.5,) * 3)
    networks = ClipNetwork(network(), pixels), ClipNetwork(network("condi_sr"), pixels)
    model = SelectiveClassifier(*networks, policy, ("bright", "dark"), ClipGrid(8), (24, 40))
    paths = list(corpus[0].values())
    answers = list(model.predict_many(paths))
    assert len(answers) == len(paths)
    predicted = [each for each in answers if not isinstance(each, VideoError)]
    assert 40 < len(predicted) < len(paths) - 40
    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, VideoError):
            assert answer.path == path and answer.cause and answer.advice
        else:
            assert answer.video == str(path) and answer.probs.sum() == pytest.approx(1)
            assert answer.n_teacher and not answer.clips["damaged"].all()
    damaged = [each for each in predicted if each.damaged_frames]
    assert damaged or policy == Selected("equidistant", 2)
    for each in damaged:
        assert each.clips["damaged"].any() or each.stopped_at_frame is not None
