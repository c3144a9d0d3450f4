"""A network with all it takes to run it on decoded clips, and a clock."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from condi_lib.cost import macs
from condi_lib.models import OptimizedModel, optimize
from condi_lib.models.layout import lay_out
from condi_lib.models.student import StudentOutput
from condi_lib.scoring import forward_clips
from condi_lib.videos.decode import Size
from condi_lib.videos.preprocess import Preprocess

TIMED_ROUNDS = 3  # forward passes of each mode; the quickest counts


@dataclass(frozen=True)
class ClipNetwork:
    """A teacher or a student, and what it wants to be shown.

    Attributes:
        model: From clips ``[B, 3, T, H, W]`` to logits ``[B, C]``, or to a ``StudentOutput``.
        preprocess: Decoded clips to its input; used without augmentation.
        every: It reads every so many of the frames that are decoded of a clip.
        size_px: Height and width that it wants frames to have; smaller ones are averaged down from
            the decoded frames, so that nothing is decoded twice. None: as decoded.
    """

    model: nn.Module
    preprocess: Preprocess
    every: int = 1
    size_px: Size | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be at least 1, got {self.every}")

    def on(self, device: torch.device, n_classes: int, workers: int = 1) -> "Runner":
        """Return the network ready to run on a device; other arguments as in :class:`Runner`."""
        model = lay_out(self.model.to(device)).eval()
        return Runner(model, self, device, n_classes, workers)

    def input_of(self, clips: Tensor) -> Tensor:
        """Return network input of decoded clips, uint8 RGB ``[B, T, H, W, 3]``.

        Raises:
            ValueError: If the decoded frames are smaller than the network wants.
        """
        clips = clips[:, :: self.every]
        if self.size_px is not None and clips.shape[2:4] != torch.Size(self.size_px):
            clips = _averaged_down(clips, self.size_px)
        return self.preprocess(clips)


class Runner:
    """A network on its device, which counts the clips it sees and the time it takes.

    On a processor a batch is divided between ``workers`` threads that calculate with one core each:
    light networks consist of operations too small to be divided themselves.

    Attributes:
        n_classes: Logits that it must give, C.
        workers: Threads that share a batch; 1 where the device is no processor.
        n_clips: Clips that it has seen.
        seconds: Time that it has taken for them, preprocessing included.
    """

    def __init__(
        self,
        model: nn.Module,
        network: ClipNetwork,
        device: torch.device,
        n_classes: int,
        workers: int = 1,
    ) -> None:
        self.model, self.network, self.device = model, network, device
        self.n_classes = n_classes
        self.workers = workers if device.type == "cpu" else 1
        self._pool = _one_core_each(self.workers) if self.workers > 1 else None
        self.n_clips, self.seconds = 0, 0.0

    @property
    def sec_per_clip(self) -> float | None:
        """Mean time of a clip so far; None before the first one."""
        return self.seconds / self.n_clips if self.n_clips else None

    @property
    def mode(self) -> str:
        """How it runs, in words."""
        threads = f"batches divided between {self.workers} threads of one core each"
        steps = ["as given"]
        if isinstance(self.model, OptimizedModel):
            steps = self.model.steps or ["plain fp32"]
        return ", ".join([*steps, *([threads] if self.workers > 1 else [])])

    def __call__(self, clips: Sequence[Tensor]) -> tuple[Tensor, Tensor | None, float]:
        """Run the network on some clips.

        Args:
            clips: Each uint8 RGB ``[T, H, W, 3]``.

        Returns:
            Class logits ``[B, C]``, confidences z̃ ``[B]`` or None, and the seconds it took.
        """
        start = time.perf_counter()
        logits, confidence = self._forward(clips)
        seconds = time.perf_counter() - start  # the logits are on the CPU, so CUDA is done
        self.n_clips, self.seconds = self.n_clips + len(clips), self.seconds + seconds
        return logits, confidence, seconds

    def _forward(self, clips: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        if self._pool is None or len(clips) == 1:
            return self._said(clips)
        size = -(-len(clips) // self.workers)
        parts = [clips[first : first + size] for first in range(0, len(clips), size)]
        said = list(self._pool.map(self._said, parts))
        logits, confidence = zip(*said, strict=True)
        return torch.cat(logits), None if confidence[0] is None else torch.cat(confidence)

    def _said(self, clips: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        batch = torch.stack(list(clips)).to(self.device, non_blocking=True)
        return forward_clips(self.model, self.network.input_of(batch), self.n_classes)

    def warm_up(self, sampled_frames: int, size_px: Size) -> None:
        """Show it a black clip, so that times that are taken later are steady; it is not counted.

        Raises:
            ValueError: If the network does not give ``n_classes`` logits.
        """
        self._said([torch.zeros(sampled_frames, *size_px, 3, dtype=torch.uint8)])

    def optimize(self, clips: Tensor, batch_size: int, compiled: bool) -> "Runner":
        """Return the same network in its quickest safe mode here; see ``models.optimize``.

        Compiled code brings its own threads, so it competes with dividing the batch.

        Args:
            clips: Decoded example clips, uint8 RGB ``[n, T, H, W, 3]``: real ones.
            batch_size: Clips per forward pass.
            compiled: Whether to try ``torch.compile``.
        """
        shown = self.network.input_of(clips.to(self.device))
        quick = optimize(self.model, shown, self.device, batch_size, compiled=compiled)
        ways = [quick.uncompiled()]
        if quick.is_compiled:
            ways.append(quick)
        runners = [self._with(way, 1 if way.is_compiled else self.workers) for way in ways]
        batch = list(clips[:batch_size])
        return min(runners, key=lambda runner: runner.best_sec(batch))

    def _with(self, model: OptimizedModel, workers: int) -> "Runner":
        return Runner(model, self.network, self.device, self.n_classes, workers)

    def best_sec(self, clips: Sequence[Tensor], rounds: int = TIMED_ROUNDS) -> float:
        """Return the shortest of some times that it takes for these clips; nothing is counted."""
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            self._forward(clips)
            seconds.append(time.perf_counter() - start)
        return min(seconds)

    def macs(self, sampled_frames: int, size_px: Size) -> int:
        """Return the multiply-accumulates of a clip that is decoded to this shape."""
        clip = torch.zeros(1, sampled_frames, *size_px, 3, dtype=torch.uint8)
        return macs(self.network.model, self.network.input_of(clip).shape[1:])

    def has_confidence(self, sampled_frames: int, size_px: Size) -> bool:
        """Return whether the network has a confidence head, by asking it about a black clip."""
        clip = torch.zeros(1, sampled_frames, *size_px, 3, dtype=torch.uint8, device=self.device)
        with torch.inference_mode():
            return isinstance(self.model(self.network.input_of(clip)), StudentOutput)


def _averaged_down(clips: Tensor, size_px: Size) -> Tensor:
    if clips.shape[2] < size_px[0] or clips.shape[3] < size_px[1]:
        have, want = " x ".join(map(str, clips.shape[2:4])), " x ".join(map(str, size_px))
        raise ValueError(
            f"frames are decoded to {have} px, but a network wants {want} px: give the classifier "
            "a size_px that is as large as the larger network's"
        )
    frames = clips.flatten(0, 1).permute(0, 3, 1, 2).float()
    small = interpolate(frames, size_px, mode="bilinear", antialias=True)
    pixels = small.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return pixels.unflatten(0, clips.shape[:2])


def _one_core_each(workers: int) -> ThreadPoolExecutor:
    """Threads in which torch calculates with one core; in this thread nothing changes."""
    n_threads, all_there = torch.get_num_threads(), threading.Barrier(workers)
    pool = ThreadPoolExecutor(workers, "clip network", _calculate_with_one_core)
    try:
        list(pool.map(lambda _: all_there.wait(), range(workers)))
    finally:  # the threads changed what those started later would get, not this thread's
        torch.set_num_threads(n_threads)
    return pool


def _calculate_with_one_core() -> None:
    torch.get_num_threads()  # or torch would give this thread the process' number at its first use
    torch.set_num_threads(1)
