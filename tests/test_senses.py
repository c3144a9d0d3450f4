"""What networks are shown and at what cost, studies side by side, and pictures of sound."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from tiny_study import tiny, write_params

from condi_lib.analysis.results import Sweep
from condi_lib.analysis.senses import accuracy_between, network_table, sounds_of_actions
from condi_lib.plotting import METHODS, sound_sheet
from condi_lib.statistics import bootstrap_difference
from condi_lib.study import open_study
from condi_lib.videos.log_mel import LogMel
from condi_lib.videos.screenplay import CLASSES, PantomimeSpec

SENSES = {
    "condi_sr": {},
    "less": {"loss": "condi_sr", "student": {"options": {"pool": 2, "every": 2}}},
    "motion": {"loss": "condi_sr", "student": {"options": {"view": "motion"}}},
    "frame": {"loss": "condi_sr", "student": {"options": {"single_frames": 1}}},
    "sound": {"loss": "condi_sr", "student": {"sound": {"mels": 12, "steps": 12}}},
}


def test_what_networks_are_shown_and_what_it_costs_by_hand(root):
    """Width 2: a flat stem, then halves of everything, and so on; 12 classes, one confidence."""

    def by_hand(frames, size):
        half, quarter, eighth = -(-size // 2), -(-size // 4), -(-size // 8)
        stem = frames * half**2 * 9 * 3 * 2
        second = -(-frames // 2) * quarter**2 * 27 * 2 * 4
        return stem + second + -(-frames // 4) * eighth**2 * 27 * (4 * 8 + 8 * 12)

    write_params(root, tiny(losses=SENSES))
    assert not (root / "data" / "runs").exists()
    table = network_table(open_study("tiny"))
    assert dict(table["shown"]) == {
        "teacher": "4 frames of 16 px",
        "condi_sr": "4 frames of 16 px",
        "less": "2 frames of 8 px",
        "motion": "3 changes of 16 px",
        "frame": "1 of 4 frames of 16 px, each alone",
        "sound": "sound, 12 mel bands x 12 steps",
    }
    expected = {"condi_sr": (4, 16), "less": (2, 8), "motion": (3, 16), "frame": (1, 16)}
    assert not (root / "data" / "runs").exists()  # nothing was trained for it
    for name, (frames, size) in (expected | {"sound": (1, 12)}).items():
        assert table.loc[name, "mmacs"] == pytest.approx((by_hand(frames, size) + 12 * 13) / 1e6)
    assert table.loc["condi_sr", "parameters"] - table.loc["teacher", "parameters"] == 13


def test_two_sweeps_of_the_same_videos_are_compared_by_video():
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 2, (3, 40, n)).astype(np.float32) for n in (2, 4))
    found = accuracy_between(
        Sweep({"a": one}, [1, 2]), "a", 2, Sweep({"b": other}, [1, 2, 3, 4]), "b", 3
    )
    assert found == bootstrap_difference(one[:, :, 1], other[:, :, 2])
    assert found.value == pytest.approx(one[:, :, 1].mean() - other[:, :, 2].mean())


def test_every_action_has_a_sound_of_its_own():
    patches = sounds_of_actions(PantomimeSpec(), LogMel())
    assert tuple(patches) == CLASSES
    assert all(patch.shape == (48, 48) and patch.max() > 110 for patch in patches.values())
    highest = {name: int(patch.max(axis=1)[30:].max()) for name, patch in patches.items()}
    assert highest["clap"] > highest["run"]  # a clap is bright, a step is dull
    again = sounds_of_actions(PantomimeSpec(), LogMel())
    assert all(np.array_equal(patches[name], again[name]) for name in CLASSES)


def test_a_sheet_of_sounds_shows_its_numbers():
    look = LogMel(mels=8, steps=6)
    patches = {"one_hand": np.arange(48, dtype=np.uint8).reshape(8, 6)}
    fig, axes = plt.subplots(1, 2)
    assert sound_sheet(axes, patches, 0.5, look.peaks_hz) is axes
    (image,) = axes[0].get_images()
    assert np.array_equal(image.get_array(), patches["one_hand"])
    assert image.get_extent() == [0, 0.5, -0.5, 7.5] and image.origin == "lower"
    assert axes[0].get_title() == "one hand" and not axes[1].axison
    tick, (text, *_) = axes[0].get_yticks()[1], axes[0].get_yticklabels()
    assert look.peaks_hz[int(tick)] <= 1000 <= look.peaks_hz[int(tick) + 1]
    assert text.get_text() == "200"
    plt.close(fig)


def test_methods_of_the_chapter_have_looks_of_their_own():
    names = ["condi_sr", "motion", "sound", "one_frame", "four_frames"]
    assert len({METHODS[name].colour for name in names}) == len(names)
