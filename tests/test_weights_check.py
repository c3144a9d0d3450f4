"""The sanity check of weights: it finds wrong orders of channels and classes, and guessing."""

import shutil
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from condi_lib.__main__ import main
from condi_lib.models import ClassesDiffer, load_weights
from condi_lib.models.weights import Recipe, network_metadata
from condi_lib.study.weights_check import (
    Trial,
    labelled_videos,
    report,
    try_weights,
    warnings_of,
)
from condi_lib.training import save_weights
from condi_lib.videos.catalog import Catalog
from condi_lib.videos.decode import write_video
from condi_lib.videos.preprocess import Preprocess

COLOURS = {"rust": (200, 40, 40), "grass": (40, 200, 40), "sky": (40, 40, 200)}
CLASSES = tuple(COLOURS)  # in the order of the channels, which is not alphabetical
PLAIN = Preprocess(8, (0.0,) * 3, (1.0,) * 3)
RECIPE = Recipe(PLAIN, clip_frames=4, size_px=(8, 8), resize="stretch")


def strongest_channel(num_classes: int) -> nn.Module:
    """A network that tells which of its three input channels is strongest."""
    linear = nn.Linear(3, num_classes)
    linear.load_state_dict({"weight": 20 * torch.eye(num_classes, 3), "bias": linear.bias * 0})
    return nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), linear)


BACKBONE = f"{__name__}:strongest_channel"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Nine videos of plain colour and their labels."""
    folder, rows = tmp_path_factory.mktemp("colours"), []
    for index in range(9):
        label = CLASSES[index % 3]
        frames = np.broadcast_to(np.uint8(COLOURS[label]), (10, 16, 16, 3))
        write_video(folder / f"{index}.mp4", np.ascontiguousarray(frames))
        rows.append({"file": f"{index}.mp4", "label": label})
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


def weights_file(folder, classes=CLASSES, **pixels):
    fields = {"crop_px": 8, "mean": PLAIN.mean, "std": PLAIN.std} | pixels
    recipe = Recipe(Preprocess(**fields), clip_frames=4, size_px=(8, 8), resize="stretch")
    about = network_metadata(BACKBONE, {}, classes, recipe)
    save_weights(strongest_channel(3), folder / "w.safetensors", about=about)
    return folder / "w.safetensors"


def tried(data, path, **options):
    labelled = labelled_videos(str(data / "labels.csv"), 20)
    return try_weights(load_weights(path, BACKBONE), [], labelled, **options)


def test_videos_that_are_missing_or_damaged_are_passed_over(data, tmp_path):
    data = shutil.copytree(data, tmp_path / "copy")
    where, files = str(data / "labels.csv"), sorted(data.glob("*.mp4"))
    files[0].unlink()
    files[1].write_bytes(b"<html>not available</html>")
    left = {path.name for path in files[2:]}
    assert {record.video_id for record in labelled_videos(where, 20).records} == left
    for seed in range(4):  # as many as asked for, as long as there are so many
        assert len(labelled_videos(where, len(left) - 1, seed)) == len(left) - 1
    for path in files[1:]:
        path.unlink()
    with pytest.raises(ValueError, match="of 9 videos not one can be used; see what `data check`"):
        labelled_videos(where, 20)


def test_weights_that_are_read_rightly_get_everything_right(data, tmp_path):
    trials = tried(data, weights_file(tmp_path))
    first = trials[0]
    assert first.is_recognised and (first.channels, first.classes) == ("rgb", "named")
    assert first.names == CLASSES
    assert (first.hits(), first.n_labelled, first.is_chance()) == (9, 9, False)
    assert warnings_of(trials) == []
    means = torch.tensor([200, 40, 40]) / 255  # of a video of rust, as it was written
    expected = (20 * means).softmax(dim=0).max().item()
    assert first.confidence == pytest.approx(expected, abs=1e-3)
    hits = {(trial.channels, trial.classes): trial.hits() for trial in trials}
    # Grass, rust, sky is the alphabetical order: it swaps two of three, as does BGR.
    assert hits == {
        ("rgb", "named"): 9,
        ("rgb", "alphabetical?"): 3,
        ("bgr", "named"): 3,
        ("bgr", "alphabetical?"): 0,
    }


def test_a_wrong_channel_order_is_found(data, tmp_path):
    trials = tried(data, weights_file(tmp_path, channel_order="bgr"))
    assert trials[0].channels == "bgr" and trials[0].hits() == 3
    chance, better = warnings_of(trials)
    assert "3 of 9 right is what guessing gives (chance 33.33%). Usual suspects: " in chance
    assert "RGB with class order 'named' does better" in better and "9 against 3" in better


def test_a_wrong_class_order_is_found(data, tmp_path):
    wrong = ("sky", "rust", "grass")  # all are wrong so
    trials = tried(data, weights_file(tmp_path, classes=wrong))
    assert trials[0].hits() == 0
    assert "0 of 9 right" in warnings_of(trials)[0]
    path = weights_file(tmp_path, classes=("grass", "rust", "sky"))
    (tmp_path / "w.safetensors.classes.txt").write_text("rust\ngrass\nsky\n")
    assert tried(data, path)[0].hits() == 9  # the list beside it comes first


def test_unknown_orders_are_tried_and_unknown_preprocessing_is_asked_for(data, tmp_path):
    path = tmp_path / "w.pth"
    torch.save(strongest_channel(3).state_dict(), path)
    weights = load_weights(path, BACKBONE)
    labelled = labelled_videos(str(data / "labels.csv"), 20)
    with pytest.raises(ValueError, match=r"w\.pth: the preprocessing .* not known .*--preprocess"):
        try_weights(weights, [], labelled)
    trials = try_weights(weights, [], labelled, PLAIN)
    assert [(t.channels, t.classes) for t in trials] == [
        ("rgb", "alphabetical?"),
        ("bgr", "alphabetical?"),
    ]
    assert not any(t.is_recognised for t in trials) and trials[0].hits() == 3
    in_its_order = replace(labelled, classes=CLASSES, records=())
    trials = try_weights(weights, [data / "0.mp4"], in_its_order, PLAIN)
    assert [t.classes for t in trials[:2]] == ["alphabetical?", "the data set's?"]
    with pytest.raises(ClassesDiffer, match="has 3 classes, the data set 2"):
        try_weights(weights, [], Catalog(data, ("a", "b"), ()), PLAIN)


def test_videos_without_labels_are_shown_too(data, tmp_path):
    weights = load_weights(weights_file(tmp_path), BACKBONE)
    trials = try_weights(weights, [data / "2.mp4"])
    assert [trial.channels for trial in trials] == ["rgb", "bgr"]
    assert trials[0].n_labelled == 0 and warnings_of(trials) == []
    assert report(trials, ["2.mp4"])[0].startswith("2.mp4: sky 1.00, ")


def trial(hits: int, n: int, classes: int = 400, sure: float = 0.5, recognised: bool = True):
    """So many right answers; every video's highest probability is ``sure``."""
    probs = np.full((n, classes), (1 - sure) / (classes - 1), np.float32)
    probs[:, 0] = sure
    return Trial("rgb", "named", recognised, None, probs, np.where(np.arange(n) < hits, 0, 1))


