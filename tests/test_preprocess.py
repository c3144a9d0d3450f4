"""Clips to network input: values by hand, and augmentation that its generator decides."""

from itertools import pairwise

import pytest
import torch

from condi_lib.videos.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def numbered(batch: int = 2, frames: int = 3, height: int = 5, width: int = 7) -> torch.Tensor:
    """Every value says where it is, so that each can be found again (as long as they fit uint8)."""
    values = torch.arange(batch * frames * height * width * 3) % 251
    return values.reshape(batch, frames, height, width, 3).to(torch.uint8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_centre_crop_by_hand():
    clips = numbered()
    ready = Preprocess(3)(clips)
    assert ready.shape == (2, 3, 3, 3, 3) and ready.dtype == torch.float32
    assert ready.is_contiguous(memory_format=torch.channels_last_3d)
    for batch, channel, frame, row, column in [(0, 0, 0, 0, 0), (1, 2, 1, 2, 1), (0, 1, 2, 1, 2)]:
        value = clips[batch, frame, 1 + row, 2 + column, channel].item() / 255
        expected = (value - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]
        assert ready[batch, channel, frame, row, column].item() == pytest.approx(expected, abs=1e-6)


def test_bgr_from_0_to_255_minus_a_mean_by_hand():
    """As Efficient-3DCNNs takes Kinetics: x - mean, blue first, the mean in the network's order."""
    mean = (114.7748, 107.7354, 99.4750)
    efficient = Preprocess(2, tuple(m / 255 for m in mean), (1 / 255,) * 3, channel_order="bgr")
    red, green, blue = 250, 100, 7
    clips = torch.tensor([red, green, blue], dtype=torch.uint8).expand(1, 2, 2, 2, 3)
    by_hand = torch.tensor([blue - mean[0], green - mean[1], red - mean[2]])  # -107.8 -7.7 150.5
    expected = by_hand[None, :, None, None, None].expand(1, 3, 2, 2, 2)
    torch.testing.assert_close(efficient(clips), expected, rtol=0, atol=1e-4)
    in_training = efficient(clips, generator())  # all pixels are alike: cropped or mirrored
    torch.testing.assert_close(in_training, expected, rtol=0, atol=1e-4)


def test_bgr_is_rgb_with_reversed_channels():
    clips, plain = numbered(3, 2, 6, 8), {**PLAIN, "brightness": 0.3}
    for source in (None, 5):
        rgb, bgr = (
            Preprocess(4, channel_order=order, **plain)(clips, source and generator(source))
            for order in ("rgb", "bgr")
        )
        assert torch.equal(bgr, rgb.flip(1)) and not torch.equal(bgr, rgb)
        assert bgr.is_contiguous(memory_format=torch.channels_last_3d)


def test_odd_margins_crop_nearer_the_top_left():
    clips = numbered(height=4, width=6)
    ready = Preprocess(3, **PLAIN)(clips)
    torch.testing.assert_close(ready * 255, clips[:, :, :3, 1:4].movedim(-1, 1).float())


def test_input_is_left_as_it_was():
    clips = numbered()
    before = clips.clone()
    Preprocess(3, shuffle_channels=True, brightness=0.5)(clips, generator())
    assert torch.equal(clips, before)


def test_training_crops_are_windows_of_each_clip_and_reach_every_place():
    clips, crop = numbered(1, 1).expand(400, -1, -1, -1, -1), 3
    ready = (Preprocess(crop, flip=False, **PLAIN)(clips, generator()) * 255).round()
    windows = {
        (top, left): clips[0, :, top : top + crop, left : left + crop].movedim(-1, 0).float()
        for top in range(3)
        for left in range(5)
    }
    found = [next(at for at, w in windows.items() if torch.equal(w, clip)) for clip in ready]
    assert set(found) == set(windows)
    assert all(10 <= found.count(at) <= 50 for at in windows)  # 400 / 15 = 27 expected


def test_flip_mirrors_half_of_the_clips_as_a_whole():
    clips = numbered(300, 2, 4, 4)
    plain = clips.movedim(-1, 1).float()
    ready = (Preprocess(4, **PLAIN)(clips, generator()) * 255).round()
    kept = (ready == plain).flatten(1).all(dim=1)
    mirrored = (ready == plain.flip(-1)).flatten(1).all(dim=1)
    assert bool((kept ^ mirrored).all())
    assert 120 < int(mirrored.sum()) < 180


def test_shuffled_channels_are_permutations():
    clips = torch.tensor([10, 20, 30], dtype=torch.uint8).expand(600, 2, 4, 4, 3)
    ready = Preprocess(4, flip=False, shuffle_channels=True, **PLAIN)(clips, generator()) * 255
    orders = [tuple(clip.amax(dim=(1, 2, 3)).round().int().tolist()) for clip in ready]
    assert bool((ready.amax(dim=(2, 3, 4)) == ready.amin(dim=(2, 3, 4))).all())
    assert len(set(orders)) == 6 and all(sorted(order) == [10, 20, 30] for order in orders)
    assert all(60 < orders.count(order) < 140 for order in set(orders))


def test_brightness_scales_a_clip_by_one_factor_in_its_range():
    clips = torch.full((300, 2, 4, 4, 3), 100, dtype=torch.uint8)
    ready = Preprocess(4, flip=False, brightness=0.2, **PLAIN)(clips, generator())
    factor = ready.flatten(1) * 2.55
    assert bool((factor.amax(dim=1) == factor.amin(dim=1)).all())
    assert 0.8 <= factor.min() < 0.82 and 1.18 < factor.max() <= 1.2
    assert factor.mean() == pytest.approx(1, abs=0.02)
    white = torch.full((50, 1, 4, 4, 3), 255, dtype=torch.uint8)
    assert Preprocess(4, brightness=0.2, **PLAIN)(white, generator()).max() == 1  # never above


def test_generator_decides_and_the_global_one_is_left_alone():
    prepare = Preprocess(3, shuffle_channels=True, brightness=0.2)
    before = torch.random.get_rng_state()
    first, again, other = (prepare(numbered(), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("n_parts", [1, 2, 3])
def test_parts_of_a_batch_are_prepared_as_the_whole(n_parts):
    clips = numbered(7)
    prepare = Preprocess(3, shuffle_channels=True, brightness=0.2)
    whole_rng, bounds = generator(), [7 * i // n_parts for i in range(n_parts + 1)]
    whole = prepare(clips, whole_rng)
    for first, last in pairwise(bounds):
        part, rng = slice(first, last), generator()
        assert torch.equal(prepare(clips[part], rng, part, 7), whole[part])
        assert torch.equal(rng.get_state(), whole_rng.get_state())  # the loss draws on


def test_frames_too_small_or_not_clips_are_refused():
    with pytest.raises(ValueError, match="frames of 5 x 7 px are smaller than the crop of 6 px"):
        Preprocess(6)(numbered())
    with pytest.raises(ValueError, match=r"need clips uint8 \[B, T, H, W, 3\], got torch.float32"):
        Preprocess(3)(numbered().float())
    with pytest.raises(ValueError, match=r"got torch.uint8 \[2, 5, 7, 3\]"):
        Preprocess(3)(numbered()[:, 0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"crop_px": 0}, "crop_px must be at least 1, got 0"),
        ({"crop_px": 3, "std": (1.0, 0.0, 1.0)}, "std > 0"),
        ({"crop_px": 3, "mean": (0.5,)}, "need a number for each of 3 channels"),
        ({"crop_px": 3, "brightness": 1.0}, r"brightness must be in \[0, 1\), got 1"),
        ({"crop_px": 3, "channel_order": "grb"}, 'must be "rgb" or "bgr", got \'grb\''),
    ],
)
def test_bad_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Preprocess(**fields)
