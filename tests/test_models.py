"""Networks: shapes, parameter counts by hand, seeds, and building by name."""

import pytest
import torch
from torch import nn

from condi_lib.models import BACKBONES, Student, StudentOutput, build_backbone

CLIP_SHAPES = [(2, 8, 44, 44), (1, 16, 32, 48), (3, 1, 17, 16), (1, 5, 112, 112)]


def n_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", [name for name in BACKBONES if "small" in name])
@pytest.mark.parametrize("shape", CLIP_SHAPES)
def test_clips_of_any_size_become_logits(name, shape):
    batch, *size = shape
    narrow = 4 if name in ("small_resnet3d", "small_cnn3d") else 0.125  # channels, or a share
    model = build_backbone(name, num_classes=7, width=narrow).eval()
    clips = torch.rand(batch, 3, *size)
    features = model.features(clips)
    assert features.shape == (batch, model.feature_dim)
    torch.testing.assert_close(model(clips), features @ model.fc.weight.T + model.fc.bias)


def conv_bn(in_ch: int, out_ch: int, kernel: int) -> int:
    return in_ch * out_ch * kernel + 2 * out_ch  # no bias; scale and shift


def test_parameter_counts_by_hand():
    w, c = 12, 12
    blocks = [(w, w), (w, 2 * w), (2 * w, 4 * w)]
    teacher = conv_bn(3, w, 75) + sum(conv_bn(i, o, 27) + conv_bn(o, o, 27) for i, o in blocks)
    teacher += sum(conv_bn(i, o, 1) for i, o in blocks[1:]) + (4 * w + 1) * c
    assert n_parameters(build_backbone("small_resnet3d", c, width=w)) == teacher

    w = 8
    steps = [(w, 2 * w), (2 * w, 4 * w), (4 * w, 6 * w)]
    student = conv_bn(3, w, 9) + sum(conv_bn(i, o, 27) for i, o in steps) + (6 * w + 1) * c
    plain = build_backbone("small_cnn3d", c, width=w)
    assert n_parameters(plain) == student
    assert n_parameters(Student(plain)) == student + 6 * w + 1


def test_student_reads_both_heads_from_the_same_features():
    student = Student(build_backbone("small_cnn3d", 5, width=2)).eval()
    clips = torch.rand(4, 3, 4, 16, 16)
    output = student(clips)
    assert isinstance(output, StudentOutput)
    features, head = student.backbone.features(clips), student.confidence_head
    torch.testing.assert_close(output.class_logits, student.backbone(clips))
    torch.testing.assert_close(output.confidence_logit, features @ head.weight[0] + head.bias[0])
    assert output.confidence_logit.shape == (4,)


def test_student_needs_a_backbone_with_features():
    with pytest.raises(TypeError, match="needs `features`; Linear has none"):
        Student(nn.Linear(3, 2))


def test_seed_decides_the_weights_and_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = build_backbone("small_cnn3d", 3, seed=1).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(4)
    second = build_backbone("small_cnn3d", 3, seed=1).state_dict()
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    other = build_backbone("small_cnn3d", 3, seed=2).state_dict()
    assert not torch.equal(first["fc.weight"], other["fc.weight"])


def mean_colour(num_classes: int, scale: float = 1.0) -> nn.Module:
    """A network of one's own."""
    model = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(3, num_classes))
    nn.init.constant_(model[2].weight, scale)
    return model


def test_builds_a_function_of_your_own():
    model = build_backbone(f"{__name__}:mean_colour", 4, scale=2.0)
    assert model(torch.rand(2, 3, 4, 8, 8)).shape == (2, 4)
    assert (model[2].weight == 2).all()


def test_builds_torchvision_models():
    model = build_backbone("torchvision.r3d_18", num_classes=9)
    assert model.fc.out_features == 9
    assert n_parameters(model) == 33_371_472 - 391 * 513  # documented at 400 classes


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet", {}, "no backbone is called 'resnet'; choose from .*small_resnet3d.*torchvision"),
        ("torchvision.vgg", {}, r"choose from .*torchvision\.r3d_18"),
        (
            "small_cnn3d",
            {"depth": 3},
            r"has no option \['depth'\]; it takes \['width', 'pool', 'every', 'view', .*\]",
        ),
        ("torchvision.r3d_18", {"depth": 3}, "options {'depth': 3}: .*'depth'"),
        ("no.such.package:f", {}, "cannot be imported .*no.* on PYTHONPATH"),
        (":f", {}, "cannot be imported"),
        (f"{__name__}:no_such_function", {}, "no_such_function"),
    ],
)
def test_unknown_names_and_options_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        build_backbone(name, 3, **options)


def test_needs_a_class():
    with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
        build_backbone("small_cnn3d", 0)
