"""Sound as pictures: how strong each band of frequencies is, over the time of a clip.

A clip of any length becomes a patch of one size, so that networks for pictures can read it. Bands
are evenly spaced on the mel scale, on which equal steps sound equal: ``mel(f) = 2595 log10(1 +
f / 700)`` (O'Shaughnessy 1987). Strengths are in decibels, 0 for a sine of full scale.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.sound import Samples

MOST_WINDOWS = 4096  # that are transformed at once


def mel_corners(rate_hz: int, mels: int) -> NDArray[np.float64]:
    """Frequencies, evenly spaced in mel from 0 Hz to half the rate, ``[mels + 2]``.

    Band i begins at corner i, peaks at corner i + 1 and ends at corner i + 2.
    """
    highest = 2595 * np.log10(1 + rate_hz / 2 / 700)
    return 700 * (10 ** (np.linspace(0, highest, mels + 2) / 2595) - 1)


def mel_filters(rate_hz: int, window: int, mels: int) -> NDArray[np.float64]:
    """Weights ``[mels, window // 2 + 1]`` of a spectrum's frequencies in each band.

    Triangles of height 1 between :func:`mel_corners`.

    Raises:
        ValueError: If a band is so narrow that no frequency of the spectrum lies in it.
    """
    corners = mel_corners(rate_hz, mels)
    frequency = np.fft.rfftfreq(window, 1 / rate_hz)
    low, peak, high = (corners[i : i + mels, None] for i in range(3))
    rising, falling = (frequency - low) / (peak - low), (high - frequency) / (high - peak)
    filters = np.clip(np.minimum(rising, falling), 0, None)
    if not filters.any(axis=1).all():
        raise ValueError(
            f"{mels} mel bands up to {rate_hz / 2:g} Hz are too narrow for windows of {window} "
            "samples; take fewer bands or a longer window"
        )
    return filters


@dataclass(frozen=True)
class LogMel:
    """How a clip's sound becomes a patch of ``mels`` x ``steps`` grey levels.

    Attributes:
        rate_hz: Samples per second to which sound is brought.
        mels: Bands; row 0 is the lowest.
        steps: Columns: windows around the middles of as many equal parts of the clip.
        window: Samples of each, under a Hann window.
        floor_db: What is weaker is black (0), as is silence; white (255) is 0 dB.

    Raises:
        ValueError: If a number is out of range, or the bands are too narrow for the window.
    """

    rate_hz: int = 16000
    mels: int = 48
    steps: int = 48
    window: int = 512
    floor_db: float = -80.0

    def __post_init__(self) -> None:
        for name in ("rate_hz", "mels", "steps", "window"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not -200 <= self.floor_db < 0:
            raise ValueError(f"floor_db must be in [-200, 0), got {self.floor_db}")
        mel_filters(self.rate_hz, self.window, self.mels)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a patch."""
        return self.mels, self.steps

    @property
    def peaks_hz(self) -> NDArray[np.float64]:
        """The frequency in the middle of each band, ``[mels]``."""
        return mel_corners(self.rate_hz, self.mels)[1:-1]

    def patch_times(
        self, grid: ClipGrid, frame_sec: NDArray[np.float64], clip_index: int
    ) -> NDArray[np.float64]:
        """Return the middle of each column of a clip's patch, seconds ``[steps]``.

        A last clip with fewer frames loops over those it has, as its pictures do.

        Args:
            grid: How the video is cut.
            frame_sec: When each frame is shown, ``[T]``.
            clip_index: Which clip, from 0.
        """
        grid.frame_indices(len(frame_sec), clip_index)  # raises if there is no such clip
        start = clip_index * grid.clip_frames
        left = min(grid.clip_frames, len(frame_sec) - start)
        place = (np.arange(self.steps) + 0.5) * grid.clip_frames / self.steps % left
        last = frame_sec[-1] - frame_sec[-2] if len(frame_sec) > 1 else 0.0
        known = np.append(frame_sec, frame_sec[-1] + last)  # the last frame's end
        return np.interp(start + place, np.arange(len(known)), known)

    def patches(self, samples: Samples | None, times_sec: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the patches of some clips.

        Args:
            samples: The track, at ``rate_hz``; before and after it, it is silent. None: no sound.
            times_sec: Middles of the columns, from the first sample on, ``[n, steps]``.

        Returns:
            uint8 ``[n, mels, steps]``, in steps of ``-floor_db / 255`` dB.
        """
        if samples is None or not len(samples):
            return np.zeros((*times_sec.shape[:-1], *self.shape), np.uint8)
        first = np.rint(times_sec.ravel() * self.rate_hz).astype(np.int64) - self.window // 2
        pieces = np.array_split(first, -(-len(first) // MOST_WINDOWS))
        power = np.concatenate([self._power(samples, piece) for piece in pieces])
        level = 10 * np.log10(np.maximum(power, 10 ** (self.floor_db / 10)))
        grey = np.rint((level / self.floor_db - 1) * -255).clip(0, 255).astype(np.uint8)
        return grey.reshape(*times_sec.shape, self.mels).swapaxes(-1, -2)

    def _power(self, samples: Samples, first: NDArray[np.int64]) -> NDArray[np.float64]:
        """Power in each band of the windows that begin at ``first``, ``[n, mels]``.

        Scaled so that a sine of amplitude a has power a², summed over all frequencies.
        """
        hann = np.hanning(self.window + 1)[:-1]
        place = first[:, None] + np.arange(self.window)
        heard = (place >= 0) & (place < len(samples))
        windows = samples[np.where(heard, place, 0)] * heard * hann
        spectrum = np.abs(np.fft.rfft(windows)) ** 2
        spectrum *= 4 / (self.window * (hann**2).sum())
        return spectrum @ _filters(self.rate_hz, self.window, self.mels).T


@cache
def _filters(rate_hz: int, window: int, mels: int) -> NDArray[np.float64]:
    return mel_filters(rate_hz, window, mels)
