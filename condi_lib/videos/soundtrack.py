"""What a pantomime sounds like: claps, steps, thuds and swishes, in time with the figure.

Every action makes its sounds at fixed phases of its cycle, so a slower performance sounds slower
and a smaller one is quieter: the cue that tells a confuser is heard as well as seen. Standing still
and the empty scene are silent but for the room; behind the board goes on what is labelled, muffled.
Recordings differ in loudness, pitch and noise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from condi_lib.videos.screenplay import PantomimeSpec, VideoScript

RATE_HZ = 16000  # that of a SoundTrack
MUFFLED = 0.25
NOISE_DB, GAIN_DB, PITCH = (-60.0, -42.0), (-6.0, 6.0), (0.85, 1.18)


@dataclass(frozen=True)
class Noise:
    """A short noise: its band, how fast it rises and fades, and how loud it is."""

    low_hz: float
    high_hz: float
    rise_sec: float
    fade_sec: float
    gain: float

    def draw(self, rng: Generator, pitch: float) -> NDArray[np.float64]:
        """Return its samples; the peak of the envelope is at ``rise_sec``."""
        seconds = np.arange(round((self.rise_sec + 6 * self.fade_sec) * RATE_HZ)) / RATE_HZ
        spectrum = np.fft.rfft(rng.standard_normal(len(seconds)))
        frequency = np.fft.rfftfreq(len(seconds), 1 / RATE_HZ)
        spectrum[(frequency < self.low_hz * pitch) | (frequency > self.high_hz * pitch)] = 0
        noise = np.fft.irfft(spectrum, len(seconds))
        after = seconds - self.rise_sec
        envelope = np.where(
            after < 0, seconds / max(self.rise_sec, 1e-9), np.exp(-after / self.fade_sec)
        )
        return self.gain * envelope * noise / (noise.std() + 1e-12)


CLAP = Noise(700, 5000, 0.0, 0.012, 0.30)
STEP = Noise(80, 420, 0.004, 0.030, 0.16)
STAMP = Noise(80, 500, 0.002, 0.040, 0.28)
THUD = Noise(40, 220, 0.002, 0.090, 0.35)
PUNCH = Noise(200, 1300, 0.010, 0.025, 0.22)
SWISH = Noise(600, 3200, 0.090, 0.040, 0.07)
WAVE = Noise(1200, 4000, 0.060, 0.030, 0.04)
RUSTLE = Noise(1500, 6000, 0.120, 0.060, 0.04)
SCRATCH = Noise(3000, 7000, 0.003, 0.012, 0.05)
# At which fractions of a cycle an action sounds, and how: see the poses in ``stick_figure``.
SOUNDS: dict[str, Sequence[tuple[float, Noise]]] = {
    "bend": ((0.25, RUSTLE), (0.75, RUSTLE)),
    "box": ((0.25, PUNCH), (0.75, PUNCH)),
    "clap": ((0.0, CLAP),),
    "jump": ((0.0, SWISH), (0.5, THUD)),
    "jumping_jack": ((0.0, STAMP), (0.5, STAMP), (0.5, CLAP)),
    "kick": ((0.35, SWISH), (0.0, STEP)),
    "run": ((0.0, STAMP), (0.5, STAMP)),
    "side_step": ((0.0, STEP), (0.25, STEP), (0.5, STEP), (0.75, STEP)),
    "squat": ((0.25, RUSTLE), (0.6, STEP)),
    "walk": ((0.0, STEP), (0.5, STEP)),
    "wave_both": ((0.25, WAVE), (0.3, WAVE), (0.75, WAVE), (0.8, WAVE)),
    "wave_one": ((0.25, WAVE), (0.75, WAVE)),
    "scratch_head": ((0.0, SCRATCH), (0.25, SCRATCH), (0.5, SCRATCH), (0.75, SCRATCH)),
    "stand": (),
    "empty": (),
}


def soundtrack(
    video: VideoScript, spec: PantomimeSpec, phases: Sequence[float]
) -> NDArray[np.float32]:
    """Make the sound of a scripted video.

    Args:
        video: From :func:`.screenplay.script`.
        spec: The spec it was written with.
        phases: At which phase, in radians, each clip's action begins.

    Returns:
        float32 ``[n]`` in [-1, 1] at ``RATE_HZ``, as long as the video.
    """
    rng = np.random.default_rng([video.noise_seed, 1])
    gain, pitch = 10 ** (rng.uniform(*GAIN_DB) / 20), rng.uniform(*PITCH)
    n_samples = round(len(video.clips) * spec.clip_frames / spec.fps * RATE_HZ)
    track = rng.standard_normal(n_samples) * 10 ** (rng.uniform(*NOISE_DB) / 20)
    drawn: dict[Noise, NDArray[np.float64]] = {}  # a shoe sounds the same at every step
    for seconds, noise, loudness in _events(video, spec, phases):
        if noise not in drawn:
            drawn[noise] = gain * noise.draw(rng, pitch)
        sound = loudness * drawn[noise]
        first = round((seconds - noise.rise_sec) * RATE_HZ)
        heard = sound[max(0, -first) : max(0, n_samples - first)]
        track[max(0, first) : max(0, first) + len(heard)] += heard
    return track.clip(-1, 1).astype(np.float32)


def _events(
    video: VideoScript, spec: PantomimeSpec, phases: Sequence[float]
) -> Iterator[tuple[float, Noise, float]]:
    """When each sound peaks, in seconds, which it is, and how loud."""
    clip_sec = spec.clip_frames / spec.fps
    for index, (clip, phase) in enumerate(zip(video.clips, phases, strict=True)):
        action = {"hidden": video.label, "walk_in": "walk"}.get(clip.action, clip.action)
        loudness = clip.amplitude**2 * (MUFFLED if clip.action == "hidden" else 1)
        cycles = phase / (2 * np.pi) + np.array([0, clip.tempo])  # at the clip's two ends
        for fraction, noise in SOUNDS[action]:
            for turn in range(int(np.ceil(cycles[0] - fraction)), int(cycles[1] - fraction) + 1):
                passed = (turn + fraction - cycles[0]) / clip.tempo
                if 0 <= passed < 1:
                    yield (index + passed) * clip_sec, noise, loudness
