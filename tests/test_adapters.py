"""Other libraries' classifiers: the same logits as without the adapter, and clear refusals."""

import json
import sys
from pathlib import Path

import pytest
import torch
from fixed_weights import fill, fixed_clips
from torch import Tensor, nn

from condi_lib.cost import macs
from condi_lib.models import Student, build_backbone
from condi_lib.models.adapters import TORCHVISION_HEADS, AdaptedClassifier, ClipSize

SMALLEST_CLIPS = {"s3d": (14, 224, 224), "mvit_v1_b": (16, 224, 224), "mvit_v2_s": (16, 224, 224)}
TINY = {
    "image_size": 32,
    "patch_size": 16,
    "num_frames": 4,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


@pytest.mark.parametrize("name", ["mc3_18", "swin3d_t"])
def test_torchvision_models_keep_their_logits_and_published_weights(name):
    from torchvision.models import video

    published = getattr(video, name)(num_classes=5)
    fill(published)
    adapted = build_backbone(f"torchvision.{name}", 5)
    adapted.load_state_dict(published.state_dict())
    clips = fixed_clips(1, 3, 4, 32, 32)
    with torch.inference_mode():
        logits = adapted.eval()(clips)
        expected = published.eval()(clips)
    torch.testing.assert_close(logits, expected)
    assert logits.std() > 0.01


class ConvolutionalHead(nn.Module):
    """Classifies each position and averages their logits, as S3D does."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv3d(3, 8, 3)
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv3d(8, 5, 1))

    def forward(self, clips: Tensor) -> Tensor:
        return self.classifier(self.body(clips)).mean(dim=(2, 3, 4))


def test_a_head_that_classifies_positions_becomes_linear():
    published = ConvolutionalHead().eval()
    state = {key: tensor.clone() for key, tensor in published.state_dict().items()}
    clips = fixed_clips(2, 3, 4, 8, 8)
    expected = published(clips)
    adapted = AdaptedClassifier(published, "classifier.1")
    torch.testing.assert_close(adapted(clips), expected)
    assert adapted.features(clips).shape == (2, adapted.feature_dim) == (2, 8)
    torch.testing.assert_close(dict(adapted.state_dict()), state)
    student = Student(adapted)
    assert student.state_dict()["backbone.classifier.1.weight"].shape == (5, 8, 1, 1, 1)
    student.load_state_dict({key: 2 * tensor for key, tensor in student.state_dict().items()})
    torch.testing.assert_close(dict(adapted.state_dict()), {k: 2 * t for k, t in state.items()})


def test_what_does_not_fit_is_told_by_strict_loading():
    adapted = AdaptedClassifier(ConvolutionalHead(), "classifier.1")
    state = adapted.state_dict()
    del state["body.bias"]
    with pytest.raises(RuntimeError, match=r"Missing key.*body\.bias"):
        adapted.load_state_dict(state)
    other = {**adapted.state_dict(), "classifier.1.weight": torch.zeros(7, 8, 1, 1, 1)}
    with pytest.raises(RuntimeError, match=r"size mismatch for fc\.weight"):
        adapted.load_state_dict(other)


@pytest.mark.parametrize("name", TORCHVISION_HEADS)
def test_every_torchvision_head_is_found_and_the_tensors_keep_their_names(name):
    from torchvision.models import video

    with torch.device("meta"):
        model = build_backbone(f"torchvision.{name}", 7)
        published = getattr(video, name)(num_classes=7).state_dict()
    shapes = [(key, tensor.shape) for key, tensor in model.state_dict().items()]
    assert shapes == [(key, tensor.shape) for key, tensor in published.items()]
    assert model.fc.out_features == 7
    assert model.fc.in_features == model.feature_dim
    clip = torch.empty(2, 3, *SMALLEST_CLIPS.get(name, (2, 32, 32)), device="meta")
    assert model.eval().features(clip).shape == (2, model.feature_dim)


@pytest.mark.parametrize(
    ("name", "clip", "message"),
    [
        ("mvit_v1_b", (8, 224, 224), "takes clips of 16 frames of 224 x 224 px, got 8 frames"),
        ("mvit_v2_s", (16, 112, 96), "got 16 frames of 112 x 96 px; change the data set's clip_fr"),
        ("s3d", (13, 224, 224), "takes clips of at least 14 frames of 224 x 224 px, got 13"),
        ("s3d", (32, 224, 112), "got 32 frames of 224 x 112 px"),
    ],
)
def test_clips_of_a_wrong_shape_are_refused(name, clip, message):
    with torch.device("meta"):
        model = build_backbone(f"torchvision.{name}", 2)
    with pytest.raises(ValueError, match=f"^torchvision.{name} .*{message}"):
        model(torch.empty(1, 3, *clip, device="meta"))


@pytest.mark.parametrize("shape", [(1, 4, 3, 32, 32), (3, 4, 32, 32)])
def test_frames_before_channels_are_refused(shape):
    with torch.device("meta"):
        model = build_backbone("torchvision.swin3d_t", 2)
    with pytest.raises(ValueError, match=r"swin3d_t takes clips \[B, 3, T, H, W\], got \["):
        model(torch.empty(shape, device="meta"))


def test_longer_and_larger_clips_fit_where_a_size_is_the_least():
    least, exact = ClipSize(14, 224, 200, exact=False), ClipSize(14, 224, 200)
    assert [least.fits(*c) for c in [(14, 224, 200), (15, 300, 200), (14, 223, 400)]] == [1, 1, 0]
    assert [exact.fits(*c) for c in [(14, 224, 200), (15, 300, 200), (14, 223, 400)]] == [1, 0, 0]


def test_head_must_be_linear():
    network = nn.Sequential(nn.Conv3d(3, 2, 3))
    with pytest.raises(ValueError, match="linear or a 1x1x1 convolution, not Conv3d"):
        AdaptedClassifier(network, "0")


def tiny_config(family: str, folder: Path, **changes) -> None:
    """A transformer of two layers for clips of 4 frames of 32 px, as its ``config.json``."""
    config = {"model_type": family, **TINY, **changes}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("family", ["videomae", "timesformer", "vivit"])
def test_hugging_face_networks_keep_their_logits(family, tmp_path):
    """Put together again with their head, they say the same, given frames before channels."""
    tubelet = {"tubelet_size": [2, 16, 16]} if family == "vivit" else {}
    tiny_config(family, tmp_path, **tubelet)
    model = build_backbone(f"hugging_face:{tmp_path}", 5, seed=2).eval()
    nn.init.normal_(model.fc.weight, generator=torch.Generator().manual_seed(0))
    clips = fixed_clips(2, 3, 4, 32, 32)
    with torch.inference_mode():
        logits, features = model(clips), model.features(clips)
        student = Student(model)(clips)
        model.network.classifier = model.fc
        frames_first = torch.stack([clips[:, :, frame] for frame in range(4)], dim=1)
        whole = model.network(pixel_values=frames_first).logits
    torch.testing.assert_close(logits, whole)
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)
    assert features.shape == (2, model.feature_dim) == (2, 24)
    torch.testing.assert_close(student.class_logits, logits)


def test_a_tiny_videomae_costs_what_its_layers_multiply(tmp_path):
    """8 tokens, width 24, two layers: patches; query, key, value, output; attention; mlp; head."""
    tiny_config("videomae", tmp_path)
    model = build_backbone(f"hugging_face:{tmp_path}", 5)
    patches, layer = 8 * 24 * (3 * 2 * 16 * 16), 8 * 24 * (4 * 24 + 2 * 8 + 2 * 32)
    assert macs(model, (3, 4, 32, 32)) == patches + 2 * layer + 5 * 24


def test_fields_of_the_configuration_can_be_changed(tmp_path):
    tiny_config("videomae", tmp_path)
    model = build_backbone(f"hugging_face:{tmp_path}", 5, num_frames=8).eval()
    assert model(fixed_clips(1, 3, 8, 32, 32)).shape == (1, 5)
    with pytest.raises(ValueError, match="takes clips of 8 frames of 32 x 32 px, got 4 frames"):
        model(fixed_clips(1, 3, 4, 32, 32))
    with pytest.raises(ValueError, match=r"has no field \['frames'\]"):
        build_backbone(f"hugging_face:{tmp_path}", 5, frames=8)
    with pytest.raises(
        ValueError, match=r"\['random', 'trained', 'trained_body'\], got 'imagenet'"
    ):
        build_backbone(f"hugging_face:{tmp_path}", 5, weights="imagenet")


@pytest.fixture(scope="module")
def trained_folder(tmp_path_factory) -> Path:
    """A VideoMAE of three classes, saved with its weights as from the hub."""
    from transformers import AutoModelForVideoClassification, VideoMAEConfig

    folder = tmp_path_factory.mktemp("videomae")
    names = {0: "wave", 1: "run", 2: "box"}
    torch.manual_seed(5)
    config = VideoMAEConfig(**TINY, id2label=names, label2id={n: i for i, n in names.items()})
    AutoModelForVideoClassification.from_config(config).save_pretrained(folder)
    return folder


def test_trained_weights_are_read_with_the_order_of_their_classes(trained_folder):
    from transformers import AutoModelForVideoClassification

    saved = AutoModelForVideoClassification.from_pretrained(trained_folder)
    model = build_backbone(f"hugging_face:{trained_folder}", 3, weights="trained")
    assert model.classes == ("wave", "run", "box")
    expected = dict(saved.state_dict())
    torch.testing.assert_close(dict(model.state_dict()), expected, rtol=0, atol=0)
    assert model.training


@pytest.mark.parametrize("num_classes", [3, 4])
def test_a_new_head_leaves_the_rest_as_trained(trained_folder, num_classes):
    name = f"hugging_face:{trained_folder}"
    trained = build_backbone(name, 3, weights="trained").state_dict()
    model = build_backbone(name, num_classes, weights="trained_body")
    assert model.classes is None
    fresh = model.state_dict()
    same = {key for key in trained if torch.equal(trained[key], fresh[key])}
    assert set(trained) - same == {"classifier.weight", "classifier.bias"}


def test_a_trained_head_of_another_size_is_not_replaced_unasked(trained_folder):
    with pytest.raises(ValueError, match="on 3 classes, 4 are asked for; weights: trained_body"):
        build_backbone(f"hugging_face:{trained_folder}", 4, weights="trained")


@pytest.mark.parametrize("weights", ["trained", "trained_body"])
def test_trained_weights_of_another_width_are_refused(trained_folder, weights):
    with pytest.raises(ValueError, match=r"no weights that fit .*another size\?"):
        build_backbone(f"hugging_face:{trained_folder}", 3, weights=weights, intermediate_size=48)


def test_weights_without_a_class_head_are_noticed(trained_folder, tmp_path):
    """As a network that was only trained to fill in patches: the head would be random."""
    from safetensors.torch import load_file, save_file

    state = load_file(trained_folder / "model.safetensors")
    headless = {key: value for key, value in state.items() if not key.startswith("classifier.")}
    save_file(headless, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text((trained_folder / "config.json").read_text())
    name = f"hugging_face:{tmp_path}"
    with pytest.raises(ValueError, match=r"no weights .*classifier\.bias.*weights: trained_body"):
        build_backbone(name, 3, weights="trained")
    assert build_backbone(name, 3, weights="trained_body").fc.out_features == 3


def test_weights_that_are_not_there_are_said_so(trained_folder, tmp_path):
    (tmp_path / "config.json").write_text((trained_folder / "config.json").read_text())
    with pytest.raises(ValueError, match=r"no trained weights .*only weights: random"):
        build_backbone(f"hugging_face:{tmp_path}", 3, weights="trained")


def test_what_is_no_video_classifier_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match=r"is a bert network, which .* video classifier"):
        build_backbone(f"hugging_face:{tmp_path}", 3)
    (tmp_path / "config.json").write_text('{"model_type": "of my own"}')
    with pytest.raises(ValueError, match=r"model can be read .*`of my own`"):
        build_backbone(f"hugging_face:{tmp_path}", 3)
    with pytest.raises(ValueError, match="can be read at '/no/such/place'; give a folder with"):
        build_backbone("hugging_face:/no/such/place", 3)


def test_says_what_to_install(tmp_path, monkeypatch):
    tiny_config("videomae", tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e '\.\[hugging_face\]'"):
        build_backbone(f"hugging_face:{tmp_path}", 3)
