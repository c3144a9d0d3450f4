"""Published weights: recognised, read without running anything, and giving the published logits.

The golden logits were computed by the reference implementations (Efficient-3DCNNs and
3D-ResNets-PyTorch), given the very checkpoints that :mod:`published_checkpoints` writes.
`benchmarks/reference_weights.py` repeats the comparison with clones of them at hand.
"""

import argparse
import io
import os
import re
import warnings
import zipfile
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fixed_weights import fixed_clips
from published_checkpoints import (
    checkpoint,
    mobilenetv2,
    r2plus1d,
    resnext,
    save,
    shufflenetv2,
    state_of,
)
from safetensors.torch import save_file

from condi_lib.models import ClassesDiffer, Student, build_backbone, load_weights
from condi_lib.models.weights import Recipe, network_metadata, weights_digest
from condi_lib.models.weights.class_order import (
    alphabetical,
    digest_of_classes,
    output_of_each,
)
from condi_lib.models.weights.torchvision_recipes import _published_digest, recipe_of
from condi_lib.training import save_weights
from condi_lib.videos.preprocess import Preprocess

GOLDEN_LOGITS = {  # of two clips of 16 x 32 x 32
    "resnext3d_101": [
        [-2.4035, 0.1550, 1.2947, -1.9404, -1.7162],
        [-2.4955, 0.0029, 1.2858, -1.8387, -1.6891],
    ],
    "r2plus1d_34": [
        [-0.4663, -0.0248, 0.5305, 0.5144, 0.4762],
        [-0.4178, -0.0195, 0.4907, 0.5252, 0.4574],
    ],
    ("shufflenetv2_3d", 0.25): [
        [-1.6730, -1.9612, 6.3096, -0.8806, 0.4001],
        [-2.0657, -2.1465, 6.0605, -0.6280, 0.0409],
    ],
    ("shufflenetv2_3d", 0.5): [
        [3.4081, -23.5648, 22.9567, 22.7198, 28.4848],
        [5.5186, -22.0503, 20.9377, 24.9128, 27.0420],
    ],
    ("shufflenetv2_3d", 1.0): [
        [-11.4707, 19.5855, -0.2517, 4.0556, 3.9546],
        [-9.0244, 20.5070, 1.5384, 2.4678, 4.6439],
    ],
    ("shufflenetv2_3d", 1.5): [
        [-2.9672, 0.3343, 11.7085, -7.2782, 5.4634],
        [-4.1304, -1.0854, 11.6718, -4.3852, 5.5625],
    ],
    ("shufflenetv2_3d", 2.0): [
        [-8.0188, -1.5069, 2.7934, 2.5371, 1.2795],
        [-6.9989, -2.1444, 3.4584, 2.8261, 0.3301],
    ],
    ("mobilenetv2_3d", 0.2): [
        [1.5018, 0.3092, -0.4461, 0.0401, -0.3632],
        [1.2300, -0.2894, -1.3299, 0.4948, -0.4639],
    ],
    ("mobilenetv2_3d", 0.45): [
        [-2.0765, -2.1412, 0.5919, 0.8405, 0.5236],
        [-2.0704, -2.3775, 0.1272, 0.5132, -0.0478],
    ],
    ("mobilenetv2_3d", 0.7): [
        [1.5557, -0.1572, 0.5217, -0.9612, 0.2138],
        [2.0997, -0.1970, 0.0502, -0.8420, -0.0858],
    ],
    ("mobilenetv2_3d", 1.0): [
        [1.1471, -2.1482, 2.1509, -2.2427, 1.2873],
        [0.9746, -1.7374, 1.2819, -1.7642, 1.4681],
    ],
}
TENSORS = {"resnext3d_101": 626, "r2plus1d_34": 416, "shufflenetv2_3d": 338, "mobilenetv2_3d": 314}


def published(network, classes: int = 5):
    """The checkpoint of one of the networks above."""
    if network == "resnext3d_101":
        return checkpoint(state_of(resnext(classes)), "resnext")
    if network == "r2plus1d_34":
        scheduler = {"milestones": Counter([50, 100]), "best": float("inf")}
        state = state_of(r2plus1d(classes))
        return checkpoint(state, "resnet2p1d-34", prefix="", scheduler=scheduler)
    name, width = network
    table = {"shufflenetv2_3d": shufflenetv2, "mobilenetv2_3d": mobilenetv2}[name]
    return checkpoint(state_of(table(classes, width), gain=1.5), name.split("_")[0])


