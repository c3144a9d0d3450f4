"""Find the networks that ``predict`` is to use, and how clips are shared between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import torch
from torch import Tensor

from condi_lib.evaluation import choose_adaptive
from condi_lib.predict.options import ClipOptions, NetworkOptions
from condi_lib.sampling import Adaptive, Divided, Policy, Selected
from condi_lib.selective import SelectiveClassifier
from condi_lib.study import Study, open_study
from condi_lib.study.ensure import is_done
from condi_lib.study.specs import StudentSpec, TeacherSpec, run_folder
from condi_lib.study.study import RunStore
from condi_lib.training import WEIGHTS

EMBEDDED, LOSS = "embedded", "condi_sr"
K_CLIPS = 5
EXAMPLE_CLIPS = 64  # on which quicker modes must agree with the original


def load_classifier(
    networks: NetworkOptions, clips: ClipOptions, videos: Sequence[str]
) -> SelectiveClassifier:
    """Load what was asked for; ``videos`` are looked at only to find quicker modes.

    Raises:
        ValueError: As :func:`find_networks`, :func:`find_policy` and ``SelectiveClassifier.load``.
        FileNotFoundError: If a file of weights is missing.
    """
    found = find_networks(networks)
    policy = find_policy(clips, found)
    student = found.student if policy.needs_student else None
    classifier = SelectiveClassifier.load(
        found.teacher, student, policy, device=networks.device, seed=found.seed
    )
    if networks.optimize:
        classifier.optimize(_example_clips(classifier, videos))
    classifier.warm_up()
    return classifier


def _example_clips(classifier: SelectiveClassifier, videos: Sequence[str]) -> Tensor:
    """The first clips that can be read, uint8 ``[n, T, H, W, 3]``."""
    events = chain.from_iterable(classifier.source.events(0, video, None) for video in videos)
    seen = (event.pixels for event in events if event.pixels is not None)
    clips = list(islice(seen, EXAMPLE_CLIPS))
    if not clips:
        raise ValueError("--optimize: not one clip of these videos can be read")
    return torch.stack(clips)


@dataclass(frozen=True)
class Found:
    """Weights of a teacher and of a student, and the study that they are of.

    Attributes:
        teacher: File of weights.
        student: The same; None where only a teacher was given.
        study: None where the weights were given as files.
        seed: Which of the study's seeds; also of random draws.
        loss: Which of its students.
    """

    teacher: Path
    student: Path | None
    study: Study | None = None
    seed: int = 0
    loss: str = LOSS


def find_networks(options: NetworkOptions) -> Found:
    """Find the weights that were asked for. Nothing is computed, however little is missing.

    Raises:
        ValueError: If options contradict one another, the study has no such seed or student, or
            it has not been computed.
        FileNotFoundError: If there is no such study.
    """
    options.check()
    if options.has_files:
        student = None if options.student is None else Path(options.student)
        return Found(Path(options.teacher), student, seed=options.seed)
    name = EMBEDDED if options.study is None else options.study
    loss = LOSS if options.loss is None else options.loss
    study = open_study(name)
    _check_is_there(study, name, options.seed, loss)
    fold = study.spec.fold_names[0]
    teacher = _weights_of(study.spec.teacher_of(options.seed, fold), name)
    student = _weights_of(study.spec.student_of(loss, options.seed, fold), name)
    return Found(teacher, student, study, options.seed, loss)


def _check_is_there(study: Study, name: str, seed: int, loss: str) -> None:
    if not isinstance(study.store, RunStore):
        raise ValueError(f"--study {name}: it has tables but no networks; name another study")
    if seed not in study.seeds:
        raise ValueError(f"--seed {seed}: the study {name} has the seeds {list(study.seeds)}")
    if loss not in study.students:
        raise ValueError(f"--loss {loss}: the study {name} has the students {list(study.students)}")


def _weights_of(spec: TeacherSpec | StudentSpec, name: str) -> Path:
    if not is_done(spec):
        command = "make study" if name == EMBEDDED else f"python -m condi_lib study {name}"
        raise ValueError(
            f"the networks of the study {name} have not been computed; run `{command}`, or give "
            "--teacher and --student"
        )
    return run_folder(spec) / WEIGHTS


def find_policy(options: ClipOptions, found: Found) -> Policy:
    """Make the policy that was asked for; an aim is reached on the study's validation videos.

    Raises:
        ValueError: If options do not go together, a number is out of range or an aim out of reach,
            or there is no student, or no study, where one is needed.
    """
    options.check()
    aim = options.given("budget", "target_accuracy")
    policy = _chosen(options, aim, found) if aim else _policy(options)
    if policy.needs_student and found.student is None:
        raise ValueError(
            f"--mode {options.mode}: needs a student; give --student, or take --mode dense"
        )
    return policy


def _policy(options: ClipOptions) -> Policy:
    k_clips = K_CLIPS if options.k_clips is None else options.k_clips
    sampler, power = options.score or "confidence", options.given("power")
    match options.mode:
        case "dense":
            return Selected("dense", None, **power)
        case "division":
            return Divided(k_clips, options.k_student)
        case "adaptive":
            return Adaptive(options.threshold, sampler=sampler, **_most(options), **power)
        case "equidistant" | "random":
            return Selected(options.mode, k_clips, **power)
    return Selected(sampler, k_clips, **power)


def _most(options: ClipOptions) -> dict[str, int]:
    return {} if options.k_clips is None else {"max_clips": options.k_clips}


def _chosen(options: ClipOptions, aim: dict[str, float], found: Found) -> Adaptive:
    """Choose a threshold, and the power if none is given."""
    study = found.study
    if study is None:
        flag = next(iter(aim)).replace("_", "-")
        raise ValueError(
            f"--{flag}: is reached on a study's validation videos, but networks from files come "
            "without a study; give --threshold"
        )
    split = study.spec.student.val_split
    if not split:
        raise ValueError(f"the study {study.name} has no validation videos; give --threshold")
    table = study.table(found.loss, found.seed, split, study.spec.fold_names[0])
    how = {"sampler": options.score or "confidence", **_most(options), **aim}
    if options.power is not None:
        how["powers"] = (options.power,)
    return choose_adaptive(table, **how)
