"""The quickest safe way to run a network on this machine: tried, measured, and said.

:func:`optimize` tries one step after another on a copy of the network. A step stays if the copy
still says what the original says and is quicker; otherwise it is taken back.
"""

import copy
import os
import shutil
import sysconfig
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from condi_lib.models.fold import CONVOLUTIONS, fold_batch_norm, is_plain
from condi_lib.models.layout import lay_out
from condi_lib.models.one_dnn import quick_for_one
from condi_lib.models.products import use_products
from condi_lib.models.speed_report import PLAIN, SpeedReport, Trial
from condi_lib.models.student import StudentOutput

Output = Tensor | StudentOutput
COMPILED = "compiled"
MIN_ROUNDS, MIN_SEC = 3, 0.1  # timed forward passes of each mode; the quickest counts
WORTH_IT = 1.02  # a step must be quicker by 2 %, or the simpler mode stays
CONFIDENCE_TOLERANCE = 0.01  # in probability; a larger shift of z̃ counts as disagreement
FAST_BF16 = ("avx512_bf16", "amx_bf16", "bf16")  # what processors with bf16 products call it


class StepSkipped(Exception):
    """A step that cannot be tried here; its message says why."""


class OptimizedModel(nn.Module):
    """A copy of a network that runs in a faster mode, with fp32 outputs; for inference only.

    Compiled code serves batches of ``batch_size`` clips of the example's shape. Larger batches are
    split into such; what is left over, and clips of another shape, run uncompiled: nothing is
    compiled again.

    Attributes:
        network: The copy.
        report: What was tried and what was chosen.
    """

    def __init__(self, network: nn.Module, device: torch.device, clip_shape: Sequence[int]) -> None:
        super().__init__()
        self.network, self.device = network, device
        self.batch_shape = torch.Size(clip_shape)
        self.layout = torch.contiguous_format
        self.bf16 = False
        self.report: SpeedReport | None = None
        self._compiled: Callable[[Tensor], Output] | None = None

    def forward(self, clips: Tensor) -> Output:
        """Logits of clips ``[B, 3, T, H, W]`` in fp32: ``[B, C]``, or a ``StudentOutput``."""
        whole = self._compiled is None
        batches = [clips] if whole else clips.split(self.batch_shape[0])
        with torch.inference_mode():
            outputs = [self._run(batch) for batch in batches]
        if isinstance(outputs[0], Tensor):
            return torch.cat(outputs).float()
        return type(outputs[0])(*(torch.cat(part).float() for part in zip(*outputs, strict=True)))

    def _run(self, clips: Tensor) -> Output:
        clips = clips.to(self.device, torch.float32).contiguous(memory_format=self.layout)
        fits = self._compiled is not None and clips.shape == self.batch_shape
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            if fits:
                return self._compiled(clips)
            with quick_for_one(clips):
                return self.network(clips)

    def train(self, mode: bool = True) -> "OptimizedModel":
        """Stay in eval mode.

        Raises:
            ValueError: If asked to train.
        """
        if mode:
            raise ValueError("an optimised model is for inference: train the original instead")
        return super().train(False)

    @property
    def is_compiled(self) -> bool:
        """Whether compiled code runs."""
        return self._compiled is not None

    @property
    def steps(self) -> list[str]:
        """The steps that were kept and are in force."""
        kept = [] if self.report is None else list(self.report.chosen)
        return [step for step in kept if self.is_compiled or step != COMPILED]

    def uncompiled(self) -> "OptimizedModel":
        """The same network, not copied, without compiled code: for threads that share a batch."""
        twin = OptimizedModel(self.network, self.device, self.batch_shape)
        twin.layout, twin.bf16, twin.report = self.layout, self.bf16, self.report
        return twin.eval()

    def changed(self) -> "OptimizedModel":
        """A copy to try a step on; whatever was compiled stays behind."""
        twin = OptimizedModel(copy.deepcopy(self.network), self.device, self.batch_shape)
        twin.layout, twin.bf16 = self.layout, self.bf16
        return twin.eval()