@pytest.mark.parametrize(
    ("hits", "n", "classes", "is_chance"),
    [
        (0, 20, 400, True),
        (1, 20, 400, True),  # 1 - (399 / 400)^20 = .0488
        (2, 20, 400, False),  # about 190 / 400^2 = .0011
        (1, 3, 400, False),  # about 3 / 400 = .0075
        (2, 2, 12, False),  # 1 / 144 = .0069
        (1, 1, 12, True),
    ],
)
def test_chance_by_hand(hits, n, classes, is_chance):
    assert trial(hits, n, classes).is_chance() == is_chance


def test_only_clear_differences_are_warned_of():
    assert warnings_of([trial(10, 25), trial(15, 25)]) == []  # by 5, the root of 25
    assert "16 against 10 right of 25" in warnings_of([trial(10, 25), trial(16, 25)])[0]


def test_the_command_tells_what_it_finds(data, tmp_path, capsys, monkeypatch):
    path = weights_file(tmp_path, channel_order="bgr")
    command = ["condi_lib", "check-weights", str(path), "--backbone", BACKBONE]
    monkeypatch.setattr(sys, "argv", command)
    main()  # no videos: what is in the file
    told = capsys.readouterr().out
    assert "strongest_channel, from trained here: 0.000 M parameters, 3 classes" in told
    assert "class order: named" in told
    monkeypatch.setattr(sys, "argv", [*command, "--data", str(data / "labels.csv")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert "1.mp4 [grass: hit]: grass 1.00" in told and "0.mp4 [rust: not hit]: sky 1.00" in told
    assert "RGB       named                100.0%   100.0%" in told and "WARNING" in told
    # What the caller knows better goes before what the file says.
    monkeypatch.setattr(sys, "argv", [*command, "--preprocess", "{crop_px: 8, channel_order: rgb}",
                                      "--data", str(data / "labels.csv")])  # fmt: skip
    main()
    assert "WARNING" not in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*command[:2], str(tmp_path / "none.pth")])
    with pytest.raises(SystemExit, match=r"error: .*none\.pth: no such file of weights"):
        main()
