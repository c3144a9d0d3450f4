"""Selective inference: the student skims a video, the teacher sees the clips that are worth it."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from condi_lib.clip_table import DenseView
from condi_lib.distributed import pick_device
from condi_lib.evaluation import random_generator
from condi_lib.sampling import DENSE, Policy, Selected
from condi_lib.selective.answers import Answers
from condi_lib.selective.decoding import Chooser, Facts, Video, VideoSource, events_of
from condi_lib.selective.live import LiveSession
from condi_lib.selective.loading import load_networks
from condi_lib.selective.networks import ClipNetwork, Runner
from condi_lib.selective.open_video import OpenVideo
from condi_lib.selective.pipeline import Pipeline
from condi_lib.selective.prediction import Prediction, Rates, conclude
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import Size, VideoError

UNKNOWN = float("nan")


class SelectiveClassifier:
    """Classifies videos, and shows the teacher only the clips that a policy chooses.

    It answers what ``evaluation.decide`` answers on a clip table of the same networks and videos,
    if both see frames of one size. Smaller ones are averaged down from the larger, which differs
    in rounding and filter from decoding them anew, as for a table of their own.

    Example:
        >>> classifier = SelectiveClassifier.load(  # doctest: +SKIP
        ...     "teacher.safetensors", "student.safetensors", Selected(k_clips=5)
        ... )
        >>> classifier.predict("clap.mp4").top(2)  # doctest: +SKIP
        [('clap', 0.93), ('box', 0.04)]

    Attributes:
        policy: How clips are shared between the networks.
        classes: Class names.
        source: How videos are decoded.
        batch_size: Clips per forward pass.
    """

    def __init__(
        self,
        teacher: ClipNetwork,
        student: ClipNetwork | None,
        policy: Policy,
        classes: Sequence[str],
        grid: ClipGrid,
        size_px: Size,
        resize: str = "stretch",
        batch_size: int = 8,
        device: str = "auto",
        decoders: int = 1,
        workers: int | None = None,
        seed: int = 0,
    ) -> None:
        """Put two networks together.

        Args:
            teacher: Classifies chosen clips.
            student: Skims; None for policies that need none.
            policy: How clips are shared between them.
            classes: Class names, in the order of both networks' outputs.
            grid: How videos are cut into clips.
            size_px: Height and width to which frames are decoded, once, for both networks.
            resize: How they come to that size: see ``VideoReader``.
            batch_size: Clips per forward pass of either network.
            device: As in :func:`condi_lib.distributed.pick_device`.
            decoders: Threads that decode, a video at a time each; 0 decodes between batches.
            workers: Threads that share a batch on a processor, with one core each; None: as many
                as torch may use.
            seed: Of random policies; the draw depends on it and on the video's place in the list.

        Raises:
            ValueError: If the policy needs a student, or its confidence, and there is none.
        """
        if batch_size < 1 or decoders < 0 or (workers is not None and workers < 1):
            asked = f"{batch_size}, {decoders} and {workers}"
            raise ValueError(f"need batch_size >= 1, decoders >= 0, workers >= 1, got {asked}")
        if seed < 0:
            raise ValueError(f"seed must be at least 0, got {seed}")
        self.policy, self.classes = policy, tuple(classes)
        self.source = VideoSource(grid, size_px, resize)
        self.batch_size, self.decoders, self.seed = batch_size, decoders, seed
        self.device = pick_device(device)
        workers = torch.get_num_threads() if workers is None else workers
        self._teacher = teacher.on(self.device, len(classes), workers)
        self._student = None if student is None else student.on(self.device, len(classes), workers)
        self._check_student()
        self._gmacs = [self._gmacs_of(runner) for runner in (self._teacher, self._student)]

    @classmethod
    def load(
        cls,
        teacher: str | Path,
        student: str | Path | None = None,
        policy: Policy | None = None,
        classes: Sequence[str] | None = None,
        **settings: int | str,
    ) -> Self:
        """Build it from files of weights that tell how their networks were trained.

        Args:
            teacher: Weights that ``load_weights`` understands: a run's ``weights.safetensors``,
                or a published file.
            student: The same, for the student.
            policy: By default the 5 clips of highest confidence; without a student all clips.
            classes: Class of each output of the teacher, where its file does not know.
            **settings: ``batch_size``, ``device``, ``decoders``, ``workers``, ``seed``.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is no weights or would run code, it is not known how its network
                was trained, or the two do not fit together; says which and what to do.
        """
        networks = load_networks(Path(teacher), None if student is None else Path(student), classes)
        if policy is None:
            policy = DENSE if student is None else Selected()
        return cls(policy=policy, **vars(networks), **settings)

    def with_policy(self, policy: Policy) -> Self:
        """Return a classifier of the same networks, not copied, that shares clips otherwise.

        Raises:
            ValueError: If the policy needs a student, or its confidence, and there is none.
        """
        other = copy.copy(self)
        other.policy = policy
        other._check_student()
        return other

    @property
    def clips_in_memory(self) -> int:
        """The most decoded clips that are held at once, whatever the length of the videos.

        A batch in the decoder's queue and one clip in each decoder's hands, a batch for each
        network, and the clips that each video keeps for the teacher. Of videos that wait for the
        teacher there is at most a batch; what they wait with is what the policy may still look at.
        """
        most = self.policy.most_clips or 1
        waiting = self.batch_size if self.policy.stops_early else 1
        return 3 * self.batch_size + 2 * self.decoders + most * (waiting + max(1, self.decoders))

    def predict(self, video: Video) -> Prediction:
        """Classify one video.

        Args:
            video: A file; or an iterable of frames, uint8 RGB ``[H, W, 3]``.

        Raises:
            VideoError: If the file cannot be used; names it and the cause.
            TypeError: If a frame is no uint8 array.
            ValueError: If frames are not of one size, or a policy that chooses clips by their
                place is not told how many frames there are.
        """
        (answer,) = self.predict_many([video])
        if isinstance(answer, VideoError):
            raise answer
        return answer

    def predict_many(self, videos: Iterable[Video]) -> Iterator[Prediction | VideoError]:
        """Classify many videos, with batches that are filled across them.

        Args:
            videos: Files or iterables of frames; read as they are needed.

        Yields:
            For each video, in order, its prediction, or the error that says why there is none.

        Raises:
            ValueError: As :meth:`predict`, for what is no fault of a file.
            TypeError: If that is one file instead of a list.
        """
        if isinstance(videos, str | Path):  # whose letters would be taken for files
            raise TypeError(f"need a list of videos, got {str(videos)!r}; see predict() for one")
        answers = Answers(self._pipeline(), self._conclude)
        events = events_of(
            answers.of(videos), self.source, self._chooser, self.batch_size, self.decoders
        )
        with closing(events):
            for event in events:
                answers.take(event)
                yield from answers.in_order()
        answers.flush()
        yield from answers.in_order()

    def live(self) -> LiveSession:
        """Return a session that takes frames as they come and keeps the best clips so far.

        Raises:
            ValueError: If the policy chooses clips by their place in the whole video.
        """
        if self.policy.ranking is None and self.policy.most_clips is not None:
            raise ValueError(
                f"'{self.policy}' chooses by place in a video whose end is not known yet; take a "
                "policy that ranks clips, or dense"
            )
        return LiveSession(self._pipeline(), self.source, self._conclude)

    def optimize(self, clips: Tensor, compiled: bool = False) -> None:
        """Put both networks into the quickest mode whose answers agree; see ``models.optimize``.

        Args:
            clips: Example clips as decoded, uint8 RGB ``[n, T, H, W, 3]``: real ones, a hundred.
            compiled: Whether to try ``torch.compile``, which takes a minute or so. On a processor
                dividing batches between threads, which compiled code does not allow, is often as
                quick.
        """
        self._teacher = self._teacher.optimize(clips, self.batch_size, compiled)
        if self._student is not None:
            self._student = self._student.optimize(clips, self.batch_size, compiled)

    def modes(self) -> list[str]:
        """Return how each network runs, in words."""
        runners = {"teacher": self._teacher, "student": self._student}
        return [f"{name}: {runner.mode}" for name, runner in runners.items() if runner is not None]

    def warm_up(self) -> None:
        """Run both networks once, so that the times of the first video are not those of a start."""
        shape = (self.source.grid.sampled_frames, self.source.size_px)
        for runner in filter(None, (self._teacher, self._student)):
            runner.warm_up(*shape)

    def rates(self) -> Rates:
        """Return what a clip costs each network, as measured so far."""
        return Rates(*self._gmacs, self._teacher.sec_per_clip)

    def _pipeline(self) -> Pipeline:
        return Pipeline(self._teacher, self._student, self.policy, self.batch_size)

    def _chooser(self, number: int) -> Chooser | None:
        """What chooses the clips of a video before it is decoded, if that is possible."""
        if self.policy.ranking is not None or self.policy.most_clips is None:
            return None

        def choose(n_clips: int) -> list[int]:
            mask = torch.ones(1, n_clips, dtype=torch.bool)
            view = DenseView([""], torch.zeros(1, dtype=torch.int64), mask)
            queue = self.policy.queue(view, random_generator(self.seed, 0, number))[0]
            return (queue < n_clips).nonzero().flatten().tolist()

        return choose

    def _conclude(self, video: OpenVideo, facts: Facts) -> Prediction:
        return conclude(video, facts, self.classes, self.source.grid.clip_frames, self.rates())

    def _check_student(self) -> None:
        if not self.policy.needs_student:
            return
        if self._student is None:
            raise ValueError(f"'{self.policy}' needs a student; give one, or take another policy")
        shape = (self.source.grid.sampled_frames, self.source.size_px)
        if self.policy.needs_confidence and not self._student.has_confidence(*shape):
            raise ValueError(
                f"'{self.policy}' needs a student with a confidence head (a StudentOutput); this "
                "one has none: rank by 'student_negative_entropy' with power 0, or give another"
            )

    def _gmacs_of(self, runner: Runner | None) -> float:
        if runner is None:
            return 0.0
        try:
            return runner.macs(self.source.grid.sampled_frames, self.source.size_px) / 1e9
        except (NotImplementedError, RuntimeError):  # a network that cannot be looked into
            return UNKNOWN
