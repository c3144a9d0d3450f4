"""A video of the reader's own in the explorer: real networks, real files, also bad ones."""

import html
import re

import numpy as np
import pytest
from tiny_study import tiny, write_params

from condi_lib.explore import Networks, Setting, explore
from condi_lib.explore.sources import Choice
from condi_lib.explore.your_video import networks_of_study, policy_of
from condi_lib.sampling import DENSE, Divided, Selected
from condi_lib.selective import SelectiveClassifier
from condi_lib.study import open_study
from condi_lib.videos.decode import write_video

N_FRAMES, CLIP_FRAMES = 38, 4  # ten clips


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which the tiny study is computed."""
    root = tmp_path_factory.mktemp("project")
    write_params(root, tiny())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONDI_ROOT", str(root))
        opened = open_study("tiny")
        assert "not computed yet" in networks_of_study(opened, Choice("condi_sr")).why_none
        opened.table("condi_sr", 0)
        yield root


@pytest.fixture
def explorer(project):
    explorer = explore(open_study("tiny"), setting=Setting(k_clips=2))
    explorer.tab.selected_index = 3
    yield explorer
    assert explorer.errors == []


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "my video <1>.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (N_FRAMES, 32, 24, 3), np.uint8)
    write_video(path, noise, fps=10)
    return path


def classify(explorer, path):
    explorer.yours.path.value = str(path)
    explorer.yours.button.click()
    explorer.yours.working.join()
    return explorer.yours


def plain(markup):
    return html.unescape(re.sub("<[^>]*>", " ", markup))


def test_is_classified_as_by_the_library(explorer, video):
    page = classify(explorer, video)
    networks = explorer.yours.networks
    classifier = SelectiveClassifier.load(
        networks.teacher, networks.student, Selected("confidence", 2)
    )
    expected = classifier.predict(video)
    assert np.array_equal(page.prediction.probs, expected.probs)
    name, probability = expected.top(1)[0]
    said = plain(page.answer.value)
    assert f"my video <1>.mp4: {name.replace('_', ' ')}, {100 * probability:.0f} %" in said
    tiles = re.findall(r"<button.*?</button>", page.strip.html, re.S)
    used = [n for n, tile in enumerate(tiles) if ">teacher</span>" in tile]
    assert used == np.flatnonzero(expected.clips["teacher_weight"]).tolist()
    assert len(tiles) == 10 and page.strip.html.count("data:image/webp") == 10
    assert (page.bar.value, page.bar.max) == (10, 10)
    assert page.note.value == "" and not page.button.disabled


def test_plays_its_clips(explorer, video):
    page = classify(explorer, video)
    page.strip.choose("clip-4")
    assert ": frames 16 to 19, 1.6 s to 2.0 s" in plain(page.card.value)
    assert "<b>Clip 5</b>" in page.card.value
    assert "data:image/webp" in page.card.value


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [("gone.mp4", None, "gone"), ("text.mp4", b"no video", "text"), ("empty.mp4", b"", "empty")],
)  # fmt: skip
def test_that_cannot_be_read_is_told_in_a_line_and_the_next_one_works(
    explorer, video, tmp_path, name, content, cause
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    page = classify(explorer, tmp_path / name)
    assert cause in page.note.value and "\n" not in page.note.value
    assert page.prediction is None and not page.button.disabled
    assert page.strip.html == page.answer.value == ""
    assert classify(explorer, video).prediction is not None
    assert page.note.value == ""


def test_can_be_uploaded(explorer, video):
    page = explorer.yours
    content, kind = memoryview(video.read_bytes()), "video/mp4"
    file = {"name": video.name, "content": content, "type": kind, "size": len(content)}
    page.upload.set_state({"value": [file | {"last_modified": 0}]})  # as it comes from a browser
    page.working.join()
    assert page.prediction is not None and page.path.value.endswith(video.name)


@pytest.mark.parametrize("change", [{"way": "oracle"}, {"score": "teacher_max_softmax"}])
def test_cannot_be_given_what_only_its_label_or_a_full_pass_tells(explorer, video, change):
    for name, value in change.items():
        getattr(explorer.controls, name).value = value
    page = classify(explorer, video)
    assert "needs" in plain(page.note.value) and page.prediction is None


@pytest.mark.parametrize(
    ("setting", "policy"),
    [
        (Setting(k_clips=3), Selected("confidence", 3)),
        (Setting("best", "student_max_logit", 2), Selected("student_max_logit", 2)),
        (Setting("equidistant", k_clips=4), Selected("equidistant", 4)),
        (Setting("dense", k_clips=4), DENSE),
        (Setting(k_clips=5, k_student=2), Divided(5, 2)),
    ],
    ids=str,
)
def test_settings_are_policies(setting, policy):
    assert policy_of(setting) == policy


def test_needs_networks():
    with pytest.raises(ValueError, match="set teacher_weights"):
        _ = Networks().classifier
