"""Which clips an epoch shows, in which order: decided by seed and epoch alone."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from condi_lib.losses import Objective, down_sample_majority
from condi_lib.training.settings import TrainingData, TrainingSettings


class ClipOrder:
    """The training clips of each epoch, shuffled.

    Args:
        data: Clips to train on.
        objective: Whether as many right as wrong clips of the teacher are to be shown, and how
            many clips of a video at a time.
        settings: Seed, batch size, clips per video.

    Attributes:
        steps_per_epoch: Batches of each epoch.

    Raises:
        ValueError: If the clips do not fill one batch.
    """

    def __init__(self, data: TrainingData, objective: Objective, settings: TrainingSettings):
        self.data, self.settings = data, settings
        self.correct = data.teacher_correct() if objective.down_sample_majority else None
        self.together = objective.clips_together
        n_clips, size = len(self._draw(0)), settings.batch_size
        if n_clips < size:
            balanced = " balanced" if objective.down_sample_majority else ""
            raise ValueError(
                f"{n_clips}{balanced} training clips do not fill one batch of {size}: choose a "
                "smaller batch_size"
            )
        self.steps_per_epoch = n_clips // size

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """Numbers of the clips of one epoch, ``[steps_per_epoch * batch_size]``.

        Where both ``clips_per_video`` and balancing draw, epochs differ by some clips: what they
        are short of the first epoch is shown twice.
        """
        drawn, wanted = self._draw(epoch), self.steps_per_epoch * self.settings.batch_size
        return drawn[:wanted] if len(drawn) >= wanted else np.resize(drawn, wanted)

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        generator = seeded(self.settings.seed, epoch)
        chosen = torch.arange(len(self.data.rows))
        if self.settings.clips_per_video is not None:
            video = self.data.clips.video_of(self.data.rows)
            chosen = some_of_each(video, self.settings.clips_per_video, generator)
        if self.correct is not None:
            chosen = chosen[down_sample_majority(self.correct[chosen], generator)]
        chosen = chosen[torch.randperm(len(chosen), generator=generator)]
        rows = self.data.rows[chosen.numpy()]
        if self.together == 1:
            return rows
        return rows[brought_together(self.data.clips.video_of(rows), self.together, generator)]


def some_of_each(video: NDArray[np.int64], count: int, generator: Generator) -> Tensor:
    """Choose ``count`` random clips of each video, all of those that have fewer.

    Args:
        video: Number of the video of each clip, ``[n]``.
        count: How many to choose.
        generator: Decides which.

    Returns:
        Places in ``video``, ascending.
    """
    order = np.lexsort((torch.rand(len(video), generator=generator).numpy(), video))
    first = np.flatnonzero(np.diff(video[order], prepend=-1))
    counts = np.diff(first, append=len(video))
    place = np.arange(len(video)) - np.repeat(first, counts)  # within its video, at random
    return torch.from_numpy(np.sort(order[place < count]))


def brought_together(video: NDArray[np.int64], count: int, generator: Generator) -> NDArray:
    """Reorder clips so that those of a video stand in groups of ``count``, the last may be smaller.

    Args:
        video: Number of the video of each clip, ``[n]``; which clips make a group is decided by
            their order.
        count: Clips of a group.
        generator: Decides the order of the groups.

    Returns:
        Places in ``video``, int64 ``[n]``.
    """
    by_video = np.argsort(video, kind="stable")
    first = np.flatnonzero(np.diff(video[by_video], prepend=-1))
    counts = np.diff(first, append=len(video))
    place = np.arange(len(video)) - np.repeat(first, counts)  # within its video
    group = np.cumsum(place % count == 0) - 1
    turn = torch.randperm(int(group[-1]) + 1, generator=generator).numpy()
    return by_video[np.argsort(turn[group], kind="stable")]


def seeded(*key: int) -> Generator:
    """A generator of its own for each (seed, epoch[, step])."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return Generator().manual_seed(int(state >> 1))