def optimize(
    model: nn.Module,
    clips: Tensor | Sequence[int],
    device: str | torch.device | None = None,
    batch_size: int = 8,
    min_agreement: float = 0.99,
    compiled: bool = True,
) -> OptimizedModel:
    """Find the quickest mode whose predictions agree with those of ``model`` in fp32.

    Tried in turn, each on top of what was kept: ``channels_last_3d``, batch normalisation folded
    into convolutions, bf16, pixel-wise convolutions as matrix products (CPU), ``torch.compile``.

    Args:
        model: From clips to logits ``[B, C]`` or a ``StudentOutput``. It is not changed.
        clips: Preprocessed example clips ``[n, 3, T, H, W]``; agreement is judged on all of them,
            so give real ones, a hundred or more. Or a shape, for noise, to judge speed alone.
        device: Where to run; by default where ``model`` is.
        batch_size: Clips per forward pass while timing, and in compiled code; at most n.
        min_agreement: Share of the clips that must keep their top-1 class, and, for a student,
            their confidence z̃ up to .01.
        compiled: Whether to try ``torch.compile``, which takes a minute or so.

    Returns:
        The model to use; ``print(optimized.report)`` says what was tried and chosen.

    Raises:
        ValueError: If ``clips`` is no batch of clips or ``min_agreement`` is not in [0, 1].
    """
    if not 0 <= min_agreement <= 1:
        raise ValueError(f"min_agreement is a share in [0, 1], got {min_agreement}")
    clips = _as_clips(clips)
    target = torch.device(device or next((p.device for p in model.parameters()), "cpu"))
    shape = (min(batch_size, len(clips)), *clips.shape[1:])
    plain = OptimizedModel(copy.deepcopy(model).float().to(target), target, shape).eval()
    search = _Search(plain, clips, min_agreement)
    for name, step in STEPS.items():
        if compiled or step is not _compile:
            search.attempt(name, step)
    search.best.report = search.report()
    return search.best


class _Search:
    """The best mode so far, and what has been tried."""

    def __init__(self, plain: OptimizedModel, clips: Tensor, min_agreement: float) -> None:
        self.plain = self.best = plain
        self.clips, self.min_agreement = clips, min_agreement
        self.expected = self._outputs(plain)
        (seconds,) = _quickest_sec([plain], self._batch())
        self.trials = [Trial(PLAIN, len(self._batch()) / seconds, 1.0, 1.0, 0.0, "the original")]

    def attempt(self, name: str, step: Callable[[OptimizedModel, Tensor], None]) -> None:
        """Take a step on a copy; keep the copy if it is safe and quicker."""
        candidate = self.best.changed()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the verdict says what matters
                step(candidate, self._batch()[:1].to(candidate.device))
                trial = self._judge(name, candidate)
        except StepSkipped as reason:
            trial = Trial(name, verdict=f"skipped: {reason}")
        except Exception as error:  # whatever a compiler or a missing kernel raises
            reason = (str(error).strip() or "no message").splitlines()[0]
            trial = Trial(name, verdict=f"failed: {type(error).__name__}: {reason}")
        if trial.kept:
            self.best = candidate
        self.trials.append(trial)

    def _judge(self, name: str, candidate: OptimizedModel) -> Trial:
        agreement, delta = agreement_and_delta(self._outputs(candidate), self.expected)
        models = [self.plain, self.best, candidate]
        plain_sec, best_sec, seconds = _quickest_sec(models, self._batch())
        verdict = "kept"
        if agreement < self.min_agreement:
            verdict = f"unsafe: agreement below {self.min_agreement:.1%}"
        elif best_sec < WORTH_IT * seconds:
            verdict = "not quicker"
        speed = len(self._batch()) / seconds
        return Trial(name, speed, plain_sec / seconds, agreement, delta, verdict)

    def _batch(self) -> Tensor:
        return self.clips[: self.plain.batch_shape[0]]

    def _outputs(self, model: OptimizedModel) -> list[Tensor]:
        """Class logits, and confidence logits if there are any, of all clips."""
        outputs = [model(batch) for batch in self.clips.split(model.batch_shape[0])]
        parts = [(o,) if isinstance(o, Tensor) else tuple(o) for o in outputs]
        return [torch.cat(part).cpu() for part in zip(*parts, strict=True)]

    def report(self) -> SpeedReport:
        shape, device = tuple(self.plain.batch_shape), str(self.plain.device)
        return SpeedReport(tuple(self.trials), device, shape, len(self.clips), self.min_agreement)


