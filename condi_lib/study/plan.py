"""What a study has to compute, as jobs with needs: the nodes of the workflow's graph."""

import json
import re
import shlex
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from condi_lib import paths
from condi_lib.study.chapters import chapter_notebooks, code_hash, notebook_hash
from condi_lib.study.config import StudySpec
from condi_lib.study.ensure import is_done
from condi_lib.study.params import params_path, read_study
from condi_lib.study.specs import KINDS, Spec, describe, digest, run_name


@dataclass(frozen=True)
class Job:
    """One process of a study.

    Attributes:
        name: What it is called, also on the command line: ``condi_sr-seed0``.
        stamp: File by which the workflow engine knows that it is done.
        needs: Stamps of the jobs that come first.
        log: Where its output goes.
        threads: How many cores it uses.
        weight: About how long it takes beside the others (seconds on two cores, embedded study).
        spec: The run to compute, or
        notebook: the chapter to execute, and
        output: the executed notebook.
    """

    name: str
    stamp: Path
    log: Path
    needs: tuple[Path, ...] = ()
    threads: int = 1
    weight: float = 1.0
    spec: Spec | None = field(default=None, repr=False)
    notebook: Path | None = None
    output: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do; a run tells by itself, also one of another study."""
        if self.spec is not None:
            return is_done(self.spec)
        return self.stamp.exists() and self.output.exists()

    def mark(self) -> None:
        """Let the stamp say what is true."""
        if not self.is_done:
            self.stamp.unlink(missing_ok=True)
        elif not self.stamp.exists():
            self.stamp.parent.mkdir(parents=True, exist_ok=True)
            self.stamp.touch()

    def command(self, source: str) -> list[str]:
        """The command that runs this job, in whatever folder."""
        study = params_path(source) if source.endswith(".yaml") else source
        return [sys.executable, "-m", "condi_lib", "job", str(study), self.name]


def study_folder(name: str) -> Path:
    """Where a study's executed notebooks, logs and workflow state are."""
    return paths.runs_dir() / "studies" / name


def plan(source: str) -> list[Job]:
    """All jobs of a study, each after those that it needs.

    Args:
        source: Name or path of a params file.
    """
    study = read_study(source)
    runs: list[Job] = []
    for fold in study.fold_names:
        tail = f"-{fold.replace(' ', '_')}" if fold else ""
        dataset = _run_job(f"dataset{tail}", study.dataset_of(fold), (), study)
        runs.append(dataset)
        for seed in study.seeds:
            suffix = f"{tail}-seed{seed}"
            needs = (dataset.stamp,)
            teacher = _run_job(f"teacher{suffix}", study.teacher_of(seed, fold), needs, study)
            runs.append(teacher)
            for name in study.losses:
                spec = study.student_of(name, seed, fold)
                runs.append(_run_job(f"{name}{suffix}", spec, (teacher.stamp,), study))
    chapters = chapter_notebooks(study.chapters)
    return runs + [_chapter_job(notebook, study, runs) for notebook in chapters]


_WEIGHTS = {"dataset": 60.0, "teacher": 120.0, "student": 75.0}


def _run_job(name: str, spec: Spec, needs: tuple[Path, ...], study: StudySpec) -> Job:
    kind = KINDS[type(spec)]
    return Job(
        name=name,
        # A stamp of the study's own: the workflow engine deletes outputs before a job and after a
        # failed one, which must touch neither the run nor another study that shares it.
        stamp=study_folder(study.name) / "stamps" / f"{name}-{digest(describe(spec))}",
        log=study_folder(study.name) / "logs" / f"{name}.log",
        needs=needs,
        # The data set is drawn by two processes; the teacher waits for nobody, students run in
        # pairs.
        threads=1 if kind == "student" else 2,
        weight=_WEIGHTS[kind],
        spec=spec,
    )


def _chapter_job(notebook: Path, study: StudySpec, runs: list[Job]) -> Job:
    state = {
        "notebook": notebook_hash(notebook),
        "code": code_hash(),
        "study": asdict(study),
        "runs": sorted(run_name(job.spec) for job in runs if job.spec is not None),
    }
    folder = study_folder(study.name)
    return Job(
        name=notebook.stem,
        stamp=folder / "stamps" / f"{notebook.stem}-{digest(state)}",
        log=folder / "logs" / f"{notebook.stem}.log",
        needs=tuple(job.stamp for job in runs),
        weight=20.0,
        notebook=notebook,
        output=folder / "notebooks" / notebook.name,
    )


def write_plan(jobs: list[Job], source: str, path: Path) -> None:
    """Write the jobs as JSON for the workflow engine, which then need not import the library."""
    rows = [
        {
            "name": re.sub(r"\W", "_", job.name),
            "stamp": str(job.stamp),
            "needs": [str(stamp) for stamp in job.needs],
            "log": str(job.log),
            "threads": job.threads,
            "command": shlex.join(job.command(source)),
        }
        for job in jobs
    ]
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def find_job(source: str, name: str) -> Job:
    """The job called ``name``.

    Raises:
        ValueError: If the study has no such job; lists those it has.
    """
    jobs = {job.name: job for job in plan(source)}
    if name not in jobs:
        raise ValueError(f"study {source!r} has no job {name!r}; it has {sorted(jobs)}")
    return jobs[name]
