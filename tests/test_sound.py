"""The sound of video files: which sample belongs to which frame, in which band a tone lies."""

from fractions import Fraction

import av
import numpy as np
import pytest

from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.container import VideoError
from condi_lib.videos.decode import read_frames
from condi_lib.videos.encode import SoundTrack, write_video
from condi_lib.videos.log_mel import LogMel, mel_filters
from condi_lib.videos.sound import frame_times, has_sound, read_sound

RATE = 16000
FRAMES = [np.full((32, 32, 3), 5 * number, np.uint8) for number in range(32)]  # 2 s at 16 a second


def tone(hz, seconds=2.0, amplitude=0.5, rate=RATE):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(seconds * rate) / rate)).astype(
        np.float32
    )


def burst(first, length=800):
    """2 s of silence with a tone of 1 kHz from sample ``first`` on."""
    samples = np.zeros(2 * RATE, np.float32)
    samples[first : first + length] = tone(1000)[:length]
    return samples


def lag(samples, expected):
    """By how many samples one lies behind the other."""
    shifts = np.arange(-400, 401)
    likeness = [
        np.dot(np.roll(expected, shift)[: len(samples)], samples[: len(expected)])
        for shift in shifts
    ]
    return int(shifts[np.argmax(likeness)])


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "codec", "error"),
    [("mp4", "flac", 2e-5), ("mkv", "flac", 2e-5), ("mp4", "aac", 0.02), ("mkv", "aac", 0.02)],
)
def test_what_was_written_is_read_to_the_sample(tmp_path, suffix, codec, error):
    samples = burst(RATE + 321)
    sound = SoundTrack(samples, RATE, codec)
    path = write_video(tmp_path / f"a.{suffix}", FRAMES, 16, sound=sound)
    found = read_sound(path, RATE)
    assert abs(len(found) - len(samples)) <= 1024  # whole packets
    assert lag(found, samples) == 0
    length = min(len(found), len(samples))
    assert np.abs(found[:length] - samples[:length]).max() < error


def test_sound_changes_no_picture(tmp_path):
    silent = write_video(tmp_path / "silent.mp4", FRAMES, 16)
    heard = write_video(tmp_path / "heard.mp4", FRAMES, 16, sound=SoundTrack(tone(440)))
    assert np.array_equal(read_frames(silent), read_frames(heard))
    assert has_sound(heard) and not has_sound(silent)
    assert read_sound(silent) is None
    np.testing.assert_allclose(frame_times(silent), np.arange(32) / 16, atol=1e-4)


def test_the_same_samples_give_the_same_bytes(tmp_path):
    sound = SoundTrack(burst(500))
    a, b = (write_video(tmp_path / name, FRAMES, 16, sound=sound) for name in ("a.mp4", "b.mp4"))
    assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling_keeps_time_and_strength(tmp_path, rate):
    path = write_video(tmp_path / "a.mp4", FRAMES, 16, sound=SoundTrack(tone(500), RATE, "flac"))
    found = read_sound(path, rate)
    middle = slice(rate // 4, rate * 7 // 4)
    np.testing.assert_allclose(found[middle], tone(500, rate=rate)[middle], atol=2e-3)


def test_a_start_within_the_track_cuts_it_and_one_before_it_pads_it(tmp_path):
    path = write_video(tmp_path / "a.mp4", FRAMES, 16, sound=SoundTrack(burst(8000), RATE, "flac"))
    whole = read_sound(path, RATE)
    assert np.array_equal(read_sound(path, RATE, start_sec=0.25), whole[4000:])
    assert np.array_equal(read_sound(path, RATE, start_sec=-0.25), np.r_[np.zeros(4000), whole])


def write_late_stereo(path, delay_sec):
    """Pictures from 0 s on, and 1 s of stereo sound at 44.1 kHz, 500 Hz on the left, from later."""
    rate, frames = 44100, [np.zeros((32, 32, 3), np.uint8)] * 32
    left = tone(500, 1.0, 0.8, rate)
    both = np.stack([left, np.zeros_like(left)])
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=16)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = container.add_stream("flac", rate=rate, layout="stereo")
        for pixels in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        frame = av.AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
        frame.rate, frame.pts, frame.time_base = rate, round(delay_sec * rate), Fraction(1, rate)
        container.mux([*audio.encode(frame), *audio.encode(), *video.encode()])
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_that_begins_later_is_where_it_belongs_and_channels_are_mixed(tmp_path, suffix):
    found = read_sound(write_late_stereo(tmp_path / f"a.{suffix}", 0.25), RATE)
    assert np.abs(found[:3900]).max() < 1e-3 < np.abs(found[4100:4200]).max()
    expected = np.zeros(RATE * 5 // 4, np.float32)
    expected[4000:] = tone(500, 1.0, 0.4)  # half of .8: the mean of both channels
    middle = slice(5000, 19000)
    np.testing.assert_allclose(found[middle], expected[middle], atol=0.01)


def test_frame_times_are_those_that_were_written(tmp_path):
    for fps in (Fraction(16), Fraction(30000, 1001)):
        path = write_video(tmp_path / "a.mp4", FRAMES, fps)
        np.testing.assert_allclose(frame_times(path), np.arange(32) / float(fps), atol=1e-4)
    avi = write_video(tmp_path / "a.avi", FRAMES, 16, codec="mpeg4")
    np.testing.assert_allclose(np.diff(frame_times(avi)), 1 / 16, atol=1e-4)


@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_a_damaged_track_is_an_error_that_names_the_file(tmp_path, byte):
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, 2 * RATE).astype(np.float32)
    sound = SoundTrack(noise, RATE, "aac")
    path = write_video(tmp_path / "a.mp4", FRAMES[:1] * 32, 16, sound=sound)
    content = bytearray(path.read_bytes())
    third = content.index(b"moov") // 3  # the index follows the pictures and the sound
    content[third : 2 * third] = bytes([byte]) * third
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"a\.mp4: has a damaged sound track"):
        read_sound(path)


