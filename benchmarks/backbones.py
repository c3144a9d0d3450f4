"""How fast are the paper's networks? Clips per second of each mode, beside the published code.

``python benchmarks/backbones.py --efficient-3dcnns FOLDER --resnets-3d FOLDER`` with checkouts of
okankop/Efficient-3DCNNs and kenshohara/3D-ResNets-PyTorch; without them only ours is measured.

Clips are 16 frames of 112 px, modes take turns, the median counts. Weights are random: batch
normalisation takes its statistics from the clips and the head is centred on their features, so that
clips differ in their top-1 class; a trained network is surer, so agreement here is the lower bound.
The reference gets the same weights, and its logits must be ours.
"""

import argparse
import copy
import importlib
import os
import statistics
import sys
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from condi_lib.models import build_backbone
from condi_lib.models.optimize import STEPS, OptimizedModel, StepSkipped, agreement_and_delta
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import VideoReader

N_CLASSES, N_FRAMES, SIZE_PX = 400, 16, 112
GOAL_BATCH, GOAL_BEST, GOAL_PLAIN, GOAL_AGREEMENT = 4, 2.5, 1.0, 0.99
NOISE = 0.02  # two runs of the very same operations differ by that much
VIDEO_SUFFIXES = {".mp4", ".avi", ".mkv", ".webm"}
CLOSE = 1e-4  # of the reference's logits, which have a standard deviation of 1

REFERENCE, PLAIN = "reference, eager", "plain"
LAYOUT, FOLDED, BF16, PRODUCTS, COMPILED = STEPS
MODES: tuple[tuple[str, ...], ...] = (
    (),
    (LAYOUT,),
    (FOLDED,),
    (LAYOUT, FOLDED),
    (LAYOUT, FOLDED, PRODUCTS),
    (LAYOUT, FOLDED, BF16),
    (LAYOUT, FOLDED, BF16, PRODUCTS),
    (LAYOUT, FOLDED, PRODUCTS, COMPILED),
    (LAYOUT, FOLDED, BF16, COMPILED),
)

# Ours by name: the repository's option, its module, and how to build the network there.
REFERENCES: dict[str, tuple[str, str, Callable[[types.ModuleType], nn.Module]]] = {
    "shufflenetv2_3d": (
        "efficient_3dcnns",
        "shufflenetv2",
        lambda m: m.get_model(num_classes=N_CLASSES, sample_size=SIZE_PX, width_mult=2.0),
    ),
    "mobilenetv2_3d": (
        "efficient_3dcnns",
        "mobilenetv2",
        lambda m: m.get_model(num_classes=N_CLASSES, sample_size=SIZE_PX, width_mult=1.0),
    ),
    "resnext3d_101": (
        "efficient_3dcnns",
        "resnext",
        lambda m: m.resnext101(
            num_classes=N_CLASSES,
            sample_size=SIZE_PX,
            sample_duration=N_FRAMES,
            shortcut_type="B",
            cardinality=32,
        ),
    ),
    "r2plus1d_34": (
        "resnets_3d",
        "resnet2p1d",
        lambda m: m.generate_model(34, n_classes=N_CLASSES),
    ),
}


@dataclass(frozen=True)
class Row:
    """One mode at one batch size; ``ratio`` is to the reference, or to plain without one."""

    model: str
    batch: int
    mode: str
    clips_per_sec: float | None = None
    ratio: float | None = None
    agreement: float | None = None
    max_delta: float | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.clips_per_sec is None:
            return f"{self.model:16s} {self.batch:5d}   {self.mode:62s} {self.note}"
        return (
            f"{self.model:16s} {self.batch:5d}   {self.mode:62s} {self.clips_per_sec:8.2f} "
            f"{self.ratio:6.2f} {self.agreement:7.1%} {self.max_delta:8.1e}"
        )


