"""The paper's teachers: exact counts, and logits as the published implementations give them.

The golden logits were computed with the reference implementations themselves (ResNeXt of
Efficient-3DCNNs, R(2+1)D of 3D-ResNets-PyTorch; their pooling made global, so that clips may have
any size), filled by :mod:`fixed_weights` as ours are here. They guard against regressions: on
random weights the full comparison gave differences up to 5e-6, in logits up to 27, at 5 to 32
frames of 33 to 112 px. The small ones have no published counterpart; their goldens are our own.
"""

import pytest
import torch
from fixed_weights import fill, fixed_clips
from torch import nn

from condi_lib.models import build_backbone

GOLDEN_LOGITS = {  # of two clips, by frames, height and width
    ("resnext3d_101", (8, 44, 44)): [
        [-1.1913, -0.5537, 0.9855, -2.0965, -0.5788],
        [-1.1571, -0.5014, 0.9423, -2.0451, -0.4963],
    ],
    ("resnext3d_101", (16, 32, 48)): [
        [-1.7245, -0.1716, 1.2174, -2.4848, -2.3402],
        [-1.5675, -0.0551, 1.2715, -2.4342, -2.1223],
    ],
    ("r2plus1d_34", (8, 44, 44)): [
        [-0.2945, -0.2673, 0.5654, 0.5171, 0.5319],
        [-0.2683, -0.2584, 0.5678, 0.4899, 0.5075],
    ],
    ("r2plus1d_34", (16, 32, 48)): [
        [-0.4914, -0.1330, 0.4525, 0.5139, 0.5529],
        [-0.5055, -0.1230, 0.4096, 0.4735, 0.5355],
    ],
    ("resnext3d_small", (8, 44, 44)): [
        [-0.2016, 0.2789, -0.0103, -0.1562, 0.4307],
        [-0.1822, 0.2403, -0.0246, -0.1322, 0.4352],
    ],
    ("r2plus1d_small", (8, 44, 44)): [
        [0.1415, 0.0645, 0.2729, 0.0833, 0.0540],
        [0.1468, 0.0741, 0.2588, 0.0954, 0.0558],
    ],
}
TENSORS = {"resnext3d_101": 626, "r2plus1d_34": 416}  # in the published checkpoints


def meta_backbone(name: str, num_classes: int, **options: float) -> nn.Module:
    """A network with shapes and no numbers, which takes no time to draw."""
    with torch.device("meta"):
        return build_backbone(name, num_classes, **options)


@pytest.mark.parametrize(("name", "clip"), GOLDEN_LOGITS)
def test_logits_are_those_of_the_reference_implementations(name, clip):
    model = meta_backbone(name, num_classes=5).to_empty(device="cpu").eval()
    fill(model)
    with torch.inference_mode():
        logits = model(fixed_clips(2, 3, *clip))
    expected = torch.tensor(GOLDEN_LOGITS[name, clip])
    torch.testing.assert_close(logits, expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize(
    ("name", "num_classes", "millions"),
    [
        ("resnext3d_101", 400, "48.341"),  # Kopuklu et al. round the first to 48.34
        ("resnext3d_101", 600, "48.751"),
        ("r2plus1d_34", 400, "63.748"),
    ],
)
def test_parameters_are_as_many_as_published(name, num_classes, millions):
    model = meta_backbone(name, num_classes)
    assert f"{sum(p.numel() for p in model.parameters()) / 1e6:.3f}" == millions


@pytest.mark.parametrize(("name", "tensors"), TENSORS.items())
def test_as_many_tensors_as_in_the_published_checkpoints(name, tensors):
    assert len(meta_backbone(name, 400).state_dict()) == tensors


def test_width_scales_the_channels_of_every_stage():
    narrow = meta_backbone("resnext3d_101", 3, width=0.3)
    assert narrow.feature_dim == 640  # 2 * 1024 * .3 = 614 is 9.6 channels for each of 32 groups
    grouped = narrow.trunk.stage1[0].body[3]
    assert (grouped.groups, grouped.in_channels) == (32, 32)  # 1.2 a group
    half = meta_backbone("r2plus1d_34", 3, width=0.5)
    assert half.feature_dim == 256
    # 27 * 32 * 32 / (9 * 32 + 3 * 32) channels between space and time
    assert half.trunk.stage1[0].body[0].out_channels == 72


def test_channels_between_space_and_time_keep_the_parameters_of_a_3d_convolution():
    """27 i o parameters are split into 9 i m + 3 m o, with m rounded down."""
    model = meta_backbone("r2plus1d_34", 3)
    assert model.trunk.stem[0].out_channels == 110
    for in_ch, out_ch, block in [
        (64, 64, model.trunk.stage1[0]),
        (128, 256, model.trunk.stage3[0]),
    ]:
        split = block.body[0].weight.numel() + block.body[3].weight.numel()
        assert 0 <= 27 * in_ch * out_ch - split < 9 * in_ch + 3 * out_ch
