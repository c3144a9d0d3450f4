"""What the chapter draws beside the explorer, for readers without a kernel: the same numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.evaluation import accuracy_rows as rows_with_intervals
from condi_lib.explore.desk import Desk
from condi_lib.explore.pictures import UNREADABLE
from condi_lib.explore.setting import METHOD_OF
from condi_lib.explore.split import SplitAnswers

GREY = 200  # of a picture that cannot be had


def thumbnails_of(desk: Desk, video: int) -> NDArray[np.uint8]:
    """Return the middle frame of each clip of a video, ``[N, H, W, 3]``; grey if unreadable."""
    first, last = desk.split.table.first_rows[video : video + 2]
    starts = desk.split.table.clips["start_frame"].iloc[first:last].tolist()
    frames = [_frame(desk, desk.split.view.video_id[video], start) for start in starts]
    shape = next((frame.shape for frame in frames if frame is not None), (96, 96, 3))
    lost = np.full(shape, GREY, np.uint8)
    return np.stack([lost if frame is None else frame for frame in frames])


def _frame(desk: Desk, video_id: str, start: int) -> NDArray[np.uint8] | None:
    if desk.pictures is None:
        return None
    try:
        return desk.pictures.frames(video_id, start)[0]
    except UNREADABLE:
        return None


def accuracy_rows(split: SplitAnswers, samplers: Sequence[str]) -> pd.DataFrame:
    """Return rows for ``plotting.accuracy_over_k``: samplers' accuracies at every K.

    Samplers bear the names of the methods whose colours they have; intervals are over videos.
    """
    correct = {METHOD_OF.get(name, name): split.sweep(name).right for name in samplers}
    return rows_with_intervals(correct, range(1, split.longest + 1))
