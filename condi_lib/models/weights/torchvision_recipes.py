"""How torchvision's published video networks were trained, and how to know one of its files."""

import re
from pathlib import Path

from condi_lib.models.weights.files import file_digest
from condi_lib.models.weights.layouts import Recipe
from condi_lib.videos.preprocess import Preprocess

FRAMES_PER_SEC = 30  # of the videos that its frame rates are told for, as most of Kinetics has


def torchvision_recipe(name: str, path: Path) -> Recipe:
    """The recipe of one of torchvision's files, whatever it is called; else one full of doubt.

    Its files carry the first eight digits of their SHA-256 in their published name, so a file is
    one of them if its digest begins so. Fine-tuned ones have the same tensors, but are not.
    """
    from torchvision.models import get_model_weights  # takes over a second, which few studies need

    for weights in get_model_weights(name):
        if file_digest(path).startswith(_published_digest(weights.url)):
            return recipe_of(weights)
    doubt = (
        f"it has {name}'s tensors, but is not a file that torchvision published: give preprocess "
        "and classes that it was trained with"
    )
    return Recipe(doubt=doubt)


def _published_digest(url: str) -> str:
    return re.search(r"-([0-9a-f]{8,})\.pth$", url)[1]


def recipe_of(weights: object) -> Recipe:
    """The recipe of an entry of torchvision's list of weights, such as R3D_18_Weights.DEFAULT.

    torchvision trains at a frame rate, such as 15 a second; here as a stride at 30 a second.
    """
    transform, told = weights.transforms(), weights.meta["_docs"]
    rate, length = (float(re.search(rf"{key}=([\d.]+)", told)[1]) for key in _SAMPLING)
    stride = round(FRAMES_PER_SEC / rate)
    size = transform.resize_size
    return Recipe(
        Preprocess(transform.crop_size[0], tuple(transform.mean), tuple(transform.std)),
        clip_frames=round(length) * stride,
        stride=stride,
        size_px=(size[0], size[-1]),
        resize="cover" if len(size) == 1 else "stretch",
        classes=tuple(weights.meta["categories"]),
        data="Kinetics-400",
    )


_SAMPLING = ("frame_rate", "clip_len")