def logits_of(model, size: tuple[int, int, int] = (16, 32, 32)):
    with torch.inference_mode():
        return model.eval()(fixed_clips(2, 3, *size))


@pytest.mark.parametrize("network", GOLDEN_LOGITS, ids=str)
def test_logits_are_those_of_the_reference_implementations(network, tmp_path):
    today = list(GOLDEN_LOGITS).index(network) % 2 == 0  # some in each of the two formats
    weights = load_weights(save(published(network), tmp_path / "w.pth", today))
    name, width = network if isinstance(network, tuple) else (network, None)
    assert (weights.backbone, weights.options) == (name, {} if width is None else {"width": width})
    assert (weights.num_classes, len(weights.tensors)) == (5, TENSORS[name])
    expected = torch.tensor(GOLDEN_LOGITS[network])
    torch.testing.assert_close(logits_of(weights.build()), expected, rtol=1e-5, atol=2e-4)


# --- what it was trained with --------------------------------------------------------------------


def hollow(named):
    """A state dict of full shape whose file is small: every tensor is one zero, repeated."""
    return {name: torch.zeros(()).expand(shape) for name, shape in named}


@pytest.mark.parametrize(
    ("classes", "order", "clip_frames", "stride", "flip"),
    [(600, "bgr", 16, 1, True), (101, "rgb", 16, 1, True), (27, "rgb", 32, 2, False)],
)
def test_the_number_of_classes_tells_what_efficient_3dcnns_trained_on(
    classes, order, clip_frames, stride, flip, tmp_path
):
    for table, arch in [(resnext, "resnext"), (shufflenetv2, "shufflenetv2")]:
        path = save(checkpoint(hollow(table(classes)), arch), tmp_path / "w.pth")
        weights = load_weights(path)
        pixels = weights.preprocess
        assert (pixels.channel_order, pixels.flip, pixels.crop_px) == (order, flip, 112)
        assert (weights.clip_frames, weights.recipe.stride) == (clip_frames, stride)
        assert (weights.size_px, weights.recipe.resize) == ((112, 112), "cover")
        assert weights.class_order == "alphabetical" and weights.classes is None
        red, green, blue = 10.0, 20.0, 30.0
        clips = torch.tensor([red, green, blue]).byte().expand(1, 1, 112, 112, 3)
        first = blue if order == "bgr" else red
        assert pixels(clips)[0, 0].unique().item() == pytest.approx(first - 114.7748, abs=1e-4)
        assert pixels(clips)[0, 1].unique().item() == pytest.approx(green - 107.7354, abs=1e-4)


def test_other_numbers_of_classes_leave_the_channel_order_to_the_caller(tmp_path):
    path = save(checkpoint(hollow(shufflenetv2(51)), "shufflenetv2"), tmp_path / "w.pth")
    unknown = load_weights(path)
    assert unknown.preprocess is None and unknown.class_order == "unknown"
    assert 'give channel_order "bgr" if its frames came from OpenCV' in unknown.describe()
    assert load_weights(path, channel_order="bgr").preprocess.channel_order == "bgr"
    path = save(checkpoint(hollow(shufflenetv2(600)), "shufflenetv2"), path)
    assert load_weights(path, channel_order="rgb").preprocess.channel_order == "rgb"


def test_the_same_resnext_from_the_other_repository_is_told_apart_by_its_arch(tmp_path):
    path = save(checkpoint(hollow(resnext(600)), "resnext-101"), tmp_path / "w.pth")
    weights = load_weights(path)
    assert weights.preprocess is None and weights.class_order == "unknown"
    assert "3D-ResNets-PyTorch" in weights.describe()


def test_r2plus1d_of_kinetics_700_is_rgb_and_its_class_order_is_not_known(tmp_path):
    path = save(checkpoint(hollow(r2plus1d(700)), "resnet2p1d-34", prefix=""), tmp_path / "w.pth")
    weights = load_weights(path)
    mean, std = (0.4345, 0.4051, 0.3775), (0.2768, 0.2713, 0.2737)
    assert weights.preprocess == Preprocess(112, mean, std)
    assert weights.class_order == "unknown"
    wanted = [f"class {i:03d}" for i in range(700)]
    with pytest.raises(ValueError, match=r"its 700 classes stand is not known.*w\.pth\.classes"):
        weights.outputs_of(wanted)


