"""3D ShuffleNetV2 and MobileNetV2: published counts, logits of the published code, shuffling."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from condi_lib.models import build_backbone
from condi_lib.models.mobilenetv2 import InvertedResidual
from condi_lib.models.shufflenetv2 import (
    PUBLISHED_CHANNELS,
    ShuffleBlock,
    StridedShuffleBlock,
    shuffle_together,
)

PAPER_CLIP = (1, 3, 16, 112, 112)
EMBEDDED_CLIP = (1, 3, 8, 44, 44)


def n_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(name: str, clip_shape: tuple[int, ...], **options) -> int:
    """Half of the floating-point operations that torch counts in convolutions and products."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build_backbone(name, num_classes=600, **options).eval()(torch.empty(clip_shape))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("name", "parameters", "macs", "tensors"),
    [
        ("shufflenetv2_3d", 6_639_816, 424_908_640, 338),
        ("mobilenetv2_3d", 3_122_648, 519_047_808, 314),
    ],
)
def test_counts_are_those_of_the_published_networks(name, parameters, macs, tensors):
    with torch.device("meta"):
        model = build_backbone(name, num_classes=600)
    assert n_parameters(model) == parameters
    assert len(model.state_dict()) == tensors
    assert count_macs(name, PAPER_CLIP) == macs


@pytest.mark.parametrize(
    ("name", "width", "parameters"),  # counted in the published code, with 600 classes
    [
        ("shufflenetv2_3d", 0.25, 829_656),
        ("shufflenetv2_3d", 0.5, 976_664),
        ("shufflenetv2_3d", 1.0, 1_914_180),
        ("shufflenetv2_3d", 1.5, 3_161_880),
        ("mobilenetv2_3d", 0.2, 964_110),
        ("mobilenetv2_3d", 0.45, 1_399_834),
        ("mobilenetv2_3d", 0.7, 2_049_942),
        ("mobilenetv2_3d", 2.0, 10_494_040),
    ],
)
def test_width_changes_channels_as_published(name, width, parameters):
    with torch.device("meta"):
        assert n_parameters(build_backbone(name, num_classes=600, width=width)) == parameters


@pytest.mark.parametrize("name", ["shufflenetv2_3d_small", "mobilenetv2_3d_small"])
def test_small_variants_fit_the_embedded_study(name):
    assert 3e6 <= count_macs(name, EMBEDDED_CLIP) <= 12e6
    assert count_macs(name, EMBEDDED_CLIP, width=0.5) < 0.5 * count_macs(name, EMBEDDED_CLIP)


def wave_clips() -> Tensor:
    """Two clips ``[2, 3, 8, 64, 48]`` of plane waves, the same on every machine."""
    t, y, x = torch.meshgrid(torch.arange(8), torch.arange(64), torch.arange(48), indexing="ij")
    waves = [torch.sin(0.7 * t + 0.2 * c * y + 0.1 * (c + 1) * x) for c in range(3)]
    clip = torch.stack(waves).float()
    return torch.stack((clip, clip.flip(1, 2).square()))


def calibrated(name: str, width: float) -> nn.Module:
    """A network of random weights whose normalisation has seen two clips, so that logits differ."""
    model = build_backbone(name, num_classes=4, seed=5, width=width)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.momentum = None  # the running statistics are those of the clips
    model.dropout.p = 0.0
    with torch.no_grad():
        model(wave_clips())
    return model.eval()


@pytest.mark.parametrize(
    ("name", "width", "logits"),
    [
        (
            "shufflenetv2_3d",
            0.25,
            [[0.40891, -0.0754, 1.00274, -0.2967], [0.31059, -0.7161, 0.7681, -0.16054]],
        ),
        (
            "mobilenetv2_3d",
            0.2,
            [[1.04716, 0.3854, -0.41418, 0.95319], [0.89186, 0.23316, -0.34139, 0.47868]],
        ),
    ],
)
def test_logits_are_those_of_the_published_implementation(name, width, logits):
    """The golden values were computed by the published code with the same weights and clips."""
    model = calibrated(name, width)
    with torch.no_grad():
        torch.testing.assert_close(model(wave_clips()), torch.tensor(logits), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(8, 44, 44), (1, 32, 33), (16, 112, 64), (19, 70, 31)])
@pytest.mark.parametrize(("name", "width"), [("shufflenetv2_3d", 0.25), ("mobilenetv2_3d", 0.2)])
def test_length_shrinks_by_16_and_size_by_32(name, width, size):
    model = build_backbone(name, num_classes=4, width=width).eval()
    clips = torch.rand(2, 3, *size)
    with torch.no_grad():
        maps = model.trunk(clips)
        expected = [-(-length // stride) for length, stride in zip(size, (16, 32, 32), strict=True)]
        assert maps.shape == (2, model.feature_dim, *expected)
        torch.testing.assert_close(model(clips), model.fc(maps.mean((2, 3, 4))))


def brute_force_shuffle(maps: Tensor, groups: int) -> Tensor:
    """Channel ``g C/G + i`` moves to ``i G + g``, one channel at a time."""
    per_group = maps.shape[1] // groups
    shuffled = torch.empty_like(maps)
    for group in range(groups):
        for i in range(per_group):
            shuffled[:, i * groups + group] = maps[:, group * per_group + i]
    return shuffled


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_shuffle_is_concatenation_and_a_permutation_of_channels(layout):
    left, right = torch.rand(2, 2, 5, 2, 3, 4).unbind()
    expected = brute_force_shuffle(torch.cat((left, right), dim=1), groups=2)
    shuffled = shuffle_together(left, right.contiguous(memory_format=layout))
    assert torch.equal(shuffled, expected)
    assert shuffled.is_contiguous(memory_format=layout)


def test_a_block_passes_half_of_the_channels_untouched():
    block, maps = ShuffleBlock(6).eval(), torch.rand(2, 6, 2, 3, 3)
    out = block(maps)
    assert torch.equal(out[:, ::2], maps[:, :3])
    torch.testing.assert_close(out[:, 1::2], block.body(maps[:, 3:]))


def test_a_strided_block_sees_all_channels_in_both_halves():
    block, maps = StridedShuffleBlock(4, 6).eval(), torch.rand(2, 4, 3, 5, 4)
    out = block(maps)
    assert out.shape == (2, 6, 2, 3, 2)
    torch.testing.assert_close(out[:, ::2], block.shortcut(maps))
    torch.testing.assert_close(out[:, 1::2], block.body(maps))


@pytest.mark.parametrize(("out_ch", "stride"), [(4, 1), (4, 2), (5, 1)])
def test_the_input_is_added_only_where_shapes_agree(out_ch, stride):
    block, maps = InvertedResidual(4, out_ch, stride, expansion=2).eval(), torch.rand(2, 4, 3, 5, 4)
    added = maps if (out_ch, stride) == (4, 1) else 0
    torch.testing.assert_close(block(maps), block.body(maps) + added)


def test_channels_of_shufflenet_are_even():
    assert all(ch % 2 == 0 for channels in PUBLISHED_CHANNELS.values() for ch in channels[1:4])


@pytest.mark.parametrize(
    ("name", "width", "message"),
    [
        ("shufflenetv2_3d", 0.7, r"has widths \[0.25, 0.5, 1.0, 1.5, 2.0\], got 0.7"),
        ("mobilenetv2_3d", 0.05, "at least 1/16, .* got 0.05"),
    ],
)
def test_widths_that_cannot_be_are_refused(name, width, message):
    with pytest.raises(ValueError, match=message):
        build_backbone(name, 3, width=width)
