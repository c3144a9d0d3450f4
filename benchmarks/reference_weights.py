"""Do published weights give the same logits here as in the code that they were trained with?

The reference networks are built from their own repositories (clones of them, given by path), given
random weights and statistics and saved as those repositories save checkpoints, by PyTorch's formats
of today and of before 1.6. Each file is read by ``load_weights``, and both networks see the same
clips of several lengths and sizes. Prints the largest difference of a logit; goal at most 1e-4.

    python benchmarks/reference_weights.py --efficient-3dcnns PATH --resnets-3d PATH
"""

import argparse
import importlib.util
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from condi_lib.models.weights import load_weights

GOAL = 1e-4
CLIP_SIZES = ((16, 112, 112), (8, 64, 64), (24, 80, 80))  # frames, height, width


@dataclass(frozen=True)
class Reference:
    """A network of one of the repositories.

    Attributes:
        name: What it is called here.
        build: Makes it for clips of a length and size.
        save: Writes a checkpoint as its repository does: network, file, format of today.
    """

    name: str
    build: Callable[[int, int], nn.Module]
    save: Callable[[nn.Module, Path, bool], None]


def imported(path: Path) -> ModuleType:
    """A module of a repository, under a name of its own: both call their package ``models``."""
    spec = importlib.util.spec_from_file_location(f"reference_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def efficient(folder: Path) -> Iterator[Reference]:
    """The networks of Efficient-3DCNNs, in the widths that it names."""
    models = {n: imported(folder / f"models/{n}.py") for n in ("resnext", "shufflenetv2")}
    models["mobilenetv2"] = imported(folder / "models/mobilenetv2.py")

    def resnext(frames: int, size: int) -> nn.Module:
        return models["resnext"].resnext101(
            num_classes=600, sample_size=size, sample_duration=frames
        )

    def light(name: str, width: float) -> Callable[[int, int], nn.Module]:
        def build(frames: int, size: int) -> nn.Module:
            return models[name].get_model(num_classes=600, sample_size=size, width_mult=width)

        return build

    yield Reference("resnext3d_101", resnext, saver("resnext"))
    for width in (0.25, 0.5, 1.0, 1.5, 2.0):
        build = light("shufflenetv2", width)
        yield Reference(f"shufflenetv2_3d {width}", build, saver("shufflenetv2"))
    for width in (0.2, 0.45, 0.7, 1.0):
        build = light("mobilenetv2", width)
        yield Reference(f"mobilenetv2_3d {width}", build, saver("mobilenetv2"))


def resnets(folder: Path) -> Iterator[Reference]:
    """R(2+1)D-34 of 3D-ResNets-PyTorch."""
    module = imported(folder / "models/resnet2p1d.py")

    def build(frames: int, size: int) -> nn.Module:
        return module.generate_model(34, n_classes=700)

    yield Reference("r2plus1d_34", build, saver("resnet2p1d-34", parallel=False))


def saver(arch: str, parallel: bool = True) -> Callable[[nn.Module, Path, bool], None]:
    """A function that saves a network as its repository's ``save_checkpoint`` does."""

    def save(model: nn.Module, path: Path, today: bool) -> None:
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        for parameter in model.parameters():  # as after a step, so that there is momentum
            parameter.grad = torch.ones_like(parameter)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        optimizer.step()
        model.load_state_dict(before)
        steps = np.array([40, 55])
        optimizer.param_groups[0]["lr"] = 0.1 * (0.1 ** (sum(np.int64(41) >= steps)))
        scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [50, 100])
        wrapped = nn.DataParallel(model) if parallel else model
        state: dict[str, Any] = {"epoch": 41, "arch": arch, "state_dict": wrapped.state_dict()}
        state["optimizer"] = optimizer.state_dict()
        state |= {"best_prec1": 68.3} if parallel else {"scheduler": scheduler.state_dict()}
        torch.save(state, path, _use_new_zipfile_serialization=today)

    return save


def clips_of(frames: int, height: int, width: int, n_clips: int = 2) -> Tensor:
    """Noise of rising contrast, ``[B, 3, T, H, W]``: clips that differ."""
    contrast = torch.linspace(0.5, 2, n_clips)[:, None, None, None, None]
    return contrast * torch.randn(n_clips, 3, frames, height, width)


def randomise(reference: Reference, seed: int) -> nn.Module:
    """The reference with random scales and with statistics near those of its activations.

    With statistics that are random alone, hardly anything of the clip would reach the logits.
    """
    torch.manual_seed(seed)
    model = reference.build(16, 112)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm3d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        norm.momentum = 1.0  # keep the statistics of the batch
    model.train()(clips_of(16, 112, 112, 4))
    for norm in norms:
        # No channel is scaled up by much: rounding errors would be, too.
        norm.running_var.clamp_(min=0.5 * float(norm.running_var.mean()))
        norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.7, 1.5)
        norm.running_mean += 0.2 * torch.randn_like(norm.running_mean) * norm.running_var.sqrt()
    head = next(module for module in model.modules() if isinstance(module, nn.Linear))
    nn.init.uniform_(head.weight, -0.1, 0.1)
    return model.eval()


@torch.no_grad()
def compare(reference: Reference, folder: Path, seed: int) -> float:
    """Print the largest difference for each format and clip size; return the largest of all."""
    model = randomise(reference, seed)
    differences, apart = [], []
    for today in (True, False):
        path = folder / "checkpoint.pth"
        reference.save(model, path, today)
        ours = load_weights(path).build().eval()
        for frames, height, width in CLIP_SIZES:
            theirs = reference.build(frames, height)
            theirs.load_state_dict(model.state_dict())
            clips = clips_of(frames, height, width)
            expected = theirs.eval()(clips)
            differences.append(float((ours(clips) - expected).abs().max()))
            apart.append(float((expected[0] - expected[1]).abs().max()))
        path.unlink()
    shown = "  ".join(f"{value:.1e}" for value in differences)
    # Beside it how far two clips are apart in the reference, without which agreement says nothing.
    print(f"{reference.name:<22}{shown}   {min(apart):.1f}", flush=True)
    return max(differences)


def main() -> None:
    """Compare all networks of the repositories that are given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--efficient-3dcnns", type=Path, help="clone of Efficient-3DCNNs")
    parser.add_argument("--resnets-3d", type=Path, help="clone of 3D-ResNets-PyTorch")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    references: list[Reference] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the references' are of another time
        references += efficient(chosen.efficient_3dcnns) if chosen.efficient_3dcnns else []
        references += resnets(chosen.resnets_3d) if chosen.resnets_3d else []
        if not references:
            print("nothing to compare: give the path of at least one of the two repositories")
            return
        sizes = "  ".join(f"{t}x{h}".rjust(7) for t, h, _ in CLIP_SIZES)
        print(f"{'max |difference|':<22}{sizes}  {sizes}   two clips apart")
        print(" " * 22 + "today's format" + " " * 13 + "format before 1.6")
        with tempfile.TemporaryDirectory() as folder:
            worst = max(compare(each, Path(folder), chosen.seed) for each in references)
    print(
        f"largest difference {worst:.1e}, goal {GOAL:.0e}: {'met' if worst <= GOAL else 'MISSED'}"
    )
    sys.exit(worst > GOAL)


if __name__ == "__main__":
    main()