def test_the_description_says_what_was_recognised(tmp_path):
    path = save(checkpoint(hollow(resnext(600)), "resnext"), tmp_path / "w.pth")
    told = load_weights(path).describe()
    assert "resnext3d_101, from Efficient-3DCNNs: 48.751 M parameters, 600 classes (Kin" in told
    assert "crop 112 px\nBGR, 0-255 minus (114.8, 107.7, 99.47) over (1, 1, 1)" in told
    assert "class order: alphabetical" in told


def test_recipes_of_torchvision_are_its_own():
    from torchvision.models.video import MViT_V1_B_Weights, R3D_18_Weights

    recipe = recipe_of(R3D_18_Weights.DEFAULT)
    mean, std = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
    assert recipe.preprocess == Preprocess(112, mean, std)
    assert (recipe.clip_frames, recipe.stride) == (32, 2)  # 16 frames at 15 a second
    assert (recipe.size_px, recipe.resize) == ((128, 171), "stretch")
    assert len(recipe.classes) == 400 and recipe.classes[:2] == ("abseiling", "air drumming")
    assert _published_digest(R3D_18_Weights.DEFAULT.url) == "b3b3357e"
    recipe = recipe_of(MViT_V1_B_Weights.DEFAULT)
    assert (recipe.clip_frames, recipe.stride) == (64, 4)  # 16 frames at 7.5 a second
    assert (recipe.size_px, recipe.resize, recipe.preprocess.crop_px) == ((256, 256), "cover", 224)


def test_torchvision_state_dicts_are_recognised_and_what_is_not_theirs_is_said(tmp_path):
    from torchvision.models.video import mc3_18

    torch.manual_seed(0)
    theirs = mc3_18(num_classes=3)
    weights = load_weights(save(theirs.state_dict(), tmp_path / "mc3_18-a90a0ba3.pth"))
    assert (weights.backbone, weights.num_classes) == ("torchvision.mc3_18", 3)
    assert weights.preprocess is None and weights.class_order == "unknown"
    assert "not a file that torchvision published" in weights.describe()
    clip = (4, 32, 32)
    expected = logits_of(theirs, clip)
    torch.testing.assert_close(logits_of(weights.build(), clip), expected, rtol=0, atol=1e-5)
    ours = load_weights(save(weights.build().state_dict(), tmp_path / "ours.pth"))
    assert ours.backbone == "torchvision.mc3_18" and ours.head == ("fc.weight", "fc.bias")


def test_a_convolution_may_be_the_class_head(tmp_path):
    """As s3d's, of torchvision."""
    model = build_backbone("torchvision.s3d", 3, seed=1)
    path = save(model.state_dict(), tmp_path / "w.pth")
    weights = load_weights(path, classes=["c", "b", "a"])
    assert (weights.backbone, weights.num_classes) == ("torchvision.s3d", 3)
    assert list(weights.tensors["classifier.1.weight"].shape) == [3, 1024, 1, 1, 1]
    swapped, fresh = weights.build(["a", "b", "c"]), weights.build(num_classes=5)
    assert torch.equal(swapped.fc.weight, model.fc.weight.flip(0))
    assert torch.equal(swapped.fc.bias, model.fc.bias.flip(0)) and len(fresh.fc.weight) == 5


# --- what stands in files ------------------------------------------------------------------------

NETWORK = ("mobilenetv2_3d", 0.2)


@pytest.fixture
def state():
    return state_of(mobilenetv2(3, 0.2))


@pytest.mark.parametrize("today", [True, False])
def test_whatever_optimisers_and_scripts_leave_behind_is_passed_over(state, today, tmp_path):
    content = checkpoint(
        state,
        "mobilenetv2",
        best_prec1=np.float32(1.0),
        history=np.arange(3.0),
        opt=argparse.Namespace(lr=0.1, result_path=Path("results")),
        scheduler={"milestones": Counter([1, 2]), "last": np.int64(3)},
        seen=defaultdict(list, {3: [torch.ones(2)]}),
        per_class=defaultdict(dict),
        betas=(0.9, 0.999),
        ids={1, 2},
    )
    weights = load_weights(save(content, tmp_path / "w.pth", today))
    assert weights.options == {"width": 0.2}
    torch.testing.assert_close(weights.tensors["trunk.stem.0.weight"], state["features.0.0.weight"])


