"""Networks that see less of a clip, or its motion: which pixels, at what cost, and nothing else."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_clips import cached_clips, training_data
from tiny_study import tiny

from condi_lib.clip_table import read_clip_table
from condi_lib.cost import macs
from condi_lib.losses import build_objective
from condi_lib.models import BACKBONES, Student, build_backbone, load_weights, optimize
from condi_lib.models.glimpse import Glimpse
from condi_lib.models.weights import Recipe, network_metadata
from condi_lib.sampling import Selected
from condi_lib.selective import SelectiveClassifier
from condi_lib.study import ensure, read_study
from condi_lib.study.datasets import open_dataset
from condi_lib.study.specs import run_folder, run_name
from condi_lib.study.starts import build_network
from condi_lib.training import save_weights
from condi_lib.training.settings import TrainingSettings, fingerprint
from condi_lib.videos.preprocess import Preprocess

NARROW = {name: {"width": 0.125} for name in BACKBONES if "small" in name}
NARROW |= {"small_resnet3d": {"width": 4}, "small_cnn3d": {"width": 4}}


def test_each_pixel_is_the_mean_of_a_square_of_every_kth_frame():
    """By hand: pixel values t, 10 y and 100 x; 2 x 2 squares of a frame of 4 x 6."""
    t, y, x = torch.meshgrid(torch.arange(5.0), torch.arange(4.0), torch.arange(6.0), indexing="ij")
    clip = (t + 10 * y + 100 * x).expand(1, 3, -1, -1, -1)
    shrunk = Glimpse(pool=2, every=2)(clip)
    expected = [
        [[t + 10 * y + 100 * x for x in (0.5, 2.5, 4.5)] for y in (0.5, 2.5)] for t in (0, 2, 4)
    ]
    assert torch.equal(shrunk, torch.tensor(expected).expand(1, 3, -1, -1, -1))


@pytest.mark.parametrize("pool", [1, 2, 3, 5])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_it_is_average_pooling_of_a_slice(pool, every):
    """Sizes that are no multiple of the pool lose what is left over, as in torch's pooling."""
    clips = torch.rand(2, 3, 7, 11, 13).contiguous(memory_format=torch.channels_last_3d)
    shrunk = Glimpse(pool, every)(clips)
    torch.testing.assert_close(shrunk, F.avg_pool3d(clips[:, :, ::every], (1, pool, pool)))
    assert shrunk.shape == (2, 3, -(-7 // every), 11 // pool, 13 // pool)
    assert pool == 1 or shrunk.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("name", NARROW)
def test_a_shrunk_network_is_the_same_network_on_shrunk_clips(name):
    plain = build_backbone(name, 5, **NARROW[name]).eval()
    shrunk = build_backbone(name, 5, **NARROW[name], pool=2, every=2).eval()
    assert list(shrunk.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(shrunk.state_dict(), plain.state_dict(), rtol=0, atol=0)
    clips = torch.rand(2, 3, 8, 48, 40)
    less = F.avg_pool3d(clips[:, :, ::2], (1, 2, 2))
    torch.testing.assert_close(shrunk(clips), plain(less))
    torch.testing.assert_close(shrunk.features(clips), plain.features(less))
    assert not torch.allclose(shrunk(clips), plain(clips))


def test_torchvisions_networks_shrink_too_and_check_what_is_left():
    plain = build_backbone("torchvision.r3d_18", 3).eval()
    shrunk = build_backbone("torchvision.r3d_18", 3, pool=2, every=2).eval()
    clips = torch.rand(1, 3, 4, 32, 32)
    torch.testing.assert_close(shrunk(clips), plain(F.avg_pool3d(clips[:, :, ::2], (1, 2, 2))))
    with torch.device("meta"):
        s3d = build_backbone("torchvision.s3d", 3, every=2)
        with pytest.raises(ValueError, match=r"at least 14 frames .* got 8 frames"):
            s3d(torch.empty(1, 3, 16, 224, 224))
        assert s3d.eval()(torch.empty(1, 3, 28, 224, 224)).shape == (1, 3)


def test_a_still_video_has_no_motion_and_a_steady_one_a_constant_one():
    """Pixel values 5 t + x: from frame to frame all change by 5, from every second by 10."""
    t, _, x = torch.meshgrid(torch.arange(5.0), torch.arange(4.0), torch.arange(6.0), indexing="ij")
    clip = (5 * t + x).expand(2, 3, -1, -1, -1)
    assert torch.equal(Glimpse(view="motion")(clip), torch.full((2, 3, 4, 4, 6), 5.0))
    assert torch.equal(
        Glimpse(view="motion", every=2, pool=2)(clip), torch.full((2, 3, 2, 2, 3), 10.0)
    )
    still = clip[:, :, :1].expand(-1, -1, 8, -1, -1)
    assert torch.equal(Glimpse(view="motion")(still), torch.zeros(2, 3, 7, 4, 6))


def test_motion_knows_no_mean_and_counts_in_deviations():
    pixels = torch.randint(256, (2, 5, 12, 12, 3), dtype=torch.uint8)
    motion = Glimpse(view="motion")
    plain = motion(Preprocess(12, (0, 0, 0), (1, 1, 1))(pixels))
    shifted = motion(Preprocess(12, (0.6, 0.5, 0.4), (0.25, 0.25, 0.25))(pixels))
    torch.testing.assert_close(shifted, 4 * plain)


def test_steps_of_motion_add_up_to_the_whole_change():
    clips = torch.rand(2, 3, 9, 6, 8)
    steps = Glimpse(pool=2, view="motion")(clips)
    whole = F.avg_pool3d(clips[:, :, -1:] - clips[:, :, :1], (1, 2, 2))
    torch.testing.assert_close(steps.sum(dim=2, keepdim=True), whole)


@pytest.mark.parametrize(
    ("n_frames", "n", "middles"),
    [
        (8, 1, [4]),
        (8, 2, [2, 6]),
        (8, 4, [1, 3, 5, 7]),
        (8, 8, range(8)),
        (5, 2, [1, 3]),
        (1, 1, [0]),
    ],
)
def test_single_frames_are_the_middles_of_equal_parts(n_frames, n, middles):
    clips = torch.rand(3, 3, n_frames, 4, 4)
    frames = Glimpse(single_frames=n)(clips)
    assert frames.shape == (3 * n, 3, 1, 4, 4)
    for clip, seen in zip(clips, frames.split(n), strict=True):
        assert torch.equal(seen[:, :, 0], torch.stack([clip[:, t] for t in middles]))


@pytest.mark.parametrize("name", [*NARROW, "torchvision.r3d_18"])
def test_single_frames_are_seen_alone_and_what_is_said_of_them_is_averaged(name):
    """Second computation: the same network on clips of one frame, and the mean of its logits."""
    options = NARROW.get(name, {})
    plain = Student(build_backbone(name, 5, **options)).eval()
    single = Student(build_backbone(name, 5, **options, single_frames=2)).eval()
    single.load_state_dict(plain.state_dict())
    clips = torch.rand(3, 3, 4, 32, 32)
    outputs = [plain(clips[:, :, t : t + 1]) for t in (1, 3)]
    averaged = [torch.stack(each).mean(dim=0) for each in zip(*outputs, strict=True)]
    torch.testing.assert_close(list(single(clips)), averaged, rtol=1e-4, atol=1e-5)
    shuffled = single(clips[:, :, [0, 3, 2, 1]])  # nobody can tell a video from its reverse
    torch.testing.assert_close(list(shuffled), averaged, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NARROW)
def test_a_network_that_views_motion_is_the_same_network_on_differences(name):
    plain = build_backbone(name, 5, **NARROW[name]).eval()
    motion = build_backbone(name, 5, **NARROW[name], view="motion").eval()
    clips = torch.rand(2, 3, 8, 40, 40)
    torch.testing.assert_close(motion(clips), plain(clips.diff(dim=2)))
    brighter = clips + torch.rand(2, 3, 1, 40, 40)  # whatever stands still
    torch.testing.assert_close(motion(brighter), motion(clips), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view": "motion", "every": 4}, "a clip of one frame has no motion"),
        ({"single_frames": 5}, "5 single frames cannot be taken from a clip of 4"),
        ({"single_frames": 4, "view": "motion"}, "4 single frames .* from a clip of 3"),
    ],
)
def test_clips_too_short_for_what_is_to_be_seen_are_refused(options, message):
    model = build_backbone("small_cnn3d", 3, width=2, **options)
    with pytest.raises(ValueError, match=message):
        model(torch.rand(1, 3, 4, 16, 16))


@pytest.mark.parametrize("width", [8, 4, 2])
@pytest.mark.parametrize(("pool", "every"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 2)])
def test_what_a_shrunk_student_costs_by_hand(width, pool, every):
    """A flat stem at half the size, then twice half of everything, then the same size again."""
    frames, size = 8 // every, 44 // pool
    half = -(-size // 2)
    quarter, eighth = -(-half // 2), -(-half // 4)
    w = width
    by_hand = frames * half**2 * 9 * 3 * w
    by_hand += -(-frames // 2) * quarter**2 * 27 * w * 2 * w
    by_hand += -(-frames // 4) * eighth**2 * 27 * (2 * w * 4 * w + 4 * w * 6 * w)
    model = Student(build_backbone("small_cnn3d", 12, width=w, pool=pool, every=every))
    assert macs(model, (3, 8, 44, 44)) == by_hand + 6 * w * 13  # 12 classes, 1 confidence


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": 0}, "pool must be a whole number of at least 1, got 0"),
        ({"every": 1.5}, "every must be a whole number of at least 1, got 1.5"),
        ({"pool": True}, "pool must be .* got True"),
        ({"single_frames": -1}, "single_frames must be a whole number of at least 0, got -1"),
        ({"view": "sound"}, r"view must be one of \('pixels', 'motion'\), got 'sound'"),
        (
            {"shrink": 2},
            r"no option .*'shrink'.*; it takes .*'pool', 'every', 'view', 'single_frames'",
        ),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build_backbone("small_cnn3d", 3, **options)


def test_a_square_larger_than_the_clip_is_refused():
    model = build_backbone("small_cnn3d", 3, width=2, pool=8)
    with pytest.raises(ValueError, match="pool 8 is larger than clips of 16 x 7 px"):
        model(torch.rand(1, 3, 4, 16, 7))


def own(num_classes: int, every: str = "frame") -> torch.nn.Module:
    """A network of one's own, with an option of the same name that means something else."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, num_classes))
    model.every = every
    return model


def test_a_network_of_your_own_has_its_own_options_alone():
    assert build_backbone(f"{__name__}:own", 2, every="second").every == "second"
    with pytest.raises(ValueError, match=r"no option \['pool'\]; it takes \['every'\]$"):
        build_backbone(f"{__name__}:own", 2, pool=2)


def test_training_again_with_other_options_is_another_run(tmp_path):
    data = training_data(cached_clips(tmp_path), teacher=False)

    def of(**options: int) -> str:
        model = build_backbone("small_cnn3d", 2, width=2, **options)
        return fingerprint(model, build_objective("classification"), data, TrainingSettings())

    assert of() == of(pool=1)
    assert of() == of(view="pixels", single_frames=0)
    others = ({"pool": 2}, {"every": 2}, {"pool": 2, "every": 2}, {"view": "motion"})
    singles = ({"single_frames": 1}, {"single_frames": 2})
    assert len({of(), *(of(**options) for options in (*others, *singles))}) == 7


LESS = {"width": 2, "pool": 2, "every": 2}
MOTION = {"width": 2, "view": "motion"}
SINGLE = {"width": 2, "single_frames": 2}


@pytest.mark.parametrize("options", [LESS, MOTION, SINGLE])
def test_a_study_trains_it_and_its_file_tells_its_options(root, options):
    """Seen from outside: the file's network, rebuilt from it alone, gives the table's numbers."""
    spec = read_study(tiny(**{"student.options": options})).student_of("condi_sr", 0)
    assert run_name(spec) != run_name(read_study(tiny()).student_of("condi_sr", 0))
    weights = load_weights(ensure(spec) / "weights.safetensors")
    assert weights.options == options
    student = Student(weights.build()).eval()
    student.confidence_head.load_state_dict(weights.confidence_head)
    table = read_clip_table(run_folder(spec) / "scores", ["test"])
    dataset = open_dataset(spec.teacher.dataset, run_folder(spec.teacher.dataset))
    pixels = torch.stack([dataset.clips[row] for row in dataset.clips.rows(["test"])])
    with torch.inference_mode():
        output = student(weights.preprocess(pixels))
    torch.testing.assert_close(output.class_logits, table.student_logits)
    confidence = torch.from_numpy(table.clips["confidence"].to_numpy(copy=True))
    torch.testing.assert_close(output.confidence_logit.sigmoid(), confidence)
    files = [ensure(run) / "weights.safetensors" for run in (spec.teacher, spec)]
    classifier = SelectiveClassifier.load(*files, Selected(k_clips=1), device="cpu", decoders=0)
    for video_id, z in table.clips.groupby("video_id")["confidence"]:
        answer = classifier.predict(dataset.clips.catalog.root / video_id)
        said = answer.clips
        np.testing.assert_allclose(said["confidence"], z, atol=1e-5)
        assert said["clip_index"][said["teacher_weight"] > 0].tolist() == [z.to_numpy().argmax()]


def test_weights_used_as_they_are_see_what_they_saw_in_training(root):
    classes = ("run", "walk", "jump")
    model = Student(build_backbone("small_cnn3d", 3, **LESS))
    about = network_metadata("small_cnn3d", LESS, classes, Recipe(Preprocess(16)))
    save_weights(model, root / "w.safetensors", about=about)
    used = {"student.weights": "w.safetensors", "student.options": LESS | {"every": 1}}
    fine_tuned = read_study(tiny(**used)).student_of("condi_sr", 0)
    assert build_network(fine_tuned, classes).backbone.glimpse.every == 1
    untrained = read_study(tiny(**used, **{"student.training": {"epochs": 0}}))
    with pytest.raises(ValueError, match=r"trained with every: 2, .* has every: 1; .* {every: 2}"):
        build_network(untrained.student_of("condi_sr", 0), classes)


@pytest.mark.parametrize("options", [LESS, MOTION, SINGLE])
def test_optimize_keeps_what_it_says(options):
    student = Student(build_backbone("small_cnn3d", 5, **options | {"width": 4})).eval()
    clips = torch.randn(6, 3, 8, 24, 24)
    optimized = optimize(student, clips, batch_size=4, compiled=False, min_agreement=0.5)
    with torch.inference_mode():
        expected = student(clips)
    torch.testing.assert_close(tuple(optimized(clips)), tuple(expected), rtol=0, atol=0.05)
    (folded,) = [trial for trial in optimized.report.trials if "folded" in trial.step]
    assert folded.clips_per_sec > 0 and folded.agreement == 1
