"""Multiply-accumulates: by hand, as torchvision documents them, and as the paper counted them."""

import math
import subprocess
import sys

import pytest
import torch
from test_backbones import meta_backbone
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from condi_lib.cost import macs, parameters
from condi_lib.models import Student, build_backbone

CLIP = (3, 16, 112, 112)


@pytest.mark.parametrize("groups", [1, 2, 8], ids=["full", "grouped", "depthwise"])
def test_convolution_by_hand(groups):
    """Each output reads the kernel's extent in the channels of its own group."""
    conv = nn.Conv3d(8, 16, (3, 5, 7), stride=(1, 2, 2), padding=(1, 2, 3), groups=groups)
    model = nn.Sequential(nn.Conv3d(3, 8, 1), conv)
    pointwise = 4 * 10 * 12 * 3 * 8
    strided = (4 * 5 * 6) * 16 * (3 * 5 * 7 * 8 // groups)
    assert macs(model, (3, 4, 10, 12)) == pointwise + strided
    assert parameters(conv) == 16 * 3 * 5 * 7 * 8 // groups + 16


def test_counting_does_not_import_the_compiler_of_torch():
    """It takes three seconds, which ``python -m condi_lib predict`` should not."""
    code = (
        "import sys; from condi_lib.cost import macs; from condi_lib.models import build_backbone\n"
        "assert macs(build_backbone('small_cnn3d', 5), (3, 4, 16, 16)) > 0\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_student_pays_for_its_second_head():
    backbone = build_backbone("small_cnn3d", 5, width=2)
    clip = (3, 4, 16, 16)
    assert macs(Student(backbone), clip) - macs(backbone, clip) == backbone.feature_dim
    assert parameters(Student(backbone)) - parameters(backbone) == backbone.feature_dim + 1


@pytest.mark.parametrize(
    ("name", "num_classes", "gmacs"),
    [
        ("resnext3d_101", 600, "9.568"),
        ("r2plus1d_34", 400, "12.865"),
        ("shufflenetv2_3d", 600, "0.425"),
        ("mobilenetv2_3d", 600, "0.519"),
    ],
)
def test_networks_of_the_paper(name, num_classes, gmacs):
    assert f"{macs(meta_backbone(name, num_classes), CLIP) / 1e9:.3f}" == gmacs


def test_small_resnext_by_hand():
    """Clips of 8 x 44 x 44 become 8 x 22 x 22 in the stem, 4 x 11 x 11 and 2 x 6 x 6 later."""

    def block(in_ch: int, mid_ch: int, positions_in: int, positions: int) -> int:
        reduce, expand = in_ch * mid_ch * positions_in, mid_ch * 2 * mid_ch * positions
        grouped, shortcut = mid_ch * 27 * (mid_ch // 8), in_ch * 2 * mid_ch
        return reduce + expand + (grouped + shortcut) * positions

    stem = 3 * 3 * 5 * 5 * 24 * 3872
    blocks = block(24, 24, 3872, 3872) + block(48, 48, 3872, 484) + block(96, 96, 484, 72)
    assert macs(meta_backbone("resnext3d_small", 12), (3, 8, 44, 44)) == stem + blocks + 192 * 12


@pytest.mark.parametrize("name", ["resnext3d_small", "r2plus1d_small"])
def test_small_teachers_cost_about_as_much_as_the_embedded_one(name):
    embedded = macs(build_backbone("small_resnet3d", 12), (3, 8, 44, 44))
    assert 0.5 < macs(build_backbone(name, 12), (3, 8, 44, 44)) / embedded < 2


@pytest.mark.parametrize(
    ("name", "weights", "size_px"),
    [
        ("r2plus1d_18", "R2Plus1D_18_Weights", 112),
        ("s3d", "S3D_Weights", 224),
        ("mvit_v2_s", "MViT_V2_S_Weights", 224),
        ("swin3d_t", "Swin3D_T_Weights", 224),
    ],
)
def test_counts_are_those_that_torchvision_documents(name, weights, size_px):
    """Attention's products too: two of these four are transformers."""
    from torchvision.models import video

    documented = getattr(video, weights).DEFAULT.meta
    model = meta_backbone(f"torchvision.{name}", 400)
    assert parameters(model) == documented["num_params"]
    assert round(macs(model, (3, 16, size_px, size_px)) / 1e9, 3) == documented["_ops"]


def test_the_model_is_left_as_it_was():
    model = build_backbone("small_resnet3d", 3, width=2)
    model.trunk[3].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    macs(model, (3, 4, 16, 16))
    assert [module.training for module in model.modules()] == modes
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_needs_the_shape_of_one_clip():
    with pytest.raises(ValueError, match=r"clip_shape must be \(3, T, H, W\), got \(16, 112, 112"):
        macs(nn.Identity(), (16, 112, 112))


class CounterOfTheDay(TorchDispatchMode):
    """Counts as the paper's table II did: a convolution's output is divided by its stride again.

    Besides: two operations for each normalised number, one for each rectified one, a comparison
    less than the kernel's extent for each pooled one, and the additions of linear layers.
    """

    def __init__(self, pooling_extent: int) -> None:
        super().__init__()
        self.pooling_extent = pooling_extent
        self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        self.operations += self.count(func.overloadpacket.__name__, args, output)
        return output

    def count(self, operation: str, args: tuple, output: Tensor | tuple[Tensor, ...]) -> int:
        if operation == "convolution":
            channels, _, *_ = args[1].shape
            positions = math.prod(n // s for n, s in zip(output.shape[2:], args[3], strict=True))
            return positions * channels * args[1][0].numel()
        if "batch_norm" in operation:
            return 2 * args[0].numel()
        if operation in ("relu", "relu_", "hardtanh", "hardtanh_"):
            return args[0].numel()
        if operation.startswith("max_pool3d"):
            return (self.pooling_extent - 1) * output[0].numel()
        if operation == "addmm":
            return output.numel() * (2 * args[1].shape[1] - 1)
        return 0


def count_of_the_day(name: str, pooling_extent: int, **options: float) -> int:
    model = meta_backbone(name, 600, **options).eval()
    with torch.no_grad(), CounterOfTheDay(pooling_extent) as counter:
        model(torch.empty(1, *CLIP, device="meta"))
    return counter.operations


@pytest.mark.parametrize(
    ("name", "pooling_extent", "paper"),
    [
        ("resnext3d_101", 27, "6.932"),
        ("shufflenetv2_3d", 3, "0.360"),
        ("mobilenetv2_3d", 3, "0.446"),
    ],
)
def test_the_papers_counts_can_be_explained(name, pooling_extent, paper):
    """Table II. The extent of pooling is 27, but was taken for 3 where it was written as 3."""
    assert f"{count_of_the_day(name, pooling_extent) / 1e9:.3f}" == paper
