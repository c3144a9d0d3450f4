"""Which network a file of weights holds: by what it says, and its tensors' names and shapes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from condi_lib.models.adapters import TORCHVISION_HEADS
from condi_lib.models.weights.files import WeightsFile
from condi_lib.models.weights.layouts import LAYOUTS, Recipe, Tensors
from condi_lib.models.weights.shapes import COUNTER, shapes_of
from condi_lib.models.weights.torchvision_recipes import torchvision_recipe
from condi_lib.models.zoo import BACKBONES
from condi_lib.videos.log_mel import LogMel
from condi_lib.videos.preprocess import Preprocess

ABOUT = "weights"  # key of our own files' metadata, whose value is JSON
NETWORK = "network"  # key therein


@dataclass(frozen=True)
class Recognised:
    """What a file holds.

    Attributes:
        source: Who made it.
        backbone: Name as in :func:`condi_lib.models.build_backbone`.
        options: Of the backbone.
        published: Our name of a tensor to the file's.
        recipe: How it was trained, by number of classes and the caller's channel order.
    """

    source: str
    backbone: str
    options: dict[str, Any]
    published: Callable[[str], str]
    recipe: Callable[[int, str | None], Recipe]


def recognise(
    file: WeightsFile, tensors: Tensors, backbone: str | None, options: Mapping[str, Any] | None
) -> Recognised:
    """Recognise the network in a file.

    Args:
        file: The file.
        tensors: Its tensors, without those of a confidence head.
        backbone: What it should be; None: whatever it is.
        options: Options that it should have; None: whatever they are.

    Raises:
        ValueError: If it is another network than asked for, or none that is known.
    """
    found = _described(file, backbone) or _published(file, tensors)
    if found is None:
        found = _by_names(file, tensors, backbone, options or {})
    if backbone not in (None, found.backbone):
        raise ValueError(
            f"{file.path}: holds {found.backbone} ({found.source}), but the network is to be "
            f"{backbone}; choose backbone {found.backbone}, or other weights"
        )
    return found


def network_metadata(
    backbone: str, options: Mapping[str, Any], classes: Sequence[str], recipe: Recipe
) -> dict[str, Any]:
    """What our own files say of themselves in their metadata, so that nothing need be guessed.

    Args:
        backbone: Its name.
        options: Its options.
        classes: In the order of the outputs.
        recipe: Preprocessing and clips that it was trained with.
    """
    fields = {key: value for key, value in asdict(recipe).items() if key in _KEPT}
    fields |= {} if recipe.sound is None else {SOUND: asdict(recipe.sound)}
    described = {"backbone": backbone, "options": dict(options), "classes": list(classes)}
    return {NETWORK: described | fields}


SOUND = "sound"  # only of networks that listen
_KEPT = ("preprocess", "clip_frames", "stride", "size_px", "resize")


def _described(file: WeightsFile, wanted: str | None) -> Recognised | None:
    """By the metadata of our own files.

    A function is imported only if the caller names it: a file should not have code run.
    """
    try:
        fields = json.loads(file.metadata.get(ABOUT, "{}")).get(NETWORK)
        if fields is None:
            return None
        kept = {key: fields[key] for key in _KEPT}
        kept["size_px"] = tuple(kept["size_px"])
        if kept["preprocess"] is not None:
            pixels = kept["preprocess"]
            pixels |= {key: tuple(pixels[key]) for key in ("mean", "std")}
            kept["preprocess"] = Preprocess(**pixels)
        kept[SOUND] = LogMel(**fields[SOUND]) if SOUND in fields else None
        recipe = Recipe(**kept, classes=tuple(fields["classes"]))
        backbone, options = fields["backbone"], dict(fields["options"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file.path}: what it says of its network cannot be read ({error!r}); it was written "
            "by another version: train again, or give backbone, options and classes"
        ) from error
    if ":" in backbone and wanted is None:
        raise ValueError(
            f"{file.path}: was trained with a network of somebody's own, {backbone}; give "
            f"backbone {backbone!r} if you want it to be imported"
        )
    return Recognised("trained here", backbone, options, str, lambda n, order: recipe)


def _published(file: WeightsFile, tensors: Tensors) -> Recognised | None:
    """By the marks of a published network."""
    layout = next((layout for layout in LAYOUTS if layout.is_this(tensors)), None)
    if layout is None:
        return None
    blocks = _blocks(tensors)
    if layout.depths and blocks != list(layout.depths):
        raise ValueError(
            f"{file.path}: is {layout.source}'s kind of {layout.backbone}, but of another depth: "
            f"its layers have {blocks} blocks, not {list(layout.depths)}"
            f"{_arch(file)}; there is no network of this depth here: use weights of that one"
        )
    return Recognised(
        layout.source,
        layout.backbone,
        layout.options(tensors),
        layout.published,
        lambda n, order: layout.recipe(n, file.arch, order),
    )


def _arch(file: WeightsFile) -> str:
    return f" (it calls itself {file.arch!r})" if file.arch else ""


def _blocks(tensors: Tensors) -> list[int]:
    """How many blocks ``layer1``, ``layer2``, ... have."""
    seen: dict[str, set[str]] = {}
    for key in tensors:
        layer, _, rest = key.partition(".")
        if layer.startswith("layer"):
            seen.setdefault(layer, set()).add(rest.partition(".")[0])
    return [len(seen[layer]) for layer in sorted(seen)]


def _by_names(
    file: WeightsFile, tensors: Tensors, backbone: str | None, options: Mapping[str, Any]
) -> Recognised:
    """By comparing with what there is: our own networks and torchvision's."""
    if backbone is not None:  # whatever does not fit is told in detail
        return _plain(file, backbone, dict(options))
    keys = {key for key in tensors if COUNTER not in key}
    alike = []
    for name in _candidates(keys):
        expected = shapes_of(name, {}, 2)
        if keys == {key for key in expected if COUNTER not in key}:
            # Of equal names, as with r3d_18 and mc3_18, that of more equal shapes.
            unequal = sum(list(tensors[key].shape) != expected[key] for key in keys)
            alike.append((unequal, name))
            if unequal <= 2:  # weight and bias of the head
                break
    if alike:
        return _plain(file, min(alike)[1], {})
    known = [f"{layout.backbone} of {layout.source}" for layout in LAYOUTS]
    raise ValueError(
        f"{file.path}: its {len(tensors)} tensors ({', '.join(list(tensors)[:3])}, ...) are those "
        f"of no network that is known here{_arch(file)}; known are {known}, {list(BACKBONES)} and "
        f"torchvision's {list(TORCHVISION_HEADS)}. For a network of your own give backbone and "
        "options"
    )


def _candidates(keys: set[str]) -> Iterator[str]:
    if any(key.startswith("trunk.") for key in keys):
        yield from BACKBONES
    else:
        yield from (f"torchvision.{name}" for name in TORCHVISION_HEADS)


def _plain(file: WeightsFile, backbone: str, options: dict[str, Any]) -> Recognised:
    """A state dict with the names that the network has here, as torchvision's have them too."""
    family, _, name = backbone.partition(".")
    if family == "torchvision":
        recipe = torchvision_recipe(name, file.path)
        source = family if recipe.classes else "a state dict of torchvision's network"
        return Recognised(source, backbone, options, str, lambda n, order: recipe)
    doubt = "how it was trained is not written in it: say so where it is needed"
    return Recognised(
        "a plain state dict", backbone, options, str, lambda n, order: Recipe(doubt=doubt)
    )
