"""optimize: the original stays, unsafe steps are taken back, and the report says what was done."""

import copy
import sys
import sysconfig

import pytest
import torch
from tiny_clips import FrameByFrame
from torch import Tensor, nn

from condi_lib.models import Student, StudentOutput, build_backbone, optimize
from condi_lib.models.layout import lay_out
from condi_lib.models.optimize import agreement_and_delta, lacks_for_compiling
from condi_lib.models.speed_report import SpeedReport, Trial

STEPS = ["channels_last_3d", "batch norm folded", "bf16", "matrix products", "compiled"]


def make_clips(n: int) -> Tensor:
    return torch.rand(n, 3, 4, 32, 32, generator=torch.Generator().manual_seed(2))


def verdicts(report: SpeedReport) -> dict[str, str]:
    return {trial.step: trial.verdict for trial in report.trials}


class SumOfColours(nn.Module):
    """Class c's logit is ``scale[c]`` times the clip's mean brightness, by one convolution."""

    def __init__(self, scale: list[float]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, len(scale), 1, bias=False)
        self.conv.weight.data[:] = torch.tensor(scale)[:, None, None, None, None]

    def forward(self, clips: Tensor) -> Tensor:
        return self.conv(clips.mean(dim=(2, 3, 4), keepdim=True)).flatten(1)


def test_a_network_with_2d_convolutions_may_be_laid_out():
    model = FrameByFrame().eval()
    quick = optimize(model, make_clips(4), compiled=False)
    assert verdicts(quick.report)["channels_last_3d"] in ("kept", "not quicker")
    laid_out = lay_out(copy.deepcopy(model))
    assert laid_out.time.weight.is_contiguous(memory_format=torch.channels_last_3d)
    with torch.no_grad():
        torch.testing.assert_close(laid_out(make_clips(4)), model(make_clips(4)))


