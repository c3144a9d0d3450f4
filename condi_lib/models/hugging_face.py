"""Video classifiers of Hugging Face's transformers: VideoMAE, TimeSformer, ViViT and the like.

The package is optional. Networks come from a configuration with random weights, or trained, from
a folder or from the hub.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from condi_lib.models.adapters import AdaptedClassifier, ClipSize
from condi_lib.paths import project_root

WEIGHTS = ("random", "trained", "trained_body")
ADVICE = "weights: trained_body takes all but the class head, which is then to be trained"


class HuggingFaceClassifier(AdaptedClassifier):
    """A video classifier of transformers; they take clips ``[B, T, 3, H, W]`` by name.

    Attributes:
        classes: Names of its classes in order, where it came with trained weights.
    """

    classes: tuple[str, ...] | None = None

    def _headless(self, clips: Tensor) -> Tensor:
        frames_first = clips.transpose(1, 2)
        features = self.network(**{self.network.main_input_name: frames_first}).logits
        return features.flatten(1)  # VideoPrism keeps an axis of one pooled token


def hugging_face_classifier(
    source: str, num_classes: int, weights: str = "random", **config: Any
) -> HuggingFaceClassifier:
    """Build a video classifier of Hugging Face's transformers.

    Args:
        source: A folder with ``config.json`` (relative ones start at the project's root), or the
            id of a model on the hub, which is downloaded.
        num_classes: Outputs of the class head.
        weights: ``random``; ``trained``, those there; or ``trained_body``, those but for a random
            class head. No code from there is run.
        **config: Fields of its configuration to change, such as ``num_frames`` and ``image_size``.

    Raises:
        ModuleNotFoundError: If transformers is not installed.
        ValueError: If there is no video classifier, a field is unknown, or trained weights are
            missing or of another shape, such as those of a head for other classes.
    """
    if weights not in WEIGHTS:
        raise ValueError(f"weights must be one of {list(WEIGHTS)}, got {weights!r}")
    transformers = _transformers()
    place = _folder_or_id(source)
    settings = _read_config(transformers, place, config)
    classes = tuple(settings.id2label.values())
    if weights == "trained" and len(classes) != num_classes:
        raise ValueError(
            f"{source} was trained on {len(classes)} classes, {num_classes} are asked for; {ADVICE}"
        )
    settings.num_labels = num_classes
    if weights == "random":
        network = _random_network(transformers, settings, source)
    else:
        network = _trained_network(transformers, place, settings, weights == "trained_body")
    model = HuggingFaceClassifier(network, "classifier", _clip_size(settings), source)
    model.classes = classes if weights == "trained" else None
    return model


def _transformers() -> Any:
    try:
        import transformers  # optional, and takes seconds
    except ImportError as error:
        raise ModuleNotFoundError(
            "Hugging Face's classifiers need the package transformers; install it with "
            "pip install -e '.[hugging_face]'"
        ) from error
    return transformers


def _folder_or_id(source: str) -> str:
    folder = project_root() / Path(source).expanduser()
    return str(folder) if folder.is_dir() else source


def _read_config(transformers: Any, place: str, changes: Mapping[str, Any]) -> Any:
    try:
        settings, unknown = transformers.AutoConfig.from_pretrained(
            place, trust_remote_code=False, return_unused_kwargs=True, **changes
        )
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no Hugging Face model can be read at {place!r}; give a folder with its config.json, "
            f"or the id of a model on the hub that this machine can reach ({error})"
        ) from error
    if unknown:
        raise ValueError(f"the configuration of {place} has no field {sorted(unknown)}")
    return settings


def _random_network(transformers: Any, settings: Any, source: str) -> nn.Module:
    try:
        return transformers.AutoModelForVideoClassification.from_config(settings)
    except ValueError as error:
        raise ValueError(
            f"{source} is a {settings.model_type} network, which transformers cannot build as a "
            f"video classifier ({error})"
        ) from error


def _trained_network(transformers: Any, place: str, settings: Any, new_head: bool) -> nn.Module:
    try:
        network, report = transformers.AutoModelForVideoClassification.from_pretrained(
            place,
            config=settings,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # they are reported, and refused below
            output_loading_info=True,
        )
    except OSError as error:
        raise ValueError(
            f"no trained weights can be read at {place}; from its config.json alone there are "
            f"only weights: random ({error})"
        ) from error
    random = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    head = {key for key in random if key.startswith("classifier.")}
    if random - head or (head and not new_head):
        advice = ADVICE if random == head else "is it another network, or one of another size?"
        raise ValueError(f"{place} has no weights that fit {sorted(random)}; {advice}")
    if new_head:
        network.classifier.reset_parameters()  # even if it happens to have the right size
    return network.train()  # as built; scoring switches to evaluation itself


def _clip_size(settings: Any) -> ClipSize | None:
    """Frames and size that the positions were made for, by whatever name the family uses."""
    frames = getattr(settings, "num_frames", None) or getattr(settings, "frames_per_clip", None)
    size = getattr(settings, "image_size", None) or getattr(settings, "crop_size", None)
    if frames is None or size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return ClipSize(frames, height, width)
