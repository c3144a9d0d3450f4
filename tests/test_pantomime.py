"""The embedded benchmark: its truth is a pure function of the spec, its figures obey geometry."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from condi_lib.videos import stick_figure
from condi_lib.videos.catalog import read_catalog_csv
from condi_lib.videos.decode import probe, read_frames
from condi_lib.videos.drawing import Actor, Painter, background
from condi_lib.videos.pantomime import (
    CLASSES,
    GENERIC,
    LOOK_ALIKES,
    PantomimeSpec,
    PantomimeSplit,
    draw,
    script,
    write_pantomime,
)

SPLITS = {"train": PantomimeSplit(7, n_clips=4), "trimmed": PantomimeSplit(5, True, 2)}
SPEC = PantomimeSpec(splits=SPLITS, size_px=16, seed=3)
TABLES = ("labels.csv", "truth.csv")


def many(spec: PantomimeSpec, n_videos: int = 400, split: str = "train"):
    return [script(spec, split, index) for index in range(n_videos)]


# --- truth ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("pantomime")
    write_pantomime(SPEC, root)
    return root


def test_tables_say_what_the_scripts_say(written):
    truth, labels = (pd.read_csv(written / name) for name in ("truth.csv", "labels.csv"))
    scripts = [script(SPEC, name, i) for name, s in SPLITS.items() for i in range(s.n_videos)]
    assert labels["file"].tolist() == [video.file for video in scripts]
    assert labels["label"].tolist() == [video.label for video in scripts]
    assert labels["split"].tolist() == ["train"] * 7 + ["trimmed"] * 5
    clips = [
        (v.file, i, clip.truth, clip.action) for v in scripts for i, clip in enumerate(v.clips)
    ]
    assert list(truth.itertuples(index=False, name=None)) == clips
    for video, n_frames in zip(scripts, [64] * 7 + [32] * 5, strict=True):
        info = probe(written / video.file)
        assert (info.n_frames, info.width_px, info.height_px) == (n_frames, 16, 16)


def test_catalog_reads_the_labels(written):
    catalog = read_catalog_csv(written / "labels.csv", classes=CLASSES)
    assert catalog.split_names == ("train", "trimmed") and len(catalog) == 12
    assert [record.label for record in catalog.split("trimmed")] == [0, 1, 2, 3, 4]


def test_two_workers_write_the_same_bytes(written, tmp_path):
    write_pantomime(SPEC, tmp_path, workers=2)
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()
    for path in written.glob("*/*.mp4"):
        twin = tmp_path / path.relative_to(written)
        np.testing.assert_array_equal(read_frames(twin), read_frames(path))


def test_killed_run_carries_on_and_its_workers_end(written, tmp_path):
    spec = replace(SPEC, splits={**SPLITS, "train": PantomimeSplit(300, n_clips=4)})
    code = (
        "import sys; from pathlib import Path; from condi_lib.videos.pantomime import *\n"
        f"if __name__ == '__main__': write_pantomime({spec!r}, Path(sys.argv[1]), workers=2)\n"
    )
    (tmp_path / "write.py").write_text(code)
    root = tmp_path / "videos"
    command = [sys.executable, tmp_path / "write.py", root]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
    while not list(root.glob("train/0*.mp4")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)  # returns once all that hold its standard output have ended
    kept = {path: path.stat().st_mtime_ns for path in root.glob("train/0*.mp4")}
    assert 0 < len(kept) < 300 and not (root / "labels.csv").exists()

    write_pantomime(spec, root)
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert len(list(root.glob("train/0*.mp4"))) == 300
    first = pd.read_csv(root / "truth.csv").head(7 * 4)  # the same as without the other 93
    pd.testing.assert_frame_equal(first, pd.read_csv(written / "truth.csv").head(7 * 4))


def test_missing_videos_are_drawn_again_and_others_kept(written, tmp_path):
    write_pantomime(SPEC, tmp_path)
    videos = sorted(tmp_path.glob("*/*.mp4"))
    when = {path: path.stat().st_mtime_ns for path in videos}
    videos[3].unlink()
    (tmp_path / "labels.csv").unlink()
    write_pantomime(SPEC, tmp_path)
    changed = [path for path in videos if path.stat().st_mtime_ns != when[path]]
    assert changed == [videos[3]]
    assert videos[3].read_bytes() == (written / videos[3].relative_to(tmp_path)).read_bytes()


def test_folder_of_another_spec_is_refused(written):
    with pytest.raises(ValueError, match=r"of another spec \(other cue, seed\); write to another"):
        write_pantomime(replace(SPEC, cue=0.5, seed=4), written)
    assert json.loads((written / "spec.json").read_text())["seed"] == 3


def test_scripts_depend_on_nothing_but_their_own_number():
    alone = PantomimeSpec(splits={"train": SPLITS["train"]}, size_px=16, seed=3)
    assert [script(SPEC, "train", i) for i in (6, 2)] == [script(alone, "train", i) for i in (6, 2)]
    larger = replace(SPEC, splits={**SPLITS, "train": PantomimeSplit(9000, n_clips=4)})
    assert script(larger, "train", 2) == script(SPEC, "train", 2)
    assert script(replace(SPEC, seed=4), "train", 2) != script(SPEC, "train", 2)
    same = PantomimeSpec(splits={"a": SPLITS["train"], "b": SPLITS["train"]})
    assert script(same, "a", 0).clips != script(same, "b", 0).clips


def test_labels_are_balanced_and_files_say_them():
    videos = many(SPEC, 24)
    assert [video.label for video in videos] == list(CLASSES) * 2
    assert videos[13].file == "train/00013_box.mp4"


# --- knobs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "confuser"), [(0.35, 0.35), (0.6, 0.1), (0.9, 0.1), (0.2, 0.0)])
def test_shares_follow_the_knobs(key, confuser):
    splits = {"train": PantomimeSplit(400, n_clips=12)}
    spec = PantomimeSpec(splits=splits, key_share=key, confuser_share=confuser)
    kinds = [clip.truth for video in many(spec) for clip in video.clips]
    at_least_one = (1 - key) ** 12 / 12  # one clip of each video without any becomes key
    for kind, share in (("key", key + at_least_one), ("confuser", confuser)):
        assert kinds.count(kind) / 4800 == pytest.approx(share, abs=0.025)  # > 3 standard errors
    assert all(any(c.truth == "key" for c in video.clips) for video in many(spec))


def test_clips_show_what_their_truth_says():
    for video in many(PantomimeSpec(splits=SPLITS), 100):
        confusers = {clip.action for clip in video.clips if clip.truth == "confuser"}
        assert len(confusers) <= 1 and confusers <= set(LOOK_ALIKES[video.label])
        for clip in video.clips:
            assert clip.truth != "key" or clip.action == video.label
            assert (clip.truth == "generic") == (clip.action in GENERIC)


def test_trimmed_videos_show_the_label_only():
    for video in many(SPEC, 30, "trimmed"):
        assert {(clip.truth, clip.action) for clip in video.clips} == {("key", video.label)}


def test_generic_clips_gather_at_the_ends():
    spec = PantomimeSpec(splits={"train": PantomimeSplit(1, n_clips=12)})
    generic = np.mean([[c.truth == "generic" for c in v.clips] for v in many(spec)], axis=0)
    assert generic[[0, -1]].min() > generic[3:9].max()


@pytest.mark.parametrize("cue", [1.0, 0.8, 0.5])
def test_cue_scales_amplitude_and_tempo_of_confusers_alone(cue):
    plain, cued = (PantomimeSpec(splits=SPLITS, cue=value, spread=0.2) for value in (1.0, cue))
    for before, after in zip(many(plain, 60), many(cued, 60), strict=True):
        for full, subdued in zip(before.clips, after.clips, strict=True):
            factor = cue if full.truth == "confuser" else 1
            assert subdued.amplitude == pytest.approx(factor * full.amplitude)
            assert subdued.tempo == pytest.approx(factor * full.tempo)
            assert 0.8 <= full.amplitude <= 1.2 and 0.8 <= full.tempo <= 1.2
            assert (subdued.action, subdued.truth) == (full.action, full.truth)


def test_look_alikes_are_mutual_and_balanced():
    for action, others in LOOK_ALIKES.items():
        assert len(others) == 2 and action not in others
        assert all(action in LOOK_ALIKES[other] for other in others)
    assert set(LOOK_ALIKES) == set(CLASSES) and len(CLASSES) == 12


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("key_share", 1.2, r"key_share must be in \[0, 1\], got 1.2"),
        ("confuser_share", float("nan"), "confuser_share must be in .* got nan"),
        ("confuser_share", 0.7, r"key_share \+ confuser_share must be at most 1, got 1.05"),
        ("cue", 0.0, r"cue must be in \(0, 1\], got 0"),
        ("spread", 1.0, r"spread must be in \[0, 1\), got 1"),
        ("size_px", 47, "size_px must be even and at least 16, got 47"),
        ("clip_frames", 0, "clip_frames must be at least 1, got 0"),
        ("fps", 0, "fps must be at least 1"),
        ("seed", -1, "seed must be at least 0, got -1"),
        ("splits", {"a/b": PantomimeSplit(1)}, "split 'a/b' cannot be the name of a folder"),
    ],
)
def test_bad_knobs_are_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        PantomimeSpec(**{field: value})


def test_empty_splits_are_refused():
    with pytest.raises(ValueError, match="n_videos must be at least 1, got 0"):
        PantomimeSplit(0)
    with pytest.raises(ValueError, match="n_clips must be at least 1, got 0"):
        PantomimeSplit(1, n_clips=0)


# --- drawing -------------------------------------------------------------------------------------

PHASE = np.linspace(0, 2 * np.pi, 40)
LIMBS = {
    ("hip", "neck"): stick_figure.TORSO,
    ("neck", "head"): stick_figure.NECK_TO_HEAD,
    **{(f"shoulder_{s}", f"elbow_{s}"): stick_figure.UPPER_ARM for s in "lr"},
    **{(f"elbow_{s}", f"hand_{s}"): stick_figure.FOREARM for s in "lr"},
    **{(f"hip_{s}", f"knee_{s}"): stick_figure.THIGH for s in "lr"},
    **{(f"knee_{s}", f"foot_{s}"): stick_figure.SHIN for s in "lr"},
}


@pytest.mark.parametrize("amplitude", [0.4, 1.0, 1.25])
@pytest.mark.parametrize("action", [*stick_figure.ACTIONS, *stick_figure.IDLE])
def test_limbs_keep_their_lengths_and_feet_stay_above_ground(action, amplitude):
    joints = stick_figure.move(action, PHASE, amplitude)
    at = {name: joints[:, index] for name, index in stick_figure.INDEX.items()}
    for (start, end), length in LIMBS.items():
        measured = np.linalg.norm(at[end] - at[start], axis=1)
        np.testing.assert_allclose(measured, length, rtol=1e-9)
    lowest = joints[..., 1].min(axis=1)
    assert (lowest > -1e-9).all()
    in_the_air = {"jump", "jumping_jack", "run"}
    assert (lowest.max() > 0.01) == (action in in_the_air)
    assert lowest.min() == pytest.approx(0, abs=0.005)  # each touches the ground


def test_amplitude_subdues_the_movement():
    for action in stick_figure.ACTIONS:
        small, full = (np.ptp(stick_figure.move(action, PHASE, a), axis=0) for a in (0.5, 1.0))
        assert small.sum() < 0.85 * full.sum(), action


ACTOR = Actor((200, 150, 120), (60, 80, 160), (40, 40, 60), (30, 20, 10), 0.7, 0.5, 0.9, 1)


def test_actions_look_different():
    paint = Painter(ACTOR, background(0, 64))
    films = {a: np.stack(list(paint.draw(stick_figure.move(a, PHASE)))) for a in CLASSES}
    for name, film in films.items():
        for other in set(CLASSES) - {name}:
            share = (np.abs(film.astype(int) - films[other]).max(axis=3) > 30).mean()
            assert share > 0.01, (name, other)  # of all pixels; a figure covers about 8 %


def test_empty_scene_is_the_background_and_hidden_hides():
    spec = PantomimeSpec(splits={"train": PantomimeSplit(1, n_clips=12)}, size_px=128)
    seen = set()
    for video in (v for v in many(spec, 40) if not v.mirrored):
        frames, scene = None, background(video.background, 128)
        for index, clip in enumerate(video.clips):
            if clip.action in {"empty", "hidden"} - seen:
                frames = draw(video, spec) if frames is None else frames
                shown = frames[16 * index : 16 * index + 16]
                if clip.action == "empty":
                    assert (shown == scene).all()
                else:  # nothing moves where the board is
                    x, y = round(video.actor.x * 128), round((video.actor.ground - 0.1) * 128)
                    assert (np.ptp(shown[:, y - 20 : y, x - 10 : x + 10], axis=0) == 0).all()
                seen.add(clip.action)
    assert seen == {"empty", "hidden"}


def test_mirrored_video_is_the_mirror_image():
    video = script(SPEC, "train", 0)
    films = [draw(replace(video, mirrored=mirrored), SPEC) for mirrored in (False, True)]
    np.testing.assert_array_equal(films[1], films[0][:, :, ::-1])


def test_same_scene_at_another_size():
    small, large = (draw(script(SPEC, "train", 1), SPEC, size) for size in (48, 192))
    assert large.shape == (64, 192, 192, 3)
    averaged = np.stack([cv2.resize(f, (48, 48), interpolation=cv2.INTER_AREA) for f in large])
    difference = np.abs(averaged.astype(int) - small)
    assert difference.mean() < 2 and np.mean(difference.max(axis=3) > 40) < 0.01
    other = draw(script(SPEC, "train", 2), SPEC, 48)
    assert np.abs(other.astype(int) - small).mean() > 5  # what a wrong scene would give


def test_drawing_twice_gives_the_same_pixels():
    video = script(SPEC, "train", 4)
    np.testing.assert_array_equal(draw(video, SPEC), draw(video, SPEC))


def test_poses_flow_from_clip_to_clip():
    """No jump where clips meet is larger than twice the largest one within clips."""
    spec = PantomimeSpec(splits={"t": PantomimeSplit(1, True, 6)}, size_px=64)
    for index in range(12):
        frames = draw(script(spec, "t", index), spec).astype(int)
        change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
        borders = change[15::16]
        assert borders.max() < 2 * np.delete(change, np.arange(15, 95, 16)).max()
