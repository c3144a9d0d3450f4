"""Read a file of weights without running anything that stands in it.

A ``.pth`` file is a pickle, and a pickle can run code when it is read. Here only tensors, numbers,
texts and plain containers are rebuilt. Checkpoints hold more than weights, and what an optimiser
or a scheduler left there is passed over; anything else is refused by name.
"""

import hashlib
import re
import stat
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

CLASSES_SUFFIX = ".classes.txt"
# Under these keys do programs keep the weights in a checkpoint.
STATE_KEYS = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights")
MOST_BYTES = 4 * 2**30  # of tensors that repeat what the file holds once; layers may share theirs
WRAPPERS = ("module.", "_orig_mod.")  # of nn.DataParallel, and of torch.compile


@dataclass(frozen=True)
class WeightsFile:
    """What a file of weights holds.

    Attributes:
        path: The file.
        kind: Its format, for messages.
        tensors: The weights, under the file's names but for wrappers' prefixes.
        arch: What the checkpoint calls its network; empty where it does not say.
        metadata: Of a safetensors file.
    """

    path: Path
    kind: str
    tensors: dict[str, Tensor]
    arch: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


def read_weights_file(path: Path) -> WeightsFile:
    """Read safetensors, or a checkpoint or state dict saved by any PyTorch since 0.4.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none of these, cut short, compressed, or would run code, or if a tensor
            is no plain one or fills more memory than the file could tell of.
    """
    _check_is_file(path)
    with path.open("rb") as file:
        start = file.read(64)
    if start[8:9] == b"{":
        return _read_safetensors(path)
    if start[:4] == b"PK\x03\x04":
        return _read_pickled(path, "PyTorch file")
    if start[:1] == b"\x80":
        return _read_pickled(path, "PyTorch file from before 1.6")
    text = start.decode("latin1").strip()
    hint = " (a web page was saved in its place)" if text[:1] == "<" else ""
    raise ValueError(
        f"{path}: is neither safetensors nor a PyTorch checkpoint: it begins with "
        f"{text[:24]!r}{hint}; download it again"
    )


def _check_is_file(path: Path) -> None:
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise
        raise FileNotFoundError(
            f"{path}: no such file of weights; put it there, or correct the path"
        ) from error
    if not stat.S_ISREG(kind):
        raise FileNotFoundError(
            f"{path}: is a folder, pipe or device and no file of weights; correct the path"
        )


def _read_safetensors(path: Path) -> WeightsFile:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path}: cannot be read as safetensors ({error}); it may be cut short: copy it again"
        ) from error
    _check_tensors(path, tensors)
    return WeightsFile(path, "safetensors", _unwrapped(tensors), metadata=metadata)


