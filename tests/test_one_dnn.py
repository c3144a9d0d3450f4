"""Single clips in oneDNN: the same answers, without the slow loop."""

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from condi_lib.models import BACKBONES, Student, build_backbone, optimize
from condi_lib.models.one_dnn import quick_for_one
from condi_lib.scoring import forward_clips

needs_one_dnn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN"
)


def make_clips(n: int, *shape: int) -> torch.Tensor:
    clips = torch.randn(n, 3, *shape, generator=torch.Generator().manual_seed(0))
    return clips.contiguous(memory_format=torch.channels_last_3d)


def convolutions(network: nn.Module, clips: torch.Tensor, quick: bool) -> tuple[int, int]:
    """How many convolutions ran in ATen's own loop, and how many in oneDNN."""
    with profile(activities=[ProfilerActivity.CPU]) as seen, torch.inference_mode():
        if quick:
            with quick_for_one(clips):
                network(clips)
        else:
            network(clips)
    names = [event.name for event in seen.events()]
    return names.count("aten::slow_conv3d_forward"), names.count("aten::mkldnn_convolution")


@needs_one_dnn
def test_a_single_small_clip_takes_no_slow_path():
    """Of nine convolutions torch itself lets only the stem pass, for its 5 x 5 kernel."""
    network = build_backbone("small_resnet3d", 5).eval()
    clip = make_clips(1, 8, 44, 44)
    assert convolutions(network, clip, quick=False) == (8, 1)
    assert convolutions(network, clip, quick=True) == (0, 9)


@needs_one_dnn
def test_an_optimised_network_takes_none_either(no_bf16):
    network = build_backbone("small_resnet3d", 5).eval()
    clips = make_clips(2, 8, 44, 44)
    quick = optimize(network, clips, compiled=False)
    assert convolutions(quick, clips[:1], quick=False)[0] == 0


@pytest.mark.parametrize(
    "settings",
    [
        (None, 1, 1, 1, 1),
        (None, (2, 1, 1), 1, 1, 1),
        (None, (1, 1, 1), (1,), (1, 1, 1), 1),
        (None, (1, 1, 1), "same", (1, 1, 1), 1),
        (None, 2),
        (),
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [True, False])
def test_however_a_convolution_is_called_it_is_done(settings, batch):
    """A network may call the function itself, by single numbers, or without a batch."""
    clip, weight = make_clips(1, 4, 9, 9), torch.randn(5, 3, 3, 3, 3)
    shown = clip if batch else clip[0]
    expected = torch.conv3d(shown, weight, *settings)
    with torch.inference_mode(), quick_for_one(clip):
        torch.testing.assert_close(torch.conv3d(shown, weight, *settings), expected)
        in_threes = torch.conv3d(clip[0], weight, None, (1, 1, 1), (0, 0, 0), (1, 1, 1), 1)
    assert in_threes.shape == (5, 2, 7, 7)


@pytest.mark.parametrize("name", [name for name in BACKBONES if "small" in name])
def test_it_says_the_same(name):
    network = Student(build_backbone(name, 5)).eval()
    clips = make_clips(3, 4, 32, 32)
    with torch.inference_mode():
        expected = network(clips)
        for number, clip in enumerate(clips.split(1)):
            with quick_for_one(clip):
                found = network(clip)
            alone = [part[number : number + 1] for part in expected]
            torch.testing.assert_close(list(found), alone, rtol=1e-4, atol=1e-4)


class Unusual(nn.Module):
    """Convolutions that are not called as ``nn.Conv3d`` calls them, or padded by a name."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Conv3d(3, 4, 3, padding="same")
        self.around = nn.Conv3d(4, 4, 3, padding=1, padding_mode="circular")

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        maps = self.around(self.same(clips))
        return nn.functional.conv3d(maps, self.around.weight, padding=1, stride=2)


def test_unusual_convolutions_are_computed_as_ever():
    network, clip = Unusual().eval(), make_clips(1, 4, 8, 8)
    with torch.no_grad():
        expected = network(clip)
        with quick_for_one(clip):
            torch.testing.assert_close(network(clip), expected)
        with torch.autocast("cpu", torch.bfloat16):
            expected = network(clip)
            with quick_for_one(clip):
                torch.testing.assert_close(network(clip), expected, rtol=0, atol=0)


@needs_one_dnn
def test_scoring_and_selective_inference_take_it():
    """Both run networks by ``forward_clips``."""
    network = build_backbone("small_resnet3d", 5).eval()
    clip = make_clips(1, 8, 44, 44)
    with profile(activities=[ProfilerActivity.CPU]) as seen, torch.inference_mode():
        logits, _ = forward_clips(network, clip, 5)
        expected = network(clip)
    torch.testing.assert_close(logits, expected)
    names = [event.name for event in seen.events()]
    assert names.count("aten::slow_conv3d_forward") == 8  # those of ``expected``


def test_batches_and_other_devices_are_left_to_torch():
    network = build_backbone("small_resnet3d", 5).eval()
    clips = make_clips(2, 8, 44, 44)
    both = [convolutions(network, clips, quick=quick) for quick in (False, True)]
    assert both[0] == both[1]
    with torch.device("meta"):
        elsewhere = build_backbone("small_cnn3d", 5)
        clip = torch.empty(1, 3, 8, 44, 44)
    with quick_for_one(clip):
        assert elsewhere(clip).shape == (1, 5)