def agreement_and_delta(
    outputs: Sequence[Tensor], expected: Sequence[Tensor]
) -> tuple[float, float]:
    """Share of clips on which two models agree, and the largest difference of their logits.

    Args:
        outputs: Class logits ``[n, C]`` and, from a student, confidence logits ``[n]``.
        expected: The same from the original.

    Returns:
        The share of clips whose top-1 class is the same and whose confidence z̃ differs by .01 at
        most, and max |Δ|. Logits that are not finite agree with nothing.
    """
    agree = outputs[0].argmax(dim=1) == expected[0].argmax(dim=1)
    agree &= outputs[0].isfinite().all(dim=1)
    for confidence, before in zip(outputs[1:], expected[1:], strict=True):
        agree &= (confidence.sigmoid() - before.sigmoid()).abs() <= CONFIDENCE_TOLERANCE
    delta = max(float((o - e).abs().max()) for o, e in zip(outputs, expected, strict=True))
    return agree.double().mean().item(), delta


def _quickest_sec(models: Sequence[OptimizedModel], clips: Tensor) -> list[float]:
    """The shortest time of each model's forward pass; in turns, for the machine may be busy."""
    clips = clips.to(models[0].device)
    rounds: list[list[float]] = []
    _forward_sec(models, clips)  # warms up
    while len(rounds) < MIN_ROUNDS or sum(map(sum, rounds)) < MIN_SEC * len(models):
        rounds.append(_forward_sec(models, clips))
    return [min(seconds) for seconds in zip(*rounds, strict=True)]


def _forward_sec(models: Sequence[OptimizedModel], clips: Tensor) -> list[float]:
    seconds = []
    for model in models:
        start = time.perf_counter()
        model(clips)
        if clips.is_cuda:
            torch.cuda.synchronize(clips.device)
        seconds.append(time.perf_counter() - start)
    return seconds


def _as_clips(clips: Tensor | Sequence[int]) -> Tensor:
    if not isinstance(clips, Tensor):
        clips = torch.randn(tuple(clips), generator=torch.Generator().manual_seed(0))
    if clips.ndim != 5 or not len(clips):
        raise ValueError(f"need example clips [n, 3, T, H, W], got shape {list(clips.shape)}")
    return clips


def _use_channels_last(model: OptimizedModel, clip: Tensor) -> None:
    model.layout = torch.channels_last_3d
    lay_out(model.network)


def _fold(model: OptimizedModel, clip: Tensor) -> None:
    if not fold_batch_norm(model.network, clip):
        raise StepSkipped("no batch normalisation follows a convolution")
    lay_out(model.network, model.layout)


def _use_bf16(model: OptimizedModel, clip: Tensor) -> None:
    if model.device.type == "cpu" and not any(map(torch.cpu.get_capabilities().get, FAST_BF16)):
        raise StepSkipped("this processor has no fast bf16")
    model.bf16 = True  # by autocast, which would convert the weights anew in each pass
    for module in model.network.modules():
        if is_plain(module, CONVOLUTIONS):
            module.to(torch.bfloat16)


def _use_products(model: OptimizedModel, clip: Tensor) -> None:
    if model.device.type != "cpu":
        raise StepSkipped("for CPUs only")
    if not use_products(model.network):
        raise StepSkipped("no convolution over channels or time alone")


def _compile(model: OptimizedModel, clip: Tensor) -> None:
    if lacking := lacks_for_compiling():
        raise StepSkipped(lacking)
    model._compiled = torch.compile(model.network, dynamic=False)


def lacks_for_compiling() -> str:
    """What ``torch.compile`` would fail without, and this machine lacks; empty if nothing."""
    names = (os.environ.get("CXX", "g++"), "g++", "clang++")
    if not any(shutil.which(name) for name in names):
        return "no C++ compiler (g++ or clang++ on PATH, or $CXX)"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "no C headers of Python (Debian: python3-dev)"
    return ""


STEPS: dict[str, Callable[[OptimizedModel, Tensor], None]] = {
    "channels_last_3d": _use_channels_last,
    "batch norm folded": _fold,
    "bf16": _use_bf16,
    "matrix products": _use_products,
    COMPILED: _compile,
}