@pytest.mark.parametrize(
    "samples", [np.zeros((2, 9), np.float32), np.array([0, np.nan], np.float32)]
)
def test_samples_that_are_none_are_refused(samples):
    with pytest.raises(ValueError, match=r"need finite samples \[n\]"):
        SoundTrack(samples)


# --- patches ----------------------------------------------------------------------------------


def test_triangles_of_the_mel_scale_by_hand():
    """Corners from the formula; between the first peak and the last each frequency counts once."""
    filters = mel_filters(RATE, 512, 40)
    mel = 2595 * np.log10(1 + 8000 / 700) * np.arange(42) / 41
    corners = 700 * (10 ** (mel / 2595) - 1)
    frequency = np.arange(257) * RATE / 512
    between = (frequency >= corners[1]) & (frequency <= corners[-2])
    np.testing.assert_allclose(filters.sum(axis=0)[between], 1)
    for band, weights in enumerate(filters):
        outside = (frequency <= corners[band]) | (frequency >= corners[band + 2])
        assert not weights[outside].any()


@pytest.mark.parametrize("band", [3, 10, 24, 40, 47])
def test_a_tone_lies_in_its_band_at_its_strength(band):
    """A sine at a band's peak; half the amplitude is 6.02 dB less, 19 grey levels of 80/255 dB."""
    look = LogMel()
    highest = 2595 * np.log10(1 + 8000 / 700)
    hz = 700 * (10 ** ((band + 1) * highest / 49 / 2595) - 1)
    times = np.linspace(0.2, 1.8, 48)[None]
    loud, soft = (look.patches(tone(hz, 2, a), times)[0].astype(int) for a in (0.5, 0.25))
    assert (loud.argmax(axis=0) == band).all()
    assert set((loud - soft)[band].tolist()) <= {19, 20}
    assert abs(loud[band].mean() - 255 * (80 - 6.02) / 80) < 8  # some leaks into the neighbours


def test_all_bands_together_have_the_power_of_the_tone():
    look = LogMel()
    power = look._power(tone(1000, 2, 0.5), np.array([4000, 9000]))
    np.testing.assert_allclose(power.sum(axis=1), 0.25, rtol=1e-3)


def test_silence_is_black_and_so_is_no_sound():
    times = np.linspace(-1, 9, 2 * 48).reshape(2, 48)
    for samples in (None, np.zeros(0, np.float32), np.zeros(RATE, np.float32)):
        assert not LogMel().patches(samples, times).any()
    assert LogMel().patches(None, times).shape == (2, 48, 48)


def test_a_click_stands_in_the_column_of_its_time():
    samples = np.zeros(2 * RATE, np.float32)
    samples[RATE + 5000] = 1.0  # .3125 s into the second of two clips of one second
    look, grid = LogMel(), ClipGrid(16)
    frame_sec = np.arange(32) / 16
    times = np.stack([look.patch_times(grid, frame_sec, index) for index in range(2)])
    patches = look.patches(samples, times)
    assert not patches[0].any()
    columns = patches[1].any(axis=0).nonzero()[0]
    middle = (columns + 0.5) / 48
    assert columns.size and (np.abs(middle - 0.3125) <= 256 / RATE + 1e-9).all()


def test_columns_are_the_middles_of_equal_parts_of_the_frames_time():
    look, frame_sec = LogMel(steps=4, mels=20), 10 + np.arange(40) / 16
    grid = ClipGrid(16, stride=2)
    np.testing.assert_allclose(
        look.patch_times(grid, frame_sec, 1), 11 + np.array([1, 3, 5, 7]) / 8
    )
    looped = look.patch_times(grid, frame_sec, 2)  # 8 frames are left: the half is heard twice
    np.testing.assert_allclose(looped, 12 + np.array([1, 3, 1, 3]) / 8)
    slow = frame_sec.copy()
    slow[20:] += 1.0  # frame 19 is shown for longer: what is heard with frames 20 … is later
    np.testing.assert_allclose(look.patch_times(grid, slow, 1)[1:], 12 + np.array([3, 5, 7]) / 8)
    with pytest.raises(ValueError, match=r"clip_index must be in \[0, 2\]"):
        look.patch_times(grid, frame_sec, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mels": 128}, "128 mel bands up to 8000 Hz are too narrow for windows of 512"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"floor_db": 3.0}, "floor_db must be in"),
    ],
)
def test_wrong_patches_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LogMel(**options)