def read_clips(folder: Path | None, n_clips: int) -> tuple[Tensor, str]:
    """The middle clip of each of ``n_clips`` videos, normalised; or noise, and where from."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix in VIDEO_SUFFIXES) if folder else []
    if len(paths) < n_clips:
        noise = torch.randn(n_clips, 3, N_FRAMES, SIZE_PX, SIZE_PX)
        return noise, f"noise, for there are {len(paths)} videos in {folder}"
    grid, clips = ClipGrid(N_FRAMES), []
    for path in paths[:: len(paths) // n_clips][:n_clips]:
        with VideoReader(path, size_px=(SIZE_PX, SIZE_PX), resize="cover") as reader:
            n_frames = reader.info.n_frames
            middle = grid.frame_indices(n_frames, grid.n_clips(n_frames) // 2)
            clips.append(torch.from_numpy(reader.read(middle)))
    pixels = torch.stack(clips).permute(0, 4, 1, 2, 3).float()
    return ((pixels - pixels.mean()) / pixels.std()).contiguous(), f"videos in {folder}"


def calibrated(name: str, clips: Tensor) -> nn.Module:
    """Random weights under which the clips' logits have a mean of 0 and a deviation of 1."""
    model = build_backbone(name, N_CLASSES, seed=0)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm3d):
            norm.momentum = None  # the mean over all batches
    with torch.no_grad():
        for batch in clips[:32].split(16):
            model.features(batch)
        features = model.eval().features(clips[:32])
        model.fc.weight /= (features @ model.fc.weight.T).std(dim=0, keepdim=True).T
        model.fc.bias[:] = -(features @ model.fc.weight.T).mean(dim=0)
    return model


def reference(name: str, checkouts: dict[str, Path | None], ours: nn.Module) -> nn.Module | None:
    """The published network with our weights, which come in the same order; None without it."""
    option, module, build = REFERENCES[name]
    if (folder := checkouts[option]) is None:
        return None
    package = types.ModuleType(f"reference_{option}")  # both repositories call theirs `models`
    package.__path__ = [str(folder / "models")]
    sys.modules[package.__name__] = package
    network = build(importlib.import_module(f"{package.__name__}.{module}"))
    theirs, weights = network.state_dict(), ours.state_dict()
    network.load_state_dict(dict(zip(theirs, weights.values(), strict=True)))
    return network.eval()


def in_mode(model: nn.Module, mode: Sequence[str], clips: Tensor) -> OptimizedModel:
    """A copy of ``model`` that runs in a mode; compiled for batches like ``clips``."""
    network = copy.deepcopy(model).to(clips.device)
    fast = OptimizedModel(network, clips.device, clips.shape).eval()
    for step in mode:
        STEPS[step](fast, clips[:1])
    return fast


def outputs(run: nn.Module, clips: Tensor, batch: int = GOAL_BATCH) -> list[Tensor]:
    """Logits of all clips, as :func:`agreement_and_delta` takes them."""
    with torch.inference_mode():
        return [torch.cat([run(part).float().cpu() for part in clips.split(batch)])]


def median_sec(
    runs: dict[str, nn.Module], clips: Tensor, rounds: int, max_sec: float
) -> dict[str, float]:
    """The median time of each forward pass; all take turns, at least twice."""
    seconds: dict[str, list[float]] = {mode: [] for mode in runs}
    until = time.perf_counter() + max_sec
    with torch.inference_mode():
        for n in range(rounds):
            if n >= 2 and time.perf_counter() > until:
                break
            for mode, run in runs.items():
                start = time.perf_counter()
                run(clips)
                if clips.is_cuda:
                    torch.cuda.synchronize()
                seconds[mode].append(time.perf_counter() - start)
    return {mode: statistics.median(times) for mode, times in seconds.items()}


def measure(name: str, clips: Tensor, chosen: argparse.Namespace) -> Iterator[list[Row]]:
    """All modes of one network beside the reference, one batch size after the other."""
    ours = calibrated(name, clips.cpu())
    expected = outputs(in_mode(ours, (), clips), clips)
    judged: dict[str, tuple[float, float]] = {}  # agreement and max |Δ| of each mode
    runs: dict[str, nn.Module] = {}
    checkouts = {"efficient_3dcnns": chosen.efficient_3dcnns, "resnets_3d": chosen.resnets_3d}
    if (published := reference(name, checkouts, ours)) is not None:
        runs[REFERENCE] = published.to(clips.device)
        judged[REFERENCE] = agreement_and_delta(outputs(published, clips), expected)
        if not judged[REFERENCE][1] <= CLOSE and not clips.is_cuda:  # there TF32 may differ
            raise SystemExit(f"{name} is not the reference: max |Δ| {judged[REFERENCE][1]:.1e}")
    for batch in chosen.batches:
        modes, skipped = prepare(ours, clips[:batch], batch in chosen.compiled_batches)
        for mode in modes.keys() - judged.keys():
            judged[mode] = agreement_and_delta(outputs(modes[mode], clips, batch), expected)
        seconds = median_sec(runs | modes, clips[:batch], chosen.rounds, chosen.max_sec)
        base = seconds.get(REFERENCE, seconds[PLAIN])
        rows = [
            Row(name, batch, mode, batch / sec, base / sec, *judged[mode])
            for mode, sec in seconds.items()
        ]
        yield rows + [Row(name, batch, mode, note=note) for mode, note in skipped.items()]


