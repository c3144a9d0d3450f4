"""The command line: ``python -m condi_lib study embedded``."""

import signal
import sys
from typing import Annotated

import tyro
from tyro.conf import Positional, arg


def study(
    name: Positional[str],
    cores: int = 2,
    fresh: bool = False,
    profile: Annotated[str | None, arg(metavar="FOLDER")] = None,
) -> None:
    """Compute what is missing of a study: videos, networks, clip tables, chapters, figures.

    Args:
        name: A params file in notebooks/params, by name, or the path of another one.
        cores: Cores to use.
        fresh: Forget earlier results of this study.
        profile: A workflow profile (cluster) instead of this machine's cores.
    """
    from condi_lib.study.orchestrate import run_study

    for sign in (signal.SIGTERM, signal.SIGHUP):  # end as on Ctrl-C, together with all jobs
        signal.signal(sign, signal.default_int_handler)
    run_study(name, cores, fresh, profile)


def job(name: Positional[str], job_name: Positional[str], workers: int = 2) -> None:
    """Run one job of a study (what the workflow calls).

    Args:
        name: A params file.
        job_name: A job, as `python -m condi_lib jobs NAME` lists them.
        workers: Processes that draw or decode videos.
    """
    from condi_lib.study.orchestrate import run_job

    run_job(name, job_name, workers)


def jobs(name: Positional[str]) -> None:
    """List the jobs of a study and which are done.

    Args:
        name: A params file.
    """
    from condi_lib.study.plan import plan

    for each in plan(name):
        print(f"{'done' if each.is_done else 'to do':<6} {each.name}")


def reference(name: Positional[str] = "full") -> None:
    """Export a computed study's clip tables to data/reference, for the committed notebooks.

    Args:
        name: A params file.
    """
    from condi_lib import paths
    from condi_lib.study import export_reference

    export_reference(name, paths.reference_dir())


def main() -> None:
    """Run a command; a known mistake ends in one readable message, not in a traceback."""
    try:
        tyro.extras.subcommand_cli_from_dict(
            {"study": study, "job": job, "jobs": jobs, "reference": reference},
            prog="python -m condi_lib",
        )
    except Exception as error:
        if isinstance(error, _mistakes()):
            sys.exit(f"error: {error}")
        raise
    except KeyboardInterrupt:
        print("\nstopped; what is done is kept, run the same command again to go on")
        sys.exit(128 + signal.SIGINT)


def _mistakes() -> tuple[type[Exception], ...]:
    """Errors whose message says all; imported late, `--help` should not wait for torch."""
    from condi_lib.study.chapters import ChapterError
    from condi_lib.study.orchestrate import StudyError
    from condi_lib.training import TrainingDiverged

    return (ChapterError, OSError, StudyError, TrainingDiverged, ValueError)


if __name__ == "__main__":
    main()
