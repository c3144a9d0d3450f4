"""Folding batch normalisation: the formula by hand, whole networks, and what must be left alone."""

import pytest
import torch
from torch import Tensor, nn

from condi_lib.models import Student, build_backbone
from condi_lib.models.fold import fold_batch_norm

CLIPS = torch.rand(2, 3, 6, 32, 24, generator=torch.Generator().manual_seed(0))


def unsettle(network: nn.Module) -> nn.Module:
    """Give every normalisation statistics and weights of its own, as after training."""
    generator = torch.Generator().manual_seed(1)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm3d):
            for tensor in (norm.running_mean, norm.bias.data):
                tensor.normal_(0, 0.3, generator=generator)
            for tensor in (norm.running_var, norm.weight.data):
                tensor.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def count_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm3d) for module in network.modules())


def test_formula_by_hand():
    conv, norm = nn.Conv3d(1, 1, 1), nn.BatchNorm3d(1, eps=0.0)
    network = nn.Sequential(conv, norm).eval()
    values = {conv.weight: 2, conv.bias: 1, norm.weight: 5, norm.bias: 7}
    values |= {norm.running_mean: 3, norm.running_var: 4}
    for tensor, value in values.items():
        tensor.data.fill_(value)
    assert fold_batch_norm(network, torch.rand(1, 1, 2, 2, 2)) == 1
    assert network[0].weight.item() == 2 * 5 / 2
    assert network[0].bias.item() == (1 - 3) * 5 / 2 + 7
    assert isinstance(network[1], nn.Identity)


@pytest.mark.parametrize(
    "name",
    [
        *("small_cnn3d", "small_resnet3d", "resnext3d_small", "r2plus1d_small"),
        *("shufflenetv2_3d_small", "mobilenetv2_3d_small", "torchvision.mc3_18"),
    ],
)
def test_every_normalisation_of_a_network_is_folded_and_its_logits_stay(name):
    network = unsettle(build_backbone(name, num_classes=5))
    n_norms = count_norms(network)
    with torch.no_grad():
        expected = network(CLIPS)
        assert fold_batch_norm(network, CLIPS[:1]) == n_norms > 0
        folded = network(CLIPS)
    assert count_norms(network) == 0
    torch.testing.assert_close(folded, expected, rtol=1e-5, atol=1e-5)


def test_both_heads_of_a_student_stay():
    student = unsettle(Student(build_backbone("small_cnn3d", 5)))
    with torch.no_grad():
        expected = student(CLIPS)
        assert fold_batch_norm(student, CLIPS[:1]) == 4
        torch.testing.assert_close(tuple(student(CLIPS)), tuple(expected), rtol=1e-5, atol=1e-5)


class TwoReaders(nn.Module):
    """Two normalisations read one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3)
        self.first, self.second = nn.BatchNorm3d(4), nn.BatchNorm3d(4)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x)
        return self.first(maps) + self.second(maps)


def run_twice() -> nn.Module:
    conv, norm = nn.Conv3d(3, 3, 3), nn.BatchNorm3d(3)
    return nn.Sequential(conv, norm, conv)


def activation_between() -> nn.Module:
    return nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU(inplace=True), nn.BatchNorm3d(4))


def without_statistics() -> nn.Module:
    return nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4, track_running_stats=False))


@pytest.mark.parametrize("build", [TwoReaders, run_twice, activation_between, without_statistics])
def test_what_is_no_pair_of_its_own_is_left_alone(build):
    network = build().eval()
    expected = network(CLIPS)
    assert fold_batch_norm(network, CLIPS) == 0
    assert torch.equal(network(CLIPS), expected)


def test_normalisation_in_training_is_left_alone_and_no_hook_stays():
    network = nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4)).train()
    assert fold_batch_norm(network, CLIPS) == 0
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