def test_old_style_tensors_half_precision_and_missing_counters(state, tmp_path):
    """PyTorch before 0.4.1 counted no batches; state dicts were saved as parameters, or halved."""
    old = {
        name: torch.nn.Parameter(tensor.half())
        for name, tensor in state.items()
        if "num_batches_tracked" not in name
    }
    weights = load_weights(save({"state_dict": old}, tmp_path / "w.pth", today=False))
    model = weights.build()
    assert next(model.parameters()).dtype == torch.float32
    expected = load_weights(save(state, tmp_path / "new.pth")).build()
    clip = (4, 32, 32)
    torch.testing.assert_close(logits_of(model, clip), logits_of(expected, clip), rtol=0, atol=0.02)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model_state_dict": state},
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()},
    ],
)
def test_prefixes_and_places_of_state_dicts(wrap, state, tmp_path):
    weights = load_weights(save(wrap(state), tmp_path / "w.pth"))
    assert set(weights.tensors) == set(build_backbone("mobilenetv2_3d", 3, width=0.2).state_dict())


class Malice:
    """What a harmful file holds: reading it with pickle would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("today", [True, False])
def test_a_malicious_file_is_refused_and_runs_nothing(state, today, tmp_path):
    mark = tmp_path / "it ran"
    path = save(checkpoint(state, "mobilenetv2", evil=Malice(mark)), tmp_path / "w.pth", today)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: refers to posix\.system"):
        load_weights(path)
    assert not mark.exists()


@pytest.mark.parametrize("today", [True, False])
def test_a_whole_pickled_network_is_refused(today, tmp_path):
    path = save(torch.nn.Linear(2, 2), tmp_path / "w.pth", today)
    with pytest.raises(ValueError, match=r"Linear, which is neither .* save the state dict alone"):
        load_weights(path)


@pytest.mark.parametrize("kind", ["today", "before", "safetensors"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_file_cut_short_is_refused(kind, share, state, tmp_path):
    path = tmp_path / "w.pth"
    if kind == "safetensors":
        save_file(state, path)
    else:
        save(checkpoint(state, "mobilenetv2"), path, today=kind == "today")
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(path))}: cannot be read as .* cut short"
    ):
        load_weights(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>Sign in", r"begins with '<!DOCTYPE html>.*a web page was saved"),
        (b"version https://git-lfs", "is neither safetensors nor a PyTorch checkpoint"),
        (b"", "begins with ''"),
    ],
)
def test_a_file_of_something_else_is_refused(content, message, tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: .*{message}"):
        load_weights(path)


@pytest.mark.parametrize("name", ["w.pth", "w" * 300 + ".pth", "\0w.pth", "file/w.pth"])
def test_a_file_that_is_not_there_is_told(name, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match=r"w\.pth: no such file of weights; put it there"):
        load_weights(tmp_path / name)


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")],
    ids=["folder", "pipe", "device"],
)
def test_what_is_no_file_is_neither_waited_for_nor_read(make, tmp_path):
    make(tmp_path / "w.pth")
    with pytest.raises(FileNotFoundError, match=r"w\.pth: is a folder, pipe or device"):
        load_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"{}", 2**63),  # says it is longer than any file
        (
            b'{"a": {"dtype": "U8", "shape": [1099511627776], "data_offsets": [0, 1099511627776]}}',
            0,
        ),
        (b'{"a": ' * 9999, 0),
    ],
)
def test_safetensors_whose_header_lies_are_refused(header, body, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes((body or len(header)).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match=r"w\.safetensors: cannot be read as safetensors"):
        load_weights(path)


def packed_again(source: Path, path: Path, change=lambda name, content: content) -> Path:
    """Copy an archive with its members compressed."""
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return path


@pytest.mark.parametrize("grown", ["", "data.pkl"])
def test_a_compressed_archive_is_refused_unread(grown, state, tmp_path):
    """PyTorch would take compressed bytes for weights, and unpack zeros without end."""
    bomb = bytes(10**8)
    path = packed_again(
        save(state, tmp_path / "plain.pth"),
        tmp_path / "w.pth",
        lambda name, content: content + bomb if grown and name.endswith(grown) else content,
    )
    with pytest.raises(ValueError, match=r"w\.pth: '.*' in it is compressed"):
        load_weights(path)


def test_an_archive_of_code_is_refused(tmp_path):
    path = tmp_path / "w.pth"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    with pytest.raises(ValueError, match=r"w\.pth: is a program \(TorchScript\)"):
        load_weights(path)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (lambda old: old.to_sparse(), r"is no plain tensor \(.* torch.sparse_coo"),
        (lambda old: old.to("meta"), "is no plain tensor .* on meta"),
        (lambda old: old.to(torch.complex64), "is no plain tensor .*complex64"),
        (lambda old: torch.zeros(1).expand(10**12), "would fill 3725.3 GiB"),
        (lambda old: old * torch.nan, r"1 is not finite \(features.0.0.weight\)"),
        (lambda old: old / 0, r"1 is not finite \(features.0.0.weight\)"),
    ],
)
def test_tensors_that_are_no_weights_are_refused(tensor, message, state, tmp_path):
    first = "features.0.0.weight"
    state |= {first: tensor(state[first])}
    path = save(state, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: .*{message}"):
        load_weights(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list and no state dict"),
        (torch.ones(2), "holds a Tensor and no state dict"),
        ({}, r"holds a dict with the keys \[\] and no state dict"),
        ({"epoch": 3, "weights": 4}, "'epoch', 'weights' are not tensors"),
        ({"state_dict": {"a": torch.ones(1), "b": 3}}, "'b' are not tensors"),
        ({"a": torch.ones(1)}, r"its 1 tensors \(a, ...\) are those of no network .* known"),
    ],
)
def test_what_is_no_state_dict_is_refused(content, message, tmp_path):
    path = save(content, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: .*{message}"):
        load_weights(path)


# --- another network than it seems ---------------------------------------------------------------


def changed(named, without: str = "", **shapes):
    kept = {name: shape for name, shape in named if not (without and re.search(without, name))}
    return hollow((kept | {name.replace("__", "."): s for name, s in shapes.items()}).items())


MISFITS = {
    "a tensor is missing": (
        changed(mobilenetv2(600), without=r"features\.7\.conv\.3\.weight"),
        r"1 is missing \(features\.7\.conv\.3\.weight\)\. Compare with build_backbone",
    ),
    "many are": (
        changed(shufflenetv2(600, 1.0), without=r"banch1"),
        r"looks like shufflenetv2_3d with options {\"width\": 1\.0} \(Efficient-3DCNNs\), but of "
        r"its tensors 30 are missing \(features\.0\.banch1\.0\.weight, .*, and 26 more\)",
    ),
    "a tensor is unexpected": (
        changed(resnext(600), layer1__0__se__weight=(3, 4)),
        r"1 is unexpected \(layer1\.0\.se\.weight\)",
    ),
    "a tensor has another shape": (
        changed(r2plus1d(700), layer4__1__conv2_t__weight=(512, 1152, 5, 1, 1)),
        r"1 is misshaped \(layer4\.1\.conv2_t\.weight is \[512, 1152, 5, 1, 1\], not \[512, 1152, "
        r"3, 1, 1\]\)",
    ),
    "the head reads something else": (
        changed(resnext(600), fc__weight=(600, 512)),
        r"1 is misshaped \(fc\.weight is \[600, 512\], not \[600, 2048\]\)",
    ),
    "the head is one number": (
        changed(mobilenetv2(600), classifier__1__weight=()),
        r"1\.weight is \[\], not \[2, 1280\]",
    ),
    "there is no head": (
        changed(mobilenetv2(600), without="classifier"),
        r"2 are missing \(classifier\.1\.weight, classifier\.1\.bias\)",
    ),
    "shortcuts of type A": (changed(resnext(600), without="downsample"), "20 are missing"),
    "ResNeXt-50": (
        hollow(resnext(600, (3, 4, 6, 3))),
        r"resnext3d_101, but of another depth: its layers have \[3, 4, 6, 3\] blocks, not "
        r"\[3, 4, 23, 3\] \(it calls itself 'a net'\)",
    ),
    "R(2+1)D-18": (
        hollow(r2plus1d(700, (2, 2, 2, 2))),
        r"another depth: its layers have \[2, 2, 2, 2\] blocks, not \[3, 4, 6, 3\]",
    ),
    "a network of images": (
        hollow([("conv1.weight", (64, 3, 7, 7)), ("fc.weight", (9, 64))]),
        r"of no network that is known here \(it calls itself 'a net'\); known are .*resnext3d_101 "
        r"of Efficient-3DCNNs.*small_cnn3d.*r3d_18.* give backbone and options",
    ),
}


@pytest.mark.parametrize(("state", "message"), MISFITS.values(), ids=MISFITS)
def test_a_misfit_is_told_by_the_files_own_names(state, message, tmp_path):
    path = save(checkpoint(state, "a net"), tmp_path / "w.pth")
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: .*{message}"):
        load_weights(path)


def test_the_network_asked_for_must_be_the_one_in_the_file(state, tmp_path):
    path = save(state, tmp_path / "w.pth")
    assert load_weights(path, "mobilenetv2_3d", {"width": 0.2, "dropout": 0.5}).num_classes == 3
    with pytest.raises(ValueError, match=r"holds mobilenetv2_3d \(Eff.*to be shufflenetv2_3d; ch"):
        load_weights(path, "shufflenetv2_3d")
    wrong_width = r"are misshaped .*By its shapes it is one with options {\"width\": 0\.2}: try so"
    with pytest.raises(ValueError, match=wrong_width):
        load_weights(path, "mobilenetv2_3d", {})


def a_network(num_classes: int, channels: int = 4) -> torch.nn.Module:
    """A network of one's own."""
    pooled = [torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten()]
    return torch.nn.Sequential(
        torch.nn.Conv3d(3, channels, 1), *pooled, torch.nn.Linear(channels, num_classes)
    )


