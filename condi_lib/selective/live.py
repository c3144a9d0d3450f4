"""Selective inference on frames as they come: the best clips so far, and the answer so far."""

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from condi_lib.selective.decoding import Facts, VideoSource
from condi_lib.selective.open_video import OpenVideo
from condi_lib.selective.pipeline import Pipeline
from condi_lib.selective.prediction import Prediction
from condi_lib.videos.clip_cutter import ClipCutter
from condi_lib.videos.clip_stream import HandedFrames


class LiveSession:
    """One video without a known end; made by :meth:`SelectiveClassifier.live`.

    The student sees every clip as soon as a batch of them is complete; pixels are kept of the best
    clips only. The teacher runs when an answer is asked for, on clips that it has not seen yet.

    Example:
        >>> session = classifier.live()  # doctest: +SKIP
        >>> for frame in camera:  # doctest: +SKIP
        ...     session.add(frame)
        >>> session.prediction().label  # doctest: +SKIP
        'clap'
    """

    def __init__(
        self,
        pipeline: Pipeline,
        source: VideoSource,
        conclude: Callable[[OpenVideo, Facts], Prediction],
    ) -> None:
        self._pipeline, self._source, self._conclude = pipeline, source, conclude
        self._frames = HandedFrames(source.size_px, source.resize)
        self._cutter = ClipCutter(source.grid)
        self._video = pipeline.open("live")
        self._started, self._decode_sec = time.perf_counter(), 0.0

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Take the next frame, uint8 RGB ``[H, W, 3]``.

        Raises:
            TypeError: If it is no uint8 array.
            ValueError: If it is not ``[H, W, 3]``, or of another size than the first.
        """
        start = time.perf_counter()
        clip = self._cutter.add(self._frames.pixels(frame))
        self._decode_sec += time.perf_counter() - start
        if clip is not None:
            index, pixels = clip
            self._pipeline.arrive(self._video, index, torch.from_numpy(pixels))
            self._pipeline.work()

    def prediction(self) -> Prediction:
        """Return the answer so far, from complete clips.

        Raises:
            ValueError: If no clip is complete yet.
        """
        if not self._video.arrived:
            need = self._source.grid.clip_frames
            raise ValueError(
                f"{self._frames.n_frames} frames so far; an answer needs a clip of {need}"
            )
        self._pipeline.work(flush=True)
        self._pipeline.settle(self._video)
        facts = Facts(
            n_clips=self._video.n_clips,
            n_frames=self._frames.n_frames,
            started=self._started,
            decode_sec=self._decode_sec,
        )
        return self._conclude(self._video, facts)
