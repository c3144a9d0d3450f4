"""Pictures of sound: patches of log-mel spectrograms, low bands at the bottom."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

COLOURS = "cividis"  # the same to colour-blind eyes
MARKED_HZ = (200, 1000, 4000)


def sound_sheet(
    axes: Sequence[Axes],
    patches: Mapping[str, NDArray[np.uint8]],
    clip_sec: float,
    peaks_hz: NDArray[np.float64],
) -> Sequence[Axes]:
    """Draw one panel per patch, its name above it.

    Args:
        axes: At least as many as patches; others are emptied.
        patches: By name, uint8 ``[mels, steps]``, row 0 the lowest band.
        clip_sec: What a patch spans, in seconds.
        peaks_hz: The frequency in the middle of each band, ``[mels]``.

    Returns:
        The same ``axes``.
    """
    bands = np.arange(len(peaks_hz))
    ticks = [float(np.interp(hz, peaks_hz, bands)) for hz in MARKED_HZ if hz <= peaks_hz[-1]]
    for ax, (name, patch) in zip(axes, patches.items(), strict=False):
        extent = (0, clip_sec, -0.5, len(peaks_hz) - 0.5)
        ax.imshow(
            patch, origin="lower", aspect="auto", extent=extent, cmap=COLOURS, vmin=0, vmax=255
        )
        ax.set_title(name.replace("_", " "), fontsize=9)
        ax.set_yticks(ticks, [f"{hz:g}" for hz in MARKED_HZ[: len(ticks)]])
        ax.grid(False)
    for ax in axes[len(patches) :]:
        ax.set_axis_off()
    return axes
