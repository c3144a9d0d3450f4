"""What ``predict`` can be asked for. Imports nothing heavy, for ``--help``."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from tyro.conf import arg

Mode = Literal["top-k", "dense", "equidistant", "random", "division", "adaptive"]
Score = Literal["confidence", "student_negative_entropy", "student_max_logit"]

THRESHOLDS = ("threshold", "budget", "target_accuracy")
# What goes with each mode. Anything else would be ignored, and so it is refused.
GOES_WITH: dict[Mode, tuple[str, ...]] = {
    "top-k": ("k_clips", "score", "power"),
    "dense": ("power",),
    "equidistant": ("k_clips", "power"),
    "random": ("k_clips", "power"),
    "division": ("k_clips", "k_student"),
    "adaptive": ("k_clips", "score", "power", *THRESHOLDS),
}


@dataclass(frozen=True)
class NetworkOptions:
    """Which networks, and how they run.

    Attributes:
        teacher: Weights of the teacher. Without --teacher and --student: those of a study.
        student: Weights of the student.
        study: A study that has been computed, by name or path of its params file; the networks of
            its first fold. Default: embedded, which `make study` computes.
        seed: Which of its seeds; also of the draw with --mode random.
        loss: Which of its students. Default: condi_sr.
        device: cpu, cuda or mps; auto is the best there is.
        optimize: First find the quickest safe way to run the networks here, on clips of these
            videos. It takes a while: for many videos.
    """

    teacher: Annotated[str | None, arg(metavar="FILE")] = None
    student: Annotated[str | None, arg(metavar="FILE")] = None
    study: Annotated[str | None, arg(metavar="NAME")] = None
    seed: Annotated[int, arg(metavar="N")] = 0
    loss: Annotated[str | None, arg(metavar="NAME")] = None
    device: str = "auto"
    optimize: bool = False

    def check(self) -> None:
        """Raise a ValueError if options contradict one another."""
        files = [name for name in ("teacher", "student") if getattr(self, name) is not None]
        of_study = [name for name in ("study", "loss") if getattr(self, name) is not None]
        if files and of_study:
            raise ValueError(
                f"{_flags(of_study)} and {_flags(files)}: networks are those of a study or come "
                "from files, not both"
            )
        if files == ["student"]:
            raise ValueError("--student without --teacher: name the teacher's weights as well")

    @property
    def has_files(self) -> bool:
        """Whether networks are given as files."""
        return self.teacher is not None


@dataclass(frozen=True)
class ClipOptions:
    """Which clips the teacher sees.

    Attributes:
        mode: The k best, all, k evenly spread, k drawn at random; k shared with the student
            (division); or one after another until the answer is settled (adaptive).
        k_clips: How many. Default: 5; adaptive: at most so many, default 10.
        k_student: With --mode division: how many of these the student classifies.
        score: By what the student ranks clips. Default: confidence, which is z̃.
        power: Clips count with weight z̃ ** power. Default: 0, all alike; adaptive: 8, or chosen
            together with the threshold.
        threshold: With --mode adaptive: stop when the lead of the best class is so many times the
            weight of what the teacher has not seen. 0: never ask the teacher. 2: until nothing
            that is left could put another class ahead.
        budget: Instead of a threshold: so many teacher clips per video, on average over the
            study's validation videos.
        target_accuracy: Or: the accuracy that is to be reached there, a fraction.
    """

    mode: Mode = "top-k"
    k_clips: Annotated[int | None, arg(metavar="K")] = None
    k_student: Annotated[int | None, arg(metavar="N")] = None
    score: Score | None = None
    power: Annotated[float | None, arg(metavar="P")] = None
    threshold: Annotated[float | None, arg(metavar="T")] = None
    budget: Annotated[float | None, arg(metavar="CLIPS")] = None
    target_accuracy: Annotated[float | None, arg(metavar="A")] = None

    def check(self) -> None:
        """Raise a ValueError if options do not go together."""
        given = self.given("k_clips", "k_student", "score", "power", *THRESHOLDS)
        if strangers := [name for name in given if name not in GOES_WITH[self.mode]]:
            raise ValueError(f"{_flags(strangers)}: not used by --mode {self.mode}; leave it out")
        if self.mode == "division" and self.k_student is None:
            raise ValueError("--mode division: give --k-student, how many the student classifies")
        if self.mode == "adaptive" and len(self.given(*THRESHOLDS)) != 1:
            raise ValueError(f"--mode adaptive: say when to stop by one of {_flags(THRESHOLDS)}")

    def given(self, *names: str) -> dict[str, Any]:
        """Those of these options that were given, with their values."""
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class OutputOptions:
    """What to tell, and where.

    Attributes:
        top: How many of the most probable classes to tell.
        json: One line of JSON per video on stdout, and nothing else there.
        output: File for one line of JSON per video, with or without --json; a jsonl, json, ndjson
            or txt. After Ctrl-C it holds the videos that were finished.
        plot: Draw the prediction over time: a png, pdf or svg. With several videos out.png becomes
            out-NAME.png, with the name of each video.
    """

    top: Annotated[int, arg(metavar="N")] = 5
    json: bool = False
    output: Annotated[str | None, arg(metavar="FILE.jsonl")] = None
    plot: Annotated[str | None, arg(metavar="FILE.png")] = None

    def check(self) -> None:
        """Raise a ValueError if a number is out of range."""
        if self.top < 1:
            raise ValueError(f"--top must be at least 1, got {self.top}")


def _flags(names: Any) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)