def _read_pickled(path: Path, kind: str) -> WeightsFile:
    content = _unpickle(path)
    state, arch = content, ""
    if isinstance(content, Mapping):
        arch = content.get("arch", "")
        state = next((content[k] for k in STATE_KEYS if isinstance(content.get(k), Mapping)), state)
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"{path}: holds {_told(content)} and no state dict; save one")
    named = {k: v for k, v in state.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if len(named) < len(state):
        strange = sorted(repr(key) for key in set(state) - set(named))[:4]
        raise ValueError(
            f"{path}: {', '.join(strange)} are not tensors, so this is no state dict; its weights "
            f"should stand at the top or under one of {list(STATE_KEYS)}"
        )
    _check_tensors(path, named)
    return WeightsFile(path, kind, _unwrapped(named), arch if isinstance(arch, str) else "")


def _check_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse what looks like weights by name and shape, and is none.

    A few bytes may tell of a tensor of any size, which repeats one number without end.
    """
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not plain or tensor.is_quantized or tensor.is_complex():
            raise ValueError(
                f"{path}: {name} is no plain tensor (its type is {tensor.dtype}, {tensor.layout}, "
                f"on {tensor.device.type}); save the state dict of the network as it was trained"
            )
    n_bytes, in_file = sum(t.numel() * t.element_size() for t in tensors.values()), path.stat()
    if n_bytes > max(MOST_BYTES, 2 * in_file.st_size):
        raise ValueError(
            f"{path}: its tensors would fill {n_bytes / 2**30:.1f} GiB of memory, but the file has "
            f"{in_file.st_size} bytes: they repeat a few numbers; such a file is not read"
        )


def _told(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"a dict with the keys {[str(key) for key in content][:6]}"
    return f"a {type(content).__name__}"


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without prefixes that all keys share, as many as there are."""
    for wrapper in WRAPPERS:
        if tensors and all(key.startswith(wrapper) for key in tensors):
            return _unwrapped({k.removeprefix(wrapper): v for k, v in tensors.items()})
    return tensors


class _PassedOver:
    """Stands for what is no weight: takes whatever a pickle gives it and keeps nothing."""

    def __new__(cls, *_: Any) -> "_PassedOver":
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


def _plain_dict(*_: Any) -> dict:
    return {}


# What optimisers, schedulers and training scripts leave in checkpoints. Efficient-3DCNNs' learning
# rate, for one, is a NumPy number. Their names are understood, the things themselves never made.
_HARMLESS = [
    (_PassedOver, "numpy.core.multiarray.scalar"),
    (_PassedOver, "numpy._core.multiarray.scalar"),
    (_PassedOver, "numpy.core.multiarray._reconstruct"),
    (_PassedOver, "numpy._core.multiarray._reconstruct"),
    (_PassedOver, "numpy.ndarray"),
    (_PassedOver, "numpy.dtype"),
    (_PassedOver, "argparse.Namespace"),
    (_PassedOver, "pathlib.PosixPath"),
    (_PassedOver, "pathlib.WindowsPath"),
    (_PassedOver, "pathlib._local.PosixPath"),
    (_PassedOver, "datetime.datetime"),
    (_plain_dict, "collections.defaultdict"),
    (_plain_dict, "builtins.dict"),
    (_PassedOver, "builtins.list"),
    (_PassedOver, "builtins.int"),
    (_PassedOver, "builtins.float"),
]


def _unpickle(path: Path) -> Any:
    """The file's content as far as it is tensors, numbers, texts and plain containers."""
    is_zip = zipfile.is_zipfile(path)
    if is_zip:
        _check_archive(path)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_HARMLESS):
            warnings.simplefilter("ignore")  # of old storages and protocols, which are known here
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # a damaged pickle can raise anything
        told = str(error).strip() or type(error).__name__
        if (named := re.search(r"GLOBAL (\S+)", told)) is None:
            cause = (re.search(r"WeightsUnpickler error:\s+(.*)", told) or [told, told])[1]
            raise ValueError(
                f"{path}: cannot be read as a PyTorch checkpoint ({cause.split('. ')[0]}); it may "
                "be cut short, or not saved by torch.save with its own protocol: get it again"
            ) from error
        raise ValueError(
            f"{path}: refers to {named[1]}, which is neither a tensor nor a number; such a file "
            "can run code when it is read, so it is not. If you know who made it, save the "
            "state dict alone with the program it comes from"
        ) from error


def _check_archive(path: Path) -> None:
    """Refuse programs and compressed archives.

    PyTorch compresses no weights and takes their bytes as they stand, so it would read noise. A
    small archive may also hold any number of zeros.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{path}: cannot be read as a PyTorch checkpoint ({error}); it may be cut short: get "
            "it again"
        ) from error
    if any("/code/" in member.filename for member in members):
        raise ValueError(
            f"{path}: is a program (TorchScript) and not weights alone; save the state dict with "
            "the program it comes from"
        )
    packed = [m.filename for m in members if m.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise ValueError(
            f"{path}: {packed[0]!r} in it is compressed, which torch.save never does; it was "
            "unpacked and packed again: get the file as it was published"
        )


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_digest(path: Path) -> str:
    """SHA-256 of a file of weights, and of the list of classes beside it where there is one."""
    classes = classes_path(path)
    if not classes.exists():
        return file_digest(path)
    both = file_digest(path) + file_digest(classes)
    return hashlib.sha256(both.encode()).hexdigest()


def classes_path(path: Path) -> Path:
    """The text file that names a file of weights' classes: ``weights.pth.classes.txt``."""
    return path.with_name(path.name + CLASSES_SUFFIX)


def read_classes(path: Path) -> tuple[str, ...]:
    """Read class names, one a line, in the order of a network's outputs.

    Raises:
        ValueError: If a line is blank or a name stands there twice; names the line.
    """
    names: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        name = line.strip()
        if not name or name in names:
            what = f"{name!r} stands there twice" if name else "is blank"
            raise ValueError(f"{path}, line {number}: {what}; write one class a line, each once")
        names.append(name)
    return tuple(names)
