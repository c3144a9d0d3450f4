"""What the networks of a study are shown of a clip, at what cost; what a pantomime sounds like."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.analysis.costs import network_costs
from condi_lib.analysis.results import Sweep
from condi_lib.models.glimpse import glimpse_of
from condi_lib.statistics import Interval, bootstrap_difference
from condi_lib.study.config import TEACHER
from condi_lib.study.specs import DatasetSpec, NetworkSpec
from condi_lib.study.study import Study
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.log_mel import LogMel
from condi_lib.videos.pantomime import starting_phases
from condi_lib.videos.screenplay import CLASSES, ClipTruth, PantomimeSpec, PantomimeSplit, script
from condi_lib.videos.soundtrack import RATE_HZ, soundtrack


def network_table(study: Study) -> pd.DataFrame:
    """What each network sees or hears of a clip, and what that costs it; nothing is computed.

    Returns:
        Indexed by network, the teacher first: ``shown`` (in words), ``parameters``, ``mmacs``
        (millions of multiply-accumulates of a clip).
    """
    spec = study.spec
    networks = {TEACHER: spec.teacher}
    networks |= {name: loss.student or spec.student for name, loss in spec.losses.items()}
    costs = network_costs(study)
    shown = {
        name: _shown(network, spec.dataset, network.preprocess_or(spec.preprocess).crop_px)
        for name, network in networks.items()
    }
    columns = {"shown": shown, "parameters": costs["parameters"], "mmacs": costs["macs"] / 1e6}
    return pd.DataFrame(columns, index=costs.index)


def _shown(network: NetworkSpec, dataset: DatasetSpec, crop_px: int) -> str:
    if network.sound is not None:
        return f"sound, {network.sound.mels} mel bands x {network.sound.steps} steps"
    glimpse = glimpse_of(network.options)
    n_frames = -(-dataset.sampled_frames // glimpse.every)
    px = f"{crop_px // glimpse.pool} px"
    if glimpse.view == "motion":
        n_frames -= 1
    kind = "frame" if glimpse.view == "pixels" else "change"
    if glimpse.single_frames:
        return f"{glimpse.single_frames} of {n_frames} {kind}s of {px}, each alone"
    return f"{n_frames} {kind}{'' if n_frames == 1 else 's'} of {px}"


def accuracy_between(
    ours: Sweep, method: str, k: int, theirs: Sweep, other: str, other_k: int
) -> Interval:
    """Video accuracy of a method in one sweep minus that of another in another one.

    Both must be of the same videos in the same order and of the same seeds, as are studies that
    cut videos differently; differences are paired by video.
    """
    a = ours.correct[method][:, :, ours.k_clips.index(k)]
    b = theirs.correct[other][:, :, theirs.k_clips.index(other_k)]
    return bootstrap_difference(a, b)


def sounds_of_actions(spec: PantomimeSpec, look: LogMel) -> dict[str, NDArray[np.uint8]]:
    """The patch of a clip of every action, performed in full at its natural tempo.

    Args:
        spec: Whose clip length and rate; its videos need not exist.
        look: How sound becomes patches; of the pantomime's own rate.

    Returns:
        By class, uint8 ``[mels, steps]``.
    """
    look = replace(look, rate_hz=RATE_HZ)
    scene = replace(spec, splits={"scene": PantomimeSplit(len(CLASSES), n_clips=1)})
    grid, frame_sec = ClipGrid(spec.clip_frames), np.arange(spec.clip_frames) / spec.fps
    patches = {}
    for index, action in enumerate(CLASSES):
        video = script(scene, "scene", index)
        video = replace(video, clips=(ClipTruth("key", action, 1.0, 1.0),))
        track = soundtrack(video, scene, starting_phases(video))
        patches[action] = look.patches(track, look.patch_times(grid, frame_sec, 0)[None])[0]
    return patches
