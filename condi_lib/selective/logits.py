"""What a network said of the clips of one video, in one piece of memory.

A tensor for each clip would be small, but thousands of small ones between the large and short-lived
tensors of a network keep the memory of the latter from being given back.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class LogitsByClip:
    """Class logits of some clips of a video, by the clip's number.

    Attributes:
        clips: The clips that are known.
    """

    def __init__(self, n_classes: int) -> None:
        self.clips: set[int] = set()
        self._logits = torch.zeros(16, n_classes)

    def __len__(self) -> int:
        return len(self.clips)

    def __contains__(self, clip: int) -> bool:
        return clip in self.clips

    def put(self, clips: Sequence[int], logits: Tensor) -> None:
        """Note the logits ``[b, C]`` of some clips."""
        n_clips, room = max(clips) + 1, len(self._logits)
        if n_clips > room:
            more = torch.zeros(max(n_clips, 2 * room) - room, self._logits.shape[1])
            self._logits = torch.cat([self._logits, more])
        self._logits[list(clips)] = logits
        self.clips.update(clips)

    def of(self, clips: Sequence[int]) -> Tensor:
        """Return the logits of some clips, ``[b, C]``; 0 of those that are not known."""
        found = torch.zeros(len(clips), self._logits.shape[1])
        known = [place for place, clip in enumerate(clips) if clip in self.clips]
        found[known] = self._logits[[clips[place] for place in known]]
        return found
