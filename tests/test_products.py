"""Convolutions as matrix products against torch's own, and which convolutions qualify."""

from itertools import product

import pytest
import torch
from torch import nn

from condi_lib.models import build_backbone
from condi_lib.models.products import ProductConv3d, is_product, use_products

LAYOUTS = (torch.contiguous_format, torch.channels_last_3d)


def temporal_conv(taps: int, stride: tuple[int, int, int], bias: bool = True) -> nn.Conv3d:
    return nn.Conv3d(5, 4, (taps, 1, 1), stride, (taps // 2, 0, 0), bias=bias)


@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 2, 2), (3, 1, 2), (2, 1, 1)])
@pytest.mark.parametrize("taps", [1, 3, 5, 7])
def test_equals_the_convolution_at_every_length(taps, stride):
    for n_frames, layout, bias in product((1, 2, 3, 5, 8), LAYOUTS, (True, False)):
        conv = temporal_conv(taps, stride, bias)
        clips = torch.rand(3, 5, n_frames, 6, 7)
        with torch.no_grad():
            out = ProductConv3d(conv)(clips.contiguous(memory_format=layout))
            torch.testing.assert_close(out, conv(clips))
        assert out.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize(
    ("conv", "qualifies"),
    [
        (nn.Conv3d(2, 4, 1), True),
        (nn.Conv3d(2, 4, (3, 1, 1), padding=(1, 0, 0)), True),
        (nn.Conv3d(2, 4, (3, 1, 1)), False),  # shrinks the clip
        (nn.Conv3d(2, 4, (2, 1, 1), padding=(1, 0, 0)), False),
        (nn.Conv3d(2, 4, (1, 3, 3), padding=(0, 1, 1)), False),
        (nn.Conv3d(2, 4, 1, groups=2), False),
        (nn.Conv3d(2, 4, (3, 1, 1), padding=(1, 0, 0), dilation=(2, 1, 1)), False),
        (nn.Conv3d(2, 4, (3, 1, 1), padding=(1, 0, 0), padding_mode="replicate"), False),
        (nn.Conv3d(2, 4, 1, padding="same"), False),
    ],
)
def test_which_convolutions_qualify(conv, qualifies):
    assert is_product(conv) is qualifies


@pytest.mark.parametrize(
    ("name", "n_products"),
    [
        ("mobilenetv2_3d_small", 10),  # 5 blocks project, 4 of them expand first, and the last
        ("small_cnn3d", 0),
    ],
)
def test_a_network_says_the_same_with_products(name, n_products):
    network, clips = build_backbone(name, num_classes=5).eval(), torch.rand(2, 3, 4, 32, 32)
    with torch.no_grad():
        expected = network(clips)
        assert use_products(network) == n_products
        torch.testing.assert_close(network(clips), expected, rtol=1e-5, atol=1e-5)
