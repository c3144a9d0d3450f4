"""Networks that listen: the pantomime's sound, clips as they are heard, and studies of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_clips import training_data, write_videos
from tiny_study import tiny

from condi_lib.clip_table import read_clip_table
from condi_lib.losses import build_objective
from condi_lib.models import Student, build_backbone, load_weights
from condi_lib.selective import SelectiveClassifier
from condi_lib.study import ensure, read_study
from condi_lib.study.datasets import open_dataset
from condi_lib.study.specs import run_folder, run_name
from condi_lib.study.starts import build_network
from condi_lib.training.settings import TrainingSettings, fingerprint
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import VideoError, read_frames
from condi_lib.videos.encode import SoundTrack, write_video
from condi_lib.videos.loader import ClipSet, cache_clips
from condi_lib.videos.log_mel import LogMel
from condi_lib.videos.pantomime import starting_phases, write_pantomime
from condi_lib.videos.preprocess import Preprocess
from condi_lib.videos.screenplay import (
    CLASSES,
    GENERIC,
    ClipTruth,
    PantomimeSpec,
    PantomimeSplit,
    script,
)
from condi_lib.videos.sound import read_sound
from condi_lib.videos.soundtrack import CLAP, RATE_HZ, SOUNDS, soundtrack

SPLIT = {"test": PantomimeSplit(12, n_clips=4)}
LOOK = LogMel(mels=16, steps=16)


def acted(action, tempo=1.0, amplitude=1.0, n_clips=1, label="clap", seed=0):
    """A script in which every clip is one performance."""
    clip = ClipTruth("key", action, amplitude, tempo)
    video = script(PantomimeSpec(SPLIT), "test", 0)
    return replace(video, label=label, clips=(clip,) * n_clips, noise_seed=seed)


def onsets(samples, threshold=0.05, apart_sec=0.1):
    """Seconds at which it becomes loud after having been quiet."""
    loud = np.flatnonzero(np.abs(samples) > threshold)
    return loud[np.r_[True, np.diff(loud) > apart_sec * RATE_HZ]] / RATE_HZ if len(loud) else loud


# --- the pantomime's sound --------------------------------------------------------------------


@pytest.mark.parametrize(("tempo", "phase"), [(1.0, 0.5), (1.0, np.pi), (1.25, 3.0), (0.75, 5.0)])
def test_hands_clap_whenever_they_meet(tempo, phase):
    """Phase 0 of a cycle, by hand: in clip c at second c + (2 π m - phase) / (2 π tempo)."""
    spec = PantomimeSpec(SPLIT)
    track = soundtrack(acted("clap", tempo, n_clips=3), spec, [phase] * 3)
    turns = np.arange(1, 4) - phase / (2 * np.pi)
    expected = [clip + turn / tempo for clip in range(3) for turn in turns if turn < tempo]
    assert len(track) == 3 * RATE_HZ
    np.testing.assert_allclose(onsets(track), expected, atol=0.002)


def test_every_action_is_heard_and_what_is_idle_is_not():
    spec = PantomimeSpec(SPLIT)
    assert set(SOUNDS) == {*CLASSES, *GENERIC} - {"walk_in", "hidden"}
    room = np.abs(soundtrack(acted("stand"), spec, [0.0])).max()
    assert np.array_equal(
        soundtrack(acted("stand"), spec, [0.0]), soundtrack(acted("empty"), spec, [0.0])
    )
    for action in CLASSES:
        assert np.abs(soundtrack(acted(action), spec, [0.1])).max() > 2 * room, action


def test_a_smaller_performance_is_quieter_and_the_hidden_one_muffled():
    spec = PantomimeSpec(SPLIT)
    loudest = {
        name: np.abs(soundtrack(video, spec, [1.0])).max()
        for name, video in {
            "full": acted("clap"),
            "half": acted("clap", amplitude=0.5),
            "hidden": acted("hidden", label="clap"),
        }.items()
    }
    assert loudest["half"] == pytest.approx(loudest["full"] / 4, rel=0.15)  # amplitude squared
    assert loudest["hidden"] == pytest.approx(loudest["full"] / 4, rel=0.15)


def test_a_confuser_sounds_like_what_it_acts():
    spec = PantomimeSpec(SPLIT)
    as_confuser = replace(acted("box"), clips=(ClipTruth("confuser", "box", 0.9, 0.9),))
    assert np.array_equal(
        soundtrack(as_confuser, spec, [2.0]), soundtrack(acted("box", 0.9, 0.9), spec, [2.0])
    )


def test_noises_peak_where_they_say_and_lie_in_their_band():
    noise = CLAP.draw(np.random.default_rng(0), pitch=1.0)
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequency = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    inside = (frequency >= 600) & (frequency <= 5200)
    assert power[inside].sum() > 0.9 * power.sum()


def test_videos_have_their_sound_and_the_same_pictures(tmp_path):
    """From the files alone: the track that was made, and the pictures of the silent twin."""
    quiet = PantomimeSpec(SPLIT, size_px=16, clip_frames=4, fps=4)
    loud = replace(quiet, sound=True)
    for spec, name in ((quiet, "quiet"), (loud, "loud")):
        write_pantomime(spec, tmp_path / name)
    for index in range(12):
        video = script(loud, "test", index)
        pictures, silence = tmp_path / "loud" / video.file, tmp_path / "quiet" / video.file
        assert np.array_equal(read_frames(silence), read_frames(pictures))
        assert read_sound(silence) is None
        made = soundtrack(video, loud, starting_phases(video))
        times = np.linspace(0.1, len(made) / RATE_HZ - 0.1, 64)[None]
        heard, meant = (LogMel().patches(x, times) for x in (read_sound(pictures), made))
        # AAC keeps what noise sounds like, not its wave; a step of 5 is 1.6 dB.
        assert np.abs(heard.astype(int) - meant).mean() < 5


# --- clips as they are heard ------------------------------------------------------------------


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """Three videos of 3, 2 and 2 clips of 4 frames, the second one without sound."""
    folder = tmp_path_factory.mktemp("heard")
    catalog, n_frames = write_videos(folder, [12, 8, 7])
    rng = np.random.default_rng(0)
    for index, record in enumerate(catalog):
        frames = read_frames(record.path)
        noise = rng.uniform(-0.5, 0.5, len(frames) * RATE_HZ // 8).astype(np.float32)
        noise *= np.linspace(0, 1, len(noise), dtype=np.float32)
        sound = None if index == 1 else SoundTrack(noise, codec="flac")
        write_video(record.path, frames, 8, sound=sound)
    return ClipSet(catalog, ClipGrid(4, stride=2), (16, 16), n_frames, sound=LOOK)


def test_a_clip_is_the_patch_of_what_is_heard_with_its_frames(heard):
    """By hand: file by file, clip by clip, frames at eighths of a second."""
    expected = []
    for record, n_frames in zip(heard.catalog, heard.n_frames, strict=True):
        samples = read_sound(record.path)
        for start in range(0, n_frames, 4):
            left = min(4, n_frames - start)
            middles = [(start + (column + 0.5) / 4 % left) / 8 for column in range(16)]
            expected.append(LOOK.patches(samples, np.array([middles]))[0])
    assert heard.shape == (7, 1, 16, 16, 3)
    found = next(heard.batches([range(7)]))[:, 0]
    assert torch.equal(found[..., 0], torch.from_numpy(np.stack(expected)))
    assert torch.equal(found[..., 0], found[..., 1]) and torch.equal(found[..., 0], found[..., 2])
    assert found[:3].any() and not found[3:5].any() and found[5:].any()


def test_cached_decoded_and_by_workers_it_sounds_the_same(heard, tmp_path):
    batches = [[6, 0, 0], [3], [5, 1, 2, 4]]
    plain = list(heard.batches(batches))
    cache_clips(heard, tmp_path / "sound.npy")
    cached = replace(heard, cache=tmp_path / "sound.npy")
    for others in (cached.batches(batches), heard.batches(batches, workers=1)):
        assert all(torch.equal(a, b) for a, b in zip(plain, others, strict=True))
    with pytest.raises(ValueError, match=r"holds uint8 .* these clips are"):
        replace(heard, sound=None, cache=tmp_path / "sound.npy")
    other = LogMel(mels=16, steps=16, floor_db=-60)
    with pytest.raises(ValueError, match="or cut otherwise; delete it"):
        replace(heard, sound=other, cache=tmp_path / "sound.npy")
    assert heard.table().equals(replace(heard, sound=None).table())


def test_a_file_that_has_changed_is_an_error(heard):
    changed = replace(heard, n_frames=heard.n_frames + np.array([0, 0, 1]))
    with pytest.raises(VideoError, match=r"2_bright\.mp4: has 7 frames but had 8 when it was"):
        changed[6]


# --- studies ----------------------------------------------------------------------------------

SOUND = {"mels": 16, "steps": 16}
HEARD = {
    "dataset.pantomime.sound": True,
    "dataset.pantomime.fps": 4,
    "losses": {"condi_sr": {}, "heard": {"loss": "condi_sr", "student": {"sound": SOUND}}},
}


def test_a_study_trains_a_student_that_listens(root):
    """Seen from outside: the file's network on patches made here gives the table's numbers."""
    study = read_study(tiny(**HEARD))
    spec = study.student_of("heard", 0)
    assert spec.teacher == study.student_of("condi_sr", 0).teacher
    assert spec.preprocess == Preprocess(16, (0.5,) * 3, (0.25,) * 3, flip=False)
    table = read_clip_table(ensure(spec) / "scores", ["test"])
    weights = load_weights(run_folder(spec) / "weights.safetensors")
    assert weights.recipe.sound == LOOK and "16 mel bands x 16" in weights.describe()
    student = Student(weights.build()).eval()
    student.confidence_head.load_state_dict(weights.confidence_head)
    dataset = open_dataset(spec.teacher.dataset, run_folder(spec.teacher.dataset))
    clips = replace(dataset.clips, sound=LOOK, cache=None)
    with torch.inference_mode():
        output = student(weights.preprocess(next(clips.batches([clips.rows(["test"])]))))
    torch.testing.assert_close(output.class_logits, table.student_logits)
    confidence = torch.from_numpy(table.clips["confidence"].to_numpy(copy=True))
    torch.testing.assert_close(output.confidence_logit.sigmoid(), confidence)
    files = [run_folder(run) / "weights.safetensors" for run in (spec.teacher, spec)]
    with pytest.raises(ValueError, match="listens to clips, and selective inference shows frames"):
        SelectiveClassifier.load(*files)
    (cache,) = run_folder(spec.teacher.dataset).glob("sound-*.npy")
    assert np.load(cache).shape == clips.shape


def test_nobody_listens_to_silent_videos(root):
    silent = read_study(tiny(**HEARD | {"dataset.pantomime.sound": False}))
    with pytest.raises(ValueError, match="none of the 48 videos has sound, so no network can"):
        ensure(silent.student_of("heard", 0))


def test_another_look_at_the_sound_is_another_run():
    runs = [
        run_name(read_study(tiny(**{"student.sound": sound})).student_of("condi_sr", 0))
        for sound in ({}, SOUND, SOUND | {"floor_db": -60.0})
    ]
    assert len({*runs, run_name(read_study(tiny()).student_of("condi_sr", 0))}) == 4


def test_training_on_sound_is_another_training(heard):
    def of(clips):
        data = training_data(clips, teacher=False)
        model, objective = build_backbone("small_cnn3d", 2), build_objective("classification")
        return fingerprint(model, objective, data, TrainingSettings())

    prints = {of(heard), of(replace(heard, sound=None)), of(replace(heard, sound=LogMel()))}
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("student", "message"),
    [
        ({"preprocess": {"crop_px": 16}}, "preprocess.flip would play sound backwards"),
        (
            {"preprocess": {"crop_px": 17, "flip": False}},
            r"crop_px: 17 is larger than the patches of its sound, \[16, 16\]",
        ),
        ({"sound": {"mels": 300}}, "300 mel bands up to 8000 Hz are too narrow"),
    ],
)
def test_a_student_that_could_not_listen_is_refused(student, message):
    losses = {"heard": {"loss": "condi_sr", "student": {"sound": SOUND} | student}}
    with pytest.raises(ValueError, match=message):
        read_study(tiny(**{"losses": losses}))


def test_weights_used_as_they_are_hear_what_they_heard_in_training(root):
    listening = read_study(tiny(**HEARD))
    weights = ensure(listening.student_of("heard", 0)) / "weights.safetensors"
    as_it_is = {"weights": str(weights), "training": {"epochs": 0}}
    losses = {"seen": {"loss": "condi_sr", "student": as_it_is}}
    seeing = read_study(tiny(**HEARD | {"losses": losses}))
    with pytest.raises(ValueError, match=r"was trained on LogMel\(.*\), .* is given pixels"):
        build_network(seeing.student_of("seen", 0), CLASSES)