def test_networks_of_ones_own_and_of_ours(tmp_path):
    path = tmp_path / "w.pth"
    for name, options in [
        (f"{__name__}:a_network", {"channels": 2}),
        ("small_cnn3d", {"width": 3}),
    ]:
        model = build_backbone(name, 4, seed=1, **options)
        weights = load_weights(save(model.state_dict(), path), name, options)
        assert (weights.backbone, weights.num_classes) == (name, 4)
        clip = (2, 16, 16)
        assert torch.equal(logits_of(weights.build(), clip), logits_of(model, clip))
    model = build_backbone("small_resnet3d", 4)
    assert load_weights(save(model.state_dict(), path)).backbone == "small_resnet3d"


def test_a_backbone_without_a_class_head_is_refused(tmp_path):
    path = save({"weight": torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="has no class head: it ignores num_classes"):
        load_weights(path, f"{__name__}:headless")


def headless(num_classes: int) -> torch.nn.Module:
    return torch.nn.Conv3d(3, 2, 1)


# --- the order of the classes --------------------------------------------------------------------


def test_classes_known_by_name_are_put_into_the_data_sets_order(state, tmp_path):
    path = save(state, tmp_path / "w.pth")
    weights = load_weights(path, classes=["run", "walk", "jump"])
    as_published = logits_of(weights.build(), (4, 32, 32))
    wanted = ["jump", "run", "walk"]
    expected = as_published[:, [2, 0, 1]]
    torch.testing.assert_close(logits_of(weights.build(wanted), (4, 32, 32)), expected)
    (tmp_path / "w.pth.classes.txt").write_text("run\nwalk\njump\n")
    beside = load_weights(path)
    assert beside.classes == ("run", "walk", "jump") and beside.outputs_of(wanted) == [2, 0, 1]
    assert load_weights(path, classes=wanted).outputs_of(wanted) == [0, 1, 2]  # the caller's first


def test_an_alphabetical_order_ignores_case():
    """As UCF-101's: Hammering stands before HammerThrow, JumpingJack before JumpRope."""
    names = [f"Zz{i:03d}" for i in range(97)]
    classes = ["Hammering", "HammerThrow", "JumpingJack", "JumpRope", *names]
    assert alphabetical(classes) == classes != sorted(classes)
    found = output_of_each(sorted(classes), None, True, 101, "w.pth", "")
    assert found[:5] == [1, 0, 3, 2, 4] and sorted(found) == list(range(101))
    # A space comes before a hyphen, an underscore would come behind it.
    assert alphabetical(["push-up", "push_cart"]) == ["push_cart", "push-up"]


def test_the_published_orders_are_alphabetical_where_lists_are_at_hand(tmp_path):
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    lists = Path(os.environ.get("CONDI_REAL_DATA", folder)) / "lists" / "label_maps"
    if not lists.exists():
        pytest.skip(f"{lists} is not here")
    for name in ("kinetics_label_map_k600.txt", "ucf101_label_map.txt"):
        classes = (lists / name).read_text().splitlines()
        assert alphabetical(classes) == classes and len(classes) in (600, 101)
    maps = {600: "kinetics_label_map_k600.txt", 101: "ucf101_label_map.txt"}
    for number, name in (maps | {27: "jester_label_map.txt"}).items():
        classes = (lists / name).read_text().splitlines()
        path = save(checkpoint(hollow(mobilenetv2(number, 0.2)), "mobilenetv2"), tmp_path / "w.pth")
        order = load_weights(path).outputs_of([name.replace(" ", "_") for name in classes[::-1]])
        assert [alphabetical(classes)[n] for n in order] == classes[::-1]


def test_as_many_other_classes_are_not_taken_for_those_published(tmp_path):
    path = save(checkpoint(hollow(mobilenetv2(101, 0.2)), "mobilenetv2"), tmp_path / "w.pth")
    others = [f"dish {n:03d}" for n in range(101)]
    with pytest.raises(ClassesDiffer, match=r"101 classes of UCF-101, .* as many others; .*write"):
        load_weights(path).outputs_of(others)
    (tmp_path / "w.pth.classes.txt").write_text("\n".join(others[::-1]))
    assert load_weights(path).outputs_of(others) == list(range(101))[::-1]
    assert digest_of_classes(["b C", "a"]) == digest_of_classes(["A", "B_c"])
    assert digest_of_classes(["b C", "a"]) != digest_of_classes(["b", "ca"])


def test_a_channel_order_is_never_ignored(tmp_path):
    plain = save(build_backbone("small_cnn3d", 2, width=2).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"not only the channel order .* whole preprocessing"):
        load_weights(plain, "small_cnn3d", {"width": 2}, channel_order="bgr")
    about = {"options": {"width": 2}, "classes": ("b", "a"), "recipe": Recipe(Preprocess(12))}
    about = network_metadata("small_cnn3d", **about)
    model = build_backbone("small_cnn3d", 2, width=2)
    save_weights(model, tmp_path / "w.safetensors", about=about)
    for order in ("bgr", "rgb"):
        found = load_weights(tmp_path / "w.safetensors", channel_order=order)
        assert found.preprocess == Preprocess(12, channel_order=order)
    with pytest.raises(ValueError, match="must be"):
        load_weights(tmp_path / "w.safetensors", channel_order="brg")


def test_other_classes_unknown_orders_and_wrong_lists_are_told(state, tmp_path):
    path = save(state, tmp_path / "w.pth")
    with pytest.raises(ClassesDiffer, match=r"w\.pth: has 3 classes, the data set 2; .* replaced"):
        load_weights(path).outputs_of(["a", "b"])
    with pytest.raises(
        ClassesDiffer, match=r"its 3 classes stand is not known, .* silent error; write"
    ):
        load_weights(path).build(["a", "b", "c"])
    named = load_weights(path, classes=["a", "b", "c"])
    with pytest.raises(
        ClassesDiffer, match=r"other classes than the data set: 'c' where .* has 'd'"
    ):
        named.build(["d", "b", "a"])
    with pytest.raises(
        ValueError, match="has 3 outputs, but the classes given are 2 names, 2 diff"
    ):
        load_weights(path, classes=["a", "b"])
    with pytest.raises(ValueError, match="3 names, 2 different"):
        load_weights(path, classes=["a", "b", "b"])
    beside = tmp_path / "w.pth.classes.txt"
    for text, message in [
        ("a\n\nc\n", "line 2: is blank"),
        ("a\nb\na\n", "line 3: 'a' stands there t"),
    ]:
        beside.write_text(text)
        with pytest.raises(ValueError, match=rf"^{re.escape(str(beside))}, {message}"):
            load_weights(path)
    beside.write_text("a\nb\n")
    with pytest.raises(ValueError, match=r"3 outputs, but .*classes\.txt are 2 names"):
        load_weights(path)


def test_a_new_head_leaves_the_rest(state, tmp_path):
    weights = load_weights(save(state, tmp_path / "w.pth"))
    model, again, other = (weights.build(num_classes=7, seed=seed) for seed in (1, 1, 2))
    for name, tensor in model.state_dict().items():
        if name in ("fc.weight", "fc.bias"):
            assert len(tensor) == 7 and torch.equal(tensor, again.state_dict()[name])
            assert not torch.equal(tensor, other.state_dict()[name])
        else:
            assert torch.equal(tensor, weights.tensors[name])
    assert weights.head == ("fc.weight", "fc.bias")


# --- our own files -------------------------------------------------------------------------------


def test_our_own_files_tell_everything(tmp_path):
    pixels = Preprocess(12, (0.1, 0.2, 0.3), channel_order="bgr", flip=False)
    recipe = Recipe(pixels, clip_frames=8, stride=2, size_px=(16, 20), resize="stretch")
    about = network_metadata("small_cnn3d", {"width": 2}, ("b", "a"), recipe)
    student = Student(build_backbone("small_cnn3d", 2, width=2))
    save_weights(student, tmp_path / "w.safetensors", about=about)
    weights = load_weights(tmp_path / "w.safetensors")
    assert (weights.backbone, weights.options) == ("small_cnn3d", {"width": 2})
    assert weights.recipe == Recipe(pixels, 8, 2, (16, 20), "stretch", classes=("b", "a"))
    assert weights.outputs_of(["a", "b"]) == [1, 0]
    assert torch.equal(weights.confidence_head["weight"], student.confidence_head.weight)
    clip = (2, 16, 16)
    assert torch.equal(logits_of(weights.build(), clip), logits_of(student, clip).class_logits)
    assert load_weights(tmp_path / "w.safetensors", channel_order="rgb").preprocess == replace(
        pixels, channel_order="rgb"
    )
    save_weights(student, tmp_path / "w.safetensors", about={"network": {"backbone": "x"}})
    with pytest.raises(ValueError, match=r"what it says of its network cannot be read \(KeyErr"):
        load_weights(tmp_path / "w.safetensors")


def test_our_own_files_must_name_a_class_for_each_output(tmp_path):
    about = network_metadata("small_cnn3d", {"width": 2}, ("a", "b", "c"), Recipe())
    save_weights(build_backbone("small_cnn3d", 2, width=2), tmp_path / "w.safetensors", about=about)
    with pytest.raises(
        ValueError, match="has 2 outputs, but the classes written in it are 3 names"
    ):
        load_weights(tmp_path / "w.safetensors")


def test_a_file_does_not_have_code_imported(tmp_path):
    (tmp_path / "left_a_mark.py").write_text("raise SystemExit('it ran')")
    about = network_metadata("left_a_mark:build", {}, ("a", "b"), Recipe())
    save_weights(build_backbone("small_cnn3d", 2, width=2), tmp_path / "w.safetensors", about=about)
    with pytest.raises(ValueError, match="network of somebody's own, left_a_mark:build; give back"):
        load_weights(tmp_path / "w.safetensors")
    name = f"{__name__}:a_network"
    model = build_backbone(name, 2)
    save_weights(
        model, tmp_path / "w.safetensors", about=network_metadata(name, {}, ("a", "b"), Recipe())
    )
    assert load_weights(tmp_path / "w.safetensors", name).classes == ("a", "b")


def test_the_digest_is_of_the_file_and_of_the_classes_beside_it(tmp_path):
    path = tmp_path / "w.pth"
    digests = []
    for content, classes in [(b"1", None), (b"2", None), (b"1", "a\n"), (b"1", "b\n")]:
        path.write_bytes(content)
        if classes:
            (tmp_path / "w.pth.classes.txt").write_text(classes)
        digests.append(weights_digest(path))
    assert len(set(digests)) == 4


def test_nothing_is_left_open_or_changed_by_reading(state, tmp_path):
    path = save(state, tmp_path / "w.pth")
    before = path.read_bytes()
    model = load_weights(path).build()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert path.read_bytes() == before and torch.load(io.BytesIO(before), weights_only=True)