def prepare(
    ours: nn.Module, clips: Tensor, compiled: bool
) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """Copies of our network in every mode that is possible here, and why the others are not."""
    modes, skipped = {}, {}
    for mode in MODES:
        if COMPILED in mode and not compiled:
            continue
        label = " + ".join(mode) or PLAIN
        try:
            modes[label] = in_mode(ours, mode, clips)
            outputs(modes[label], clips, len(clips))  # compiles and warms up
        except StepSkipped as reason:
            skipped[label] = f"skipped: {reason}"
        except Exception as error:  # a compiler's: the other modes are still worth measuring
            modes.pop(label, None)
            skipped[label] = f"failed: {type(error).__name__}: {str(error).splitlines()[0]}"
    return modes, skipped


def judge(rows: Sequence[Row]) -> str:
    """Whether the goals at batch 4 are met."""
    measured = [row for row in rows if row.clips_per_sec and row.batch == GOAL_BATCH]
    if not any(row.mode == REFERENCE for row in measured):
        return ""
    ours = [row for row in measured if row.mode != REFERENCE]
    safe = [row for row in ours if row.agreement >= GOAL_AGREEMENT]
    best = max(safe, key=lambda row: row.ratio)
    (plain,) = [row for row in measured if row.mode == PLAIN]
    return (
        f"{best.model}: best safe mode {best.ratio:.2f} x the reference ({best.mode}), "
        f"goal {GOAL_BEST}: {'met' if best.ratio >= GOAL_BEST else 'MISSED'}; plain "
        f"{plain.ratio:.2f} x, goal {GOAL_PLAIN}: "
        f"{'met' if plain.ratio >= GOAL_PLAIN - NOISE else 'MISSED'}"
    )


def save(rows: Sequence[Row], path: Path) -> None:
    """Write CSV, or a Markdown table for a name that ends in .md."""
    if path.suffix != ".md":
        pd.DataFrame([asdict(row) for row in rows]).to_csv(path, index=False)
        return
    names = [field.name for field in fields(Row)]
    table = [names, ["---"] * len(names)]
    for row in rows:
        values = asdict(row).values()
        table.append(
            ["" if v is None else f"{v:.4g}" if isinstance(v, float) else v for v in values]
        )
    path.write_text("".join(f"| {' | '.join(map(str, line))} |\n" for line in table))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--efficient-3dcnns", type=Path, help="checkout of the reference")
    parser.add_argument("--resnets-3d", type=Path, help="checkout of the reference of R(2+1)D")
    parser.add_argument("--models", nargs="+", choices=[*REFERENCES], default=[*REFERENCES])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--compiled-batches", nargs="*", type=int, default=[GOAL_BATCH])
    parser.add_argument("--rounds", type=int, default=7, help="forward passes of each mode")
    parser.add_argument("--max-sec", type=float, default=20, help="no new round after that")
    parser.add_argument("--clips", type=int, default=32, help="on which agreement is judged")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    real_data = Path(os.environ.get("CONDI_REAL_DATA", beside))
    parser.add_argument("--videos", type=Path, default=real_data, help="folder of real videos")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path, help="FILE.csv or FILE.md")
    return parser.parse_args()


def main() -> None:
    """Measure, print as results come, and save all at the end."""
    chosen = parse()
    torch.set_num_threads(chosen.threads)
    clips, source = read_clips(chosen.videos, max(chosen.clips, *chosen.batches))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    machine = torch.cuda.get_device_name() if device == "cuda" else f"{chosen.threads} CPU threads"
    print(f"{machine}; {len(clips)} clips: {source}")
    print(f"{'model':16s} {'batch':>5s}   {'mode':62s} clips/s  ratio  agrees  max |Δ|")
    rows: list[Row] = []
    for name in chosen.models:
        for found in measure(name, clips.to(device), chosen):
            print(*found, *filter(None, [judge(found)]), sep="\n", flush=True)
            rows += found
            if chosen.output:
                save(rows, chosen.output)


if __name__ == "__main__":
    main()
