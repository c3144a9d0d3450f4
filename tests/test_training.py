"""Training: kill it anywhere and it ends the same; one step is textbook SGD; errors say what."""

import copy
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_clips import FULL_FRAME, FrameByFrame, cached_clips, network, training_data

from condi_lib.losses import LOSSES, Objective, build_objective
from condi_lib.training import (
    Schedule,
    TrainingDiverged,
    TrainingSettings,
    restore_weights,
    save_weights,
    train,
)
from condi_lib.training.checkpoint import run_of_weights
from condi_lib.training.loop import WEIGHTS
from condi_lib.training.optimizer import branch_optimizer
from condi_lib.training.order import brought_together, some_of_each

CONSTANT = Schedule("constant")
SETTINGS = TrainingSettings(epochs=2, batch_size=4, checkpoint_steps=1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return cached_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weights_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    torch.testing.assert_close(weights_of(one), weights_of(other), rtol=0, atol=0)


class Interrupted(Exception):
    """Stands for whatever ends a run early."""


class Watched(Objective):
    """Keeps what it was given, and may stop training after some steps."""

    def __init__(self, name: str, stop_after: int | None = None) -> None:
        plain = build_objective(name)
        super().__init__(name, LOSSES[name], plain.hyperparameters)
        self.stop_after, self.seen = stop_after, []

    def __call__(self, inputs):
        self.seen.append(inputs)
        if self.stop_after is not None and len(self.seen) > self.stop_after:
            raise Interrupted
        return super().__call__(inputs)


def interrupt(model, data, settings, folder: Path, loss: str, after: int) -> None:
    with pytest.raises(Interrupted):
        train(model, Watched(loss, after), data, settings, folder, device="cpu")


# --- killed and run again ------------------------------------------------------------------------

KILLED = ("condi_sr", "st_conf", "bce_conf")  # gradient through z̃; λ is state; a drawn subset


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Runs that were killed at every rename of a file and at random moments, and one that was not.

    A process of its own forks and kills them: forking this one, which has threads, is unsafe.
    """
    folder = tmp_path_factory.mktemp("killed")
    script = Path(__file__).with_name("killed_training.py")
    subprocess.run(
        [sys.executable, "-W", "error", script, folder, *KILLED], check=True, timeout=1800
    )
    return folder


@pytest.mark.parametrize("how", ["moments", "renames"])
@pytest.mark.parametrize("loss", KILLED)
def test_killed_run_ends_with_the_same_bytes(killed, loss, how):
    for name in ("weights.safetensors", "history.csv"):
        whole = (killed / f"{loss}-whole" / name).read_bytes()
        assert (killed / f"{loss}-{how}" / name).read_bytes() == whole
    left = sorted(path.name for path in (killed / f"{loss}-{how}").iterdir())
    assert left == ["history.csv", "weights.safetensors"]


def test_finished_run_is_found_not_repeated(clips, tmp_path):
    data = training_data(clips)
    first = train(network(), build_objective("classification"), data, SETTINGS, tmp_path, "cpu")
    never = Watched("classification", stop_after=0)
    again = train(network(), never, data, SETTINGS, tmp_path, "cpu")
    assert not never.seen and not again.training
    assert_same_weights(first, again)


def test_what_killed_saves_left_is_removed(clips, tmp_path):
    for name in ("checkpoint.safetensors.123.part", ".tmpQZYD1u", ".tmp_mine", "notes.part"):
        (tmp_path / name).touch()
    settings = TrainingSettings(epochs=1, batch_size=4)
    train(
        network("condi_sr"), build_objective("condi_sr"), training_data(clips), settings, tmp_path
    )
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".tmp_mine", "notes.part", "history.csv", "weights.safetensors"}


# --- one step ------------------------------------------------------------------------------------


def sgd_step(value, gradient, lr, weight_decay, momentum):
    """First step of SGD with Nesterov momentum (Sutskever et al. 2013), as PyTorch defines it."""
    gradient = gradient + weight_decay * value
    velocity = gradient  # momentum * 0 + gradient
    return value - lr * (gradient + momentum * velocity)


@pytest.mark.parametrize("clip_norm", [0.0, 0.01])
def test_one_step_is_sgd_by_hand(clips, tmp_path, clip_norm):
    data = training_data(clips, preprocess=FULL_FRAME)
    settings = TrainingSettings(
        epochs=1, batch_size=len(data.rows), lr=0.1, confidence_lr=0.3, schedule=CONSTANT,
        momentum=0.8, weight_decay=0.01, clip_norm=clip_norm,
    )  # fmt: skip
    trained = train(network("condi_sr"), build_objective("condi_sr"), data, settings, tmp_path)

    model = network("condi_sr").train()
    pixels = next(clips.batches([data.rows]))
    output = model(FULL_FRAME(pixels))
    z, label = output.confidence_logit.sigmoid(), data.labels[data.rows]
    teacher = data.teacher_logits[data.rows]
    right = (teacher.argmax(dim=1) == label).float()
    weight = torch.where(right == 1, z, 1 - z)[:, None]
    target = weight * (teacher / 0.9).softmax(dim=1) + (1 - weight) / 2
    kl = (target * (target.log() - (output.class_logits / 0.9).log_softmax(dim=1))).sum(dim=1)
    bce = -(1.5 * right * z.log() + (1 - right) * (1 - z).log())
    (0.9**2 * kl.mean() + 1.5 * bce.mean()).backward()
    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    factor = min(1.0, clip_norm / float(norm)) if clip_norm else 1.0
    assert clip_norm == 0 or factor < 0.5  # else the case says nothing
    after = dict(trained.named_parameters())
    for name, parameter in model.named_parameters():
        lr = 0.3 if name.startswith("confidence_head") else 0.1
        expected = sgd_step(parameter.detach(), factor * parameter.grad, lr, 0.01, 0.8)
        torch.testing.assert_close(after[name].detach(), expected, rtol=1e-4, atol=1e-5)


def test_a_network_with_2d_convolutions_is_trained(clips, tmp_path):
    data, loss = training_data(clips, teacher=False), build_objective("classification")
    settings = TrainingSettings(epochs=1, batch_size=8, schedule=CONSTANT)
    before = FrameByFrame()
    trained = train(copy.deepcopy(before), loss, data, settings, tmp_path)
    for name, parameter in trained.named_parameters():
        assert not torch.equal(parameter, dict(before.named_parameters())[name])


def test_dampened_momentum_in_closed_form():
    model = torch.nn.Linear(1, 1, bias=False)
    settings = TrainingSettings(lr=0.1, momentum=0.9, dampening=0.9, weight_decay=0)
    optimizer, before = branch_optimizer(model, settings), model.weight.item()
    for _ in range(2):
        model.weight.grad = torch.ones(1, 1)
        optimizer.step()
    # PyTorch leaves the first gradient whole: velocities 1 and .9 * 1 + (1 - .9) * 1, no Nesterov.
    assert model.weight.item() == pytest.approx(before - 0.1 * (1 + 1))


def test_our_sgd_is_that_of_torch():
    ours, settings = torch.nn.Linear(3, 2), TrainingSettings(lr=0.1, momentum=0.9)
    theirs = copy.deepcopy(ours)
    optimizer = branch_optimizer(ours, settings)
    options = {name: optimizer.defaults[name] for name in ("lr", "momentum", "weight_decay")}
    expected = torch.optim.SGD(theirs.parameters(), nesterov=True, **options)
    for x in torch.randn(4, 5, 3):
        for model, using in ((ours, optimizer), (theirs, expected)):
            using.zero_grad()
            model(x).square().sum().backward()
            using.step()
        using.load_state_dict(using.state_dict())
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)


# --- schedules -----------------------------------------------------------------------------------


def test_one_cycle_in_closed_form():
    schedule, n_steps = Schedule("one_cycle", warmup=0.3), 101
    factor = [schedule.factor(step, n_steps, 0) for step in range(n_steps)]
    assert factor[0] == pytest.approx(1 / 25)
    assert factor[15] == pytest.approx((1 / 25 + 1) / 2)  # half-way up a cosine
    assert factor[30] == 1 == max(factor)
    assert factor[65] == pytest.approx((1 + 1e-4) / 2)
    assert factor[100] == pytest.approx(1e-4)
    assert np.all(np.diff(factor[:31]) > 0) and np.all(np.diff(factor[30:]) < 0)


@pytest.mark.parametrize("n_steps", [2, 3, 10])
def test_one_cycle_ends_at_its_end_however_short(n_steps):
    assert Schedule().factor(n_steps - 1, n_steps, 0) == pytest.approx(1e-4)


def test_decays_of_paper_and_thesis():
    paper = Schedule("decay", gamma=0.8, every=1)
    assert paper.factor(0, 10, epoch=3) == pytest.approx(1.25**-3)
    thesis = Schedule("decay", gamma=0.1, every=15)
    assert [thesis.factor(0, 10, epoch) for epoch in (14, 15, 30)] == pytest.approx([1, 0.1, 0.01])
    assert Schedule("constant").factor(9, 10, 9) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "cosine"), ("warmup", 1.0), ("gamma", 0.0), ("gamma", 2.0), ("every", 0)],
)
def test_schedule_refuses_bad_fields(field, value):
    with pytest.raises(ValueError, match=str(value)):
        Schedule(**{field: value})


# --- history -------------------------------------------------------------------------------------


def test_history_has_parts_and_both_learning_rates(clips, tmp_path):
    settings = TrainingSettings(
        epochs=3, batch_size=4, lr=0.02, confidence_lr=0.5,
        schedule=CONSTANT, confidence_schedule=Schedule("decay", gamma=0.2, every=1),
    )  # fmt: skip
    data = training_data(clips)
    train(network("condi_sr"), build_objective("condi_sr"), data, settings, tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["lr"].tolist() == pytest.approx([0.02] * 3)
    assert history["confidence_lr"].tolist() == pytest.approx([0.5, 0.1, 0.02])
    for split in ("train", "val"):
        parts = history[[f"{split}_distillation", f"{split}_confidence"]] @ [1, 1.5]
        np.testing.assert_allclose(history[f"{split}_loss"], parts, rtol=1e-5)
    share = float(data.teacher_correct().float().mean())
    assert history["train_teacher_correct"].tolist() == pytest.approx([share] * 3)
    assert {"val_clip_accuracy", "val_auroc", "val_false_positive_rate"} <= set(history)


def test_validation_numbers_are_those_of_the_final_weights(clips, tmp_path):
    data = training_data(clips)
    model = train(network("condi_sr"), build_objective("condi_sr"), data, SETTINGS, tmp_path)
    last = pd.read_csv(tmp_path / "history.csv").iloc[-1]
    with torch.inference_mode():
        output = model(data.preprocess(next(clips.batches([data.val_rows]))))
    label, teacher = data.labels[data.val_rows], data.teacher_logits[data.val_rows]
    hit = (output.class_logits.argmax(dim=1) == label).float().mean()
    z, right = output.confidence_logit.sigmoid(), teacher.argmax(dim=1) == label
    assert last["val_clip_accuracy"] == pytest.approx(float(hit))
    assert last["val_confidence_mean"] == pytest.approx(float(z.mean()), rel=1e-5)
    pairs = (z[right][:, None] > z[~right][None, :]).float().mean()  # Mann-Whitney: no ties here
    assert last["val_auroc"] == pytest.approx(float(pairs))
    wrong_but_sure = (z[~right] > 0.5).float().mean()
    assert last["val_false_positive_rate"] == pytest.approx(float(wrong_but_sure))


def test_learns_to_tell_bright_from_dark(clips, tmp_path):
    settings = TrainingSettings(epochs=12, batch_size=8, lr=0.1)
    data = training_data(clips, teacher=False)
    train(network(), build_objective("classification"), data, settings, tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["train_loss"].iloc[-1] < 0.3 * math.log(2)
    assert history["val_clip_accuracy"].iloc[-1] == 1


# --- what decides a run --------------------------------------------------------------------------


def test_seed_decides_and_the_global_generator_is_left_alone(clips, tmp_path):
    models = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / folder).mkdir()
        torch.manual_seed(len(models))  # must not matter
        before = torch.random.get_rng_state()
        settings = replace(SETTINGS, seed=seed)
        objective = build_objective("st_conf")  # draws hints
        data = training_data(clips)
        models.append(train(network("st_conf"), objective, data, settings, tmp_path / folder))
        assert torch.equal(torch.random.get_rng_state(), before)
    assert_same_weights(models[0], models[1])
    with pytest.raises(AssertionError):
        assert_same_weights(models[0], models[2])


def test_every_epoch_shows_each_clip_once_in_another_order(clips, tmp_path):
    data = training_data(clips)
    data.labels[:] = torch.arange(len(clips)) % 2
    rows = torch.arange(len(clips), dtype=torch.float32)  # the teacher's logits carry the number
    marked = replace(data, teacher_logits=torch.stack([rows, -rows], dim=1), val_rows=data.rows[:0])
    watched = Watched("st_ent")
    train(network(), watched, marked, replace(SETTINGS, batch_size=6), tmp_path)
    order = torch.cat([inputs.teacher_logits[:, 0] for inputs in watched.seen]).long().tolist()
    first, second = order[:24], order[24:]
    assert sorted(first) == sorted(second) == data.rows.tolist()
    assert first != second


def test_down_sampling_shows_as_many_right_as_wrong(clips, tmp_path):
    data = replace(training_data(clips), val_rows=np.empty(0, np.int64))
    n_wrong = int((~data.teacher_correct()).sum())
    assert n_wrong < len(data.rows) / 2
    watched = Watched("bce_conf")
    train(network("bce_conf"), watched, data, replace(SETTINGS, batch_size=2 * n_wrong), tmp_path)
    assert len(watched.seen) == 2  # one batch an epoch
    for inputs in watched.seen:
        assert inputs.teacher_correct.sum() == n_wrong


def test_some_clips_of_each_video_and_others_every_epoch(clips, tmp_path):
    data = replace(training_data(clips), val_rows=np.empty(0, np.int64))
    rows = torch.arange(len(clips), dtype=torch.float32)
    marked = replace(data, teacher_logits=torch.stack([rows, -rows], dim=1))
    settings = replace(SETTINGS, epochs=40, batch_size=8, clips_per_video=2, lr=1e-6)
    watched = Watched("st_ent")
    train(network(), watched, marked, settings, tmp_path)
    shown = [inputs.teacher_logits[:, 0].long() for inputs in watched.seen]
    assert len(shown) == 40 * 2  # 8 videos, 2 clips of each, 8 in a batch
    times = torch.zeros(len(clips), dtype=torch.long)
    for epoch in range(40):
        chosen = torch.cat(shown[2 * epoch : 2 * epoch + 2])
        assert len(chosen.unique()) == 16
        assert (chosen // 3).bincount(minlength=8).tolist() == [2] * 8  # videos have 3 clips
        times[chosen] += 1
    assert times[:24].min() >= 15 and times[:24].max() <= 38  # 40 * 2 / 3 = 27 expected


def test_a_video_of_few_clips_shows_them_all():
    video = np.repeat([0, 1, 2], [1, 5, 2])
    chosen = some_of_each(video, 2, torch.Generator().manual_seed(0))
    assert np.bincount(video[chosen]).tolist() == [1, 2, 2]
    assert chosen.tolist() == sorted(chosen.tolist())
    swapped = some_of_each(video[::-1].copy(), 2, torch.Generator().manual_seed(0))
    assert np.bincount(video[::-1][swapped]).tolist() == [1, 2, 2]


def test_balanced_clips_of_each_video_make_epochs_of_one_length(clips, tmp_path):
    data = replace(training_data(clips), val_rows=np.empty(0, np.int64))
    settings = replace(SETTINGS, epochs=6, batch_size=2, clips_per_video=2)
    watched = Watched("bce_conf")
    train(network("bce_conf"), watched, data, settings, tmp_path)
    assert len(watched.seen) % 6 == 0
    assert len(pd.read_csv(tmp_path / "history.csv")) == 6


def test_teacher_logits_may_be_a_mapped_file(clips, tmp_path):
    data = training_data(clips)
    np.save(tmp_path / "logits.npy", data.teacher_logits.numpy())
    mapped = torch.from_numpy(np.load(tmp_path / "logits.npy", mmap_mode="c"))
    folders = [tmp_path / name for name in ("held", "mapped")]
    models = []
    for folder, logits in zip(folders, (data.teacher_logits, mapped), strict=True):
        folder.mkdir()
        with_logits = replace(data, teacher_logits=logits)
        objective = build_objective("bce_conf")
        models.append(train(network("bce_conf"), objective, with_logits, SETTINGS, folder))
    assert_same_weights(*models)
    assert run_of_weights(folders[0] / WEIGHTS) == run_of_weights(folders[1] / WEIGHTS)


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("saved", [True, False])
def test_diverged_names_epoch_step_and_checkpoint(clips, tmp_path, saved):
    settings = TrainingSettings(
        epochs=2, batch_size=8, lr=1e30, schedule=CONSTANT, checkpoint_steps=1 if saved else 0
    )
    with pytest.raises(TrainingDiverged, match="epoch 1, step 2") as error:
        train(
            network(), build_objective("classification"), training_data(clips), settings, tmp_path
        )
    place = str(tmp_path / "checkpoint.safetensors") if saved else "there is no checkpoint yet"
    assert place in str(error.value) and "lr is 1e+30" in str(error.value)
    assert not (tmp_path / "weights.safetensors").exists()


class Kinked(torch.nn.Module):
    """Its loss is finite, its gradient is not: the square root has slope ∞ at 0."""

    def __init__(self):
        super().__init__()
        self.fc, self.zero = torch.nn.Linear(3, 2), torch.nn.Parameter(torch.zeros(2))

    def forward(self, clips):
        return self.fc(clips.mean(dim=(2, 3, 4))) + self.zero.sqrt()


@pytest.mark.parametrize("clip_norm", [0.0, 2.0])
def test_infinite_gradient_stops_before_it_reaches_the_weights(clips, tmp_path, clip_norm):
    settings, model = replace(SETTINGS, clip_norm=clip_norm), Kinked()
    with pytest.raises(TrainingDiverged, match=r"epoch 1, step 1 .*gradient norm (inf|nan)"):
        train(model, build_objective("classification"), training_data(clips), settings, tmp_path)
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_checkpoint_of_another_run_is_refused(clips, tmp_path):
    data = training_data(clips)
    interrupt(network("condi_sr"), data, SETTINGS, tmp_path, "condi_sr", after=2)
    flipped = replace(data, teacher_logits=-data.teacher_logits)
    others = [
        (network("condi_sr"), build_objective("condi_sr"), data, replace(SETTINGS, lr=0.01)),
        (network("condi_sr"), build_objective("condi_sr", temperature=2.0), data, SETTINGS),
        (network("condi_sr"), build_objective("naive"), data, SETTINGS),
        (network("condi_sr", seed=1), build_objective("condi_sr"), data, SETTINGS),
        (network("condi_sr"), build_objective("condi_sr"), flipped, SETTINGS),
        (network("condi_sr"), build_objective("condi_sr"), training_data(clips, preprocess=FULL_FRAME), SETTINGS),  # noqa: E501
    ]  # fmt: skip
    for model, objective, its_data, settings in others:
        with pytest.raises(ValueError, match=r"checkpoint\.safetensors: is .* of another run"):
            train(model, objective, its_data, settings, tmp_path, "cpu")
    train(network("condi_sr"), build_objective("condi_sr"), data, SETTINGS, tmp_path, "cpu")
    with pytest.raises(ValueError, match="are the weights of another run"):
        train(*others[0], tmp_path, "cpu")


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, None])
def test_broken_checkpoint_is_named(clips, tmp_path, content):
    path = tmp_path / "checkpoint.safetensors"
    if content is None:
        save_file({"x": torch.zeros(1)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors: .*delete it"):
        train(network(), build_objective("st_ent"), training_data(clips), SETTINGS, tmp_path, "cpu")


def test_what_does_not_fit_is_refused(clips, tmp_path):
    data, objective = training_data(clips), build_objective("st_ent")
    with pytest.raises(ValueError, match="'st_ent' needs teacher logits"):
        blind = replace(data, teacher_logits=None)
        train(network(), objective, blind, SETTINGS, tmp_path)
    with pytest.raises(ValueError, match="24 training clips do not fill one batch of 25"):
        train(network(), objective, data, replace(SETTINGS, batch_size=25), tmp_path)
    n_balanced = 2 * int((~data.teacher_correct()).sum())
    with pytest.raises(ValueError, match=f"{n_balanced} balanced training clips do not fill"):
        settings = replace(SETTINGS, batch_size=n_balanced + 1)
        train(network("bce_conf"), build_objective("bce_conf"), data, settings, tmp_path)
    with pytest.raises(ValueError, match="3 labels for 30 clips"):
        replace(data, labels=data.labels[:3])
    with pytest.raises(ValueError, match="teacher logits of 3 clips"):
        replace(data, teacher_logits=data.teacher_logits[:3])
    unscored = data.teacher_logits.clone()
    unscored[data.rows[4]] = float("nan")
    with pytest.raises(ValueError, match=r"1 clips have no .* clip 1 of 1_dark\.mp4"):
        replace(data, teacher_logits=unscored)


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", -1), ("batch_size", 0), ("lr", 0.0), ("lr", math.nan), ("confidence_lr", -1.0),
     ("clips_per_video", 0), ("momentum", 1.0), ("dampening", 1.0),
     ("weight_decay", -0.1), ("clip_norm", -1.0), ("checkpoint_steps", -1)],
)  # fmt: skip
def test_settings_refuse_bad_fields(field, value):
    with pytest.raises(ValueError, match=f"{field} must be .*, got {value}"):
        TrainingSettings(**{field: value})


# --- weights -------------------------------------------------------------------------------------


def test_weights_come_back_bit_for_bit(tmp_path):
    model, other = network("condi_sr"), network("condi_sr", seed=5)
    save_weights(model, tmp_path / "w.safetensors")
    assert_same_weights(restore_weights(other, tmp_path / "w.safetensors"), model)
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_weights_say_of_themselves_what_they_are_told(clips, tmp_path):
    data = training_data(clips, teacher=False)
    about = {"network": {"backbone": "a small one"}}
    train(network(), build_objective("classification"), data, SETTINGS, tmp_path, about=about)
    with safe_open(tmp_path / "weights.safetensors", framework="pt") as file:
        metadata = file.metadata()
    told = json.loads(metadata.pop("weights"))
    assert told.pop("run") and told == about and not metadata


def test_no_epochs_are_no_training(clips, tmp_path):
    data, settings = training_data(clips, teacher=False), TrainingSettings(epochs=0)
    with pytest.raises(ValueError, match="epochs is 0: there is nothing to train"):
        train(network(), build_objective("classification"), data, settings, tmp_path)


def test_weights_that_are_none_are_refused(tmp_path):
    pickled, cut, other = (tmp_path / name for name in ("pickle.pt", "cut", "other"))
    torch.save(network().state_dict(), pickled)
    save_weights(network(), cut)
    cut.write_bytes(cut.read_bytes()[:-40])
    for path in (pickled, cut, tmp_path / "missing"):
        with pytest.raises(ValueError, match=f"{path.name}: cannot be read as safetensors"):
            restore_weights(network(), path)
    save_weights(network("condi_sr"), other)
    with pytest.raises(ValueError, match="other: these weights are not those of this model"):
        restore_weights(network(), other)
    save_file({k: torch.zeros(7) for k in network().state_dict()}, other)
    with pytest.raises(ValueError, match="size mismatch"):
        restore_weights(network(), other)


def test_clips_of_a_video_come_together_in_groups():
    video = np.repeat([4, 7, 9], [5, 8, 3])[np.random.default_rng(0).permutation(16)]
    places = brought_together(video, 4, torch.Generator().manual_seed(0))
    assert sorted(places) == list(range(16))
    groups = []  # a group ends with its fourth clip, or where another video begins
    for number in video[places]:
        if not groups or groups[-1][0] != number or len(groups[-1]) == 4:
            groups.append([])
        groups[-1].append(number)
    assert sorted(map(len, groups)) == [1, 3, 4, 4, 4]
    again = brought_together(video, 4, torch.Generator().manual_seed(1))
    assert not np.array_equal(again, places)


def test_a_loss_over_pairs_is_given_clips_of_one_video(clips, tmp_path):
    watched = Watched("scsampler_ranking")
    settings = replace(SETTINGS, epochs=1, batch_size=6, lr=0.01)
    train(network(), watched, training_data(clips), settings, tmp_path)
    batches = [inputs.video_index for inputs in watched.seen if len(inputs.labels) == 6]
    assert len(batches) >= 4  # 8 videos of 3 clips, two videos a batch
    for index in batches[:4]:
        assert sorted(index.bincount()[index.unique()].tolist()) == [3, 3]