@pytest.fixture
def fast_bf16(monkeypatch):
    """A processor that says it has bf16 products; torch computes bf16 on every processor."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)


def test_logits_stay_and_the_original_is_not_changed(no_bf16):
    model = build_backbone("mobilenetv2_3d_small", num_classes=5).train()
    before = copy.deepcopy(model.state_dict())
    optimized = optimize(model, make_clips(8), batch_size=4, compiled=False)
    assert model.training
    assert list(before) == list(model.state_dict())
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert [trial.step for trial in optimized.report.trials] == ["plain fp32", *STEPS[:-1]]
    for n in (4, 3, 9):  # a whole batch, a part of one, and two with a rest
        torch.testing.assert_close(optimized(make_clips(n)), model.eval()(make_clips(n)))
        model.train()


def test_both_heads_of_a_student_come_back_in_fp32(fast_bf16):
    student = Student(build_backbone("shufflenetv2_3d_small", num_classes=5)).eval()
    clips = make_clips(6)
    optimized = optimize(student, clips, batch_size=4, compiled=False)
    output, expected = optimized(clips), student(clips)
    assert isinstance(output, StudentOutput)
    assert {part.dtype for part in output} == {torch.float32}
    torch.testing.assert_close(tuple(output), tuple(expected), rtol=0, atol=0.02)
    assert not verdicts(optimized.report)["bf16"].startswith(("skipped", "failed"))


@pytest.mark.parametrize(
    ("lead", "safe"),
    [
        (1e-4, False),  # bf16 has 8 bits: both logits become the same, and the first class wins
        (1e-1, True),
    ],
)
def test_a_step_that_flips_the_first_class_is_taken_back(fast_bf16, lead, safe):
    model, clips = SumOfColours([1.0, 1.0 + lead]).eval(), make_clips(10)
    assert (model(clips).argmax(dim=1) == 1).all()
    report = optimize(model, clips, compiled=False).report
    (bf16,) = [trial for trial in report.trials if trial.step == "bf16"]
    assert bf16.agreement == float(safe)
    assert bf16.verdict.startswith("unsafe: agreement below 99.0%") is not safe
    assert safe or "bf16" not in report.chosen


def test_a_step_that_is_impossible_here_is_named(no_compiler, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    model, clips = SumOfColours([1.0, 2.0]), make_clips(3)
    optimized = optimize(model, clips)
    said = verdicts(optimized.report)
    assert said["batch norm folded"] == "skipped: no batch normalisation follows a convolution"
    assert said["bf16"] == "skipped: this processor has no fast bf16"
    assert said["compiled"].startswith("skipped: no C++ compiler")
    monkeypatch.setenv("CXX", sys.executable)  # whatever can be run
    monkeypatch.setattr(sysconfig, "get_path", lambda _: "nowhere")
    assert lacks_for_compiling() == "no C headers of Python (Debian: python3-dev)"
    torch.testing.assert_close(optimized(clips), model(clips).detach())


def test_a_compiler_that_fails_is_no_failure(monkeypatch):
    def fail(clips: Tensor) -> Tensor:
        raise RuntimeError("internal compiler error\nsecond line")

    monkeypatch.setattr(torch, "compile", lambda *args, **options: fail)  # a real one takes 20 s
    monkeypatch.setattr(sys.modules[optimize.__module__], "lacks_for_compiling", str)
    model, clips = SumOfColours([1.0, 2.0]), make_clips(3)
    optimized = optimize(model, clips)
    said = verdicts(optimized.report)
    assert said["compiled"] == "failed: RuntimeError: internal compiler error"
    torch.testing.assert_close(optimized(clips), model(clips).detach())


@pytest.mark.slow
@pytest.mark.skipif(bool(lacks_for_compiling()), reason=lacks_for_compiling())
def test_other_batches_run_uncompiled_and_nothing_is_compiled_again(no_bf16, monkeypatch):
    monkeypatch.setattr(sys.modules[optimize.__module__], "WORTH_IT", 0.0)  # keep what is safe
    model = build_backbone("small_cnn3d", num_classes=5, width=2).eval()
    optimized = optimize(model, make_clips(4))
    assert "compiled" in optimized.report.chosen
    with torch.compiler.set_stance("fail_on_recompile"), torch.no_grad():
        for n in (4, 1, 3, 11):
            torch.testing.assert_close(optimized(make_clips(n)), model(make_clips(n)))
        longer = torch.rand(4, 3, 6, 40, 32)
        torch.testing.assert_close(optimized(longer), model(longer))


def test_agreement_by_hand():
    expected = [torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [0.0, 4.0]]), torch.zeros(4)]
    same = [expected[0] + 0.5, expected[1]]
    assert agreement_and_delta(same, expected) == (1.0, 0.5)
    flipped = [expected[0].clone(), expected[1].clone()]
    flipped[0][0, 0] = 0.5  # the other class wins
    flipped[0][1, 1] = torch.nan
    flipped[1][2] = 0.05  # z̃ moves by .0125
    flipped[1][3] = 0.03  # and by .0075
    agreement, delta = agreement_and_delta(flipped, expected)
    assert agreement == 1 / 4
    assert torch.tensor(delta).isnan()


def test_report_reads_as_a_table():
    trials = (
        Trial("plain fp32", 10.0, 1.0, 1.0, 0.0, "the original"),
        Trial("channels_last_3d", 16.0, 1.6, 1.0, 2e-6, "kept"),
        Trial("bf16", 40.0, 4.0, 0.5, 0.25, "unsafe: agreement below 99.0%"),
        Trial("compiled", verdict="skipped: no C++ compiler"),
    )
    report = SpeedReport(trials, "cpu", (4, 3, 16, 112, 112), 100, 0.99)
    assert report.chosen == ("channels_last_3d",)
    assert str(report).splitlines() == [
        "batches of 4 x 3 x 16 x 112 x 112 on cpu; agreement on 100 clips, at least 99.0%",
        "step                  clips/s     speed  agreement   max |Δ|",
        "plain fp32               10.0     1.00x     100.0%   0.0e+00   the original",
        "channels_last_3d         16.0     1.60x     100.0%   2.0e-06   kept",
        "bf16                     40.0     4.00x      50.0%   2.5e-01   "
        "unsafe: agreement below 99.0%",
        "compiled                    -         -          -         -   skipped: no C++ compiler",
        "chosen: channels_last_3d, 1.60 x plain",
    ]


def test_an_optimised_model_does_not_train():
    optimized = optimize(SumOfColours([1.0, 2.0]), (2, 3, 2, 4, 4), compiled=False)
    assert optimized.eval() is optimized
    with pytest.raises(ValueError, match="train the original"):
        optimized.train()


@pytest.mark.parametrize(
    ("clips", "min_agreement", "message"),
    [
        (torch.rand(3, 4, 8, 8), 0.99, r"\[n, 3, T, H, W\], got shape \[3, 4, 8, 8\]"),
        (torch.rand(0, 3, 4, 8, 8), 0.99, r"got shape \[0, 3, 4, 8, 8\]"),
        ((1, 3, 4, 8, 8), 99, r"a share in \[0, 1\], got 99"),
    ],
)
def test_impossible_requests_are_refused(clips, min_agreement, message):
    with pytest.raises(ValueError, match=message):
        optimize(SumOfColours([1.0]), clips, min_agreement=min_agreement)
