"""Networks that see less of a clip: which pixels, at what cost, and that nothing else changes."""

import pytest
import torch
import torch.nn.functional as F
from tiny_clips import cached_clips, training_data
from tiny_study import tiny

from condi_lib.clip_table import read_clip_table
from condi_lib.cost import macs
from condi_lib.losses import build_objective
from condi_lib.models import BACKBONES, Student, build_backbone, load_weights, optimize
from condi_lib.models.shrunk import Shrink
from condi_lib.models.weights import Recipe, network_metadata
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
    shrunk = Shrink(pool=2, every=2)(clip)
    expected = [
        [[t + 10 * y + 100 * x for x in (0.5, 2.5, 4.5)] for y in (0.5, 2.5)] for t in (0, 2, 4)
    ]
    assert torch.equal(shrunk, torch.tensor(expected).expand(1, 3, -1, -1, -1))


@pytest.mark.parametrize("pool", [1, 2, 3, 5])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_it_is_average_pooling_of_a_slice(pool, every):
    """Sizes that are no multiple of the pool lose what is left over, as in torch's pooling."""
    clips = torch.rand(2, 3, 7, 11, 13).contiguous(memory_format=torch.channels_last_3d)
    shrunk = Shrink(pool, every)(clips)
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
        ({"shrink": 2}, r"no option \['shrink'\]; it takes \['width', 'pool', 'every'\]"),
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
    assert len({of(), of(pool=2), of(every=2), of(pool=2, every=2)}) == 4


LESS = {"width": 2, "pool": 2, "every": 2}


def test_a_study_trains_it_and_its_file_tells_its_options(root):
    """Seen from outside: the file's network, rebuilt from it alone, gives the table's numbers."""
    spec = read_study(tiny(**{"student.options": LESS})).student_of("condi_sr", 0)
    assert run_name(spec) != run_name(read_study(tiny()).student_of("condi_sr", 0))
    weights = load_weights(ensure(spec) / "weights.safetensors")
    assert weights.options == LESS
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


def test_weights_used_as_they_are_see_what_they_saw_in_training(root):
    classes = ("run", "walk", "jump")
    model = Student(build_backbone("small_cnn3d", 3, **LESS))
    about = network_metadata("small_cnn3d", LESS, classes, Recipe(Preprocess(16)))
    save_weights(model, root / "w.safetensors", about=about)
    used = {"student.weights": "w.safetensors", "student.options": LESS | {"every": 1}}
    fine_tuned = read_study(tiny(**used)).student_of("condi_sr", 0)
    assert build_network(fine_tuned, classes).backbone.front.every == 1
    untrained = read_study(tiny(**used, **{"student.training": {"epochs": 0}}))
    with pytest.raises(ValueError, match=r"by pool: 2, every: 2, .* has pool: 2, every: 1; with"):
        build_network(untrained.student_of("condi_sr", 0), classes)


def test_optimize_keeps_what_it_says():
    student = Student(build_backbone("small_cnn3d", 5, width=4, pool=2, every=2)).eval()
    clips = torch.randn(6, 3, 8, 24, 24)
    optimized = optimize(student, clips, batch_size=4, compiled=False, min_agreement=0.5)
    with torch.inference_mode():
        expected = student(clips)
    torch.testing.assert_close(tuple(optimized(clips)), tuple(expected), rtol=0, atol=0.05)
    (folded,) = [trial for trial in optimized.report.trials if "folded" in trial.step]
    assert folded.clips_per_sec > 0 and folded.agreement == 1
