"""The command line: ``python -m condi_lib study embedded``."""

import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, Positional, Suppress, arg, subcommand

from condi_lib.predict.options import ClipOptions, NetworkOptions, OutputOptions


def study(
    name: Positional[str],
    cores: int = 2,
    fresh: bool = False,
    profile: Annotated[str | None, arg(metavar="FOLDER")] = None,
    job_cores: int = 0,
    gpus: int = 0,
    processes: int = 0,
    students: int = 1,
) -> None:
    """Compute what is missing of a study: videos, networks, clip tables, chapters, figures.

    Args:
        name: A params file in notebooks/params, by name, or the path of another one.
        cores: Cores to use, of this machine.
        fresh: Forget earlier results of this study.
        profile: A workflow profile (cluster) instead of this machine's cores.
        job_cores: Cores of each job, which decode and calculate. 0: two, a student one.
        gpus: GPUs of each training job. On a cluster it asks for them.
        processes: Processes of each training job, by torchrun. 0: one for each GPU.
        students: Students that each job trains, one after another: starting a job takes seconds.
    """
    from condi_lib.study.orchestrate import run_study
    from condi_lib.study.plan import JobSize

    for sign in (signal.SIGTERM, signal.SIGHUP):  # end as on Ctrl-C, together with all jobs
        signal.signal(sign, signal.default_int_handler)
    run_study(name, cores, fresh, profile, JobSize(job_cores, gpus, processes, students))


def job(
    name: Positional[str], job_name: Positional[str], workers: int = 2, students: int = 1
) -> None:
    """Make one data set, teacher or student of a study, or several (what the workflow calls).

    Args:
        name: A params file.
        job_name: A job, as `python -m condi_lib jobs NAME` lists them.
        workers: Processes that draw or decode videos.
        students: Students that each job of the plan trains.
    """
    from condi_lib.study.orchestrate import run_job

    run_job(name, job_name, workers, students)


def chapter(
    notebook: Positional[Path], output: Positional[Path], stamp: Positional[Path], parameters: str
) -> None:
    """Run one chapter of a study (what the workflow calls).

    Args:
        notebook: The notebook.
        output: The executed notebook.
        stamp: File that is made when it is done.
        parameters: What the notebook is given, as JSON.
    """
    from condi_lib.chapters import run_chapter

    run_chapter(notebook, json.loads(parameters), output)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()


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

    Times that are there stay as they are; `times` measures them.

    Args:
        name: A params file.
    """
    from condi_lib import paths
    from condi_lib.analysis import export_reference

    export_reference(name, paths.reference_dir())


def times(name: Positional[str] = "full", method: str = "condi_sr") -> None:
    """Measure what each way of classifying takes per video; writes data/reference/times.csv.

    Some ten minutes on a machine that has nothing else to do.

    Args:
        name: A params file; its runs must be there, or are computed.
        method: The student of workload division and adaptive stopping.
    """
    from condi_lib import paths
    from condi_lib.analysis.times import describe_times, export_times
    from condi_lib.study import open_study

    measured = export_times(open_study(name), paths.reference_dir(), method)
    print(describe_times(measured))


def real_videos(name: Positional[str] = "ut_interaction", method: str = "condi_sr") -> None:
    """Collect a study's main results in data/reference/real_videos.csv: numbers, no videos.

    Args:
        name: A params file of real videos; what is missing is computed.
        method: The student to look into.
    """
    from condi_lib import paths
    from condi_lib.analysis.real_videos import describe, export_real_videos
    from condi_lib.study import open_study

    table = export_real_videos(open_study(name), paths.reference_dir(), method)
    print("\n".join(describe(table)))


def verdicts(name: Positional[str] = "reference", readme: bool = False) -> None:
    """Say of each of the paper's 19 claims whether a study reproduces it, and why.

    Args:
        name: A params file, or "reference".
        readme: Also write the table into README.md, between its two markers.
    """
    from condi_lib import paths
    from condi_lib.claims import readme_table, verdicts_of, write_section
    from condi_lib.study import open_study

    found = verdicts_of(open_study(name))
    table = readme_table(found)
    print(table + "\n\n" + "\n".join(f"{each.claim.number}. {each.reason}" for each in found))
    if readme:
        path = paths.project_root() / "README.md"
        print(f"{path}: {'written' if write_section(path, table) else 'as it was'}")


def data_check(
    where: Positional[str],
    dataset: Annotated[str | None, arg(metavar="NAME")] = None,
    lists: Annotated[str | None, arg(metavar="FOLDER")] = None,
    workers: int = 2,
    every_frame: bool = False,
    clip_frames: Annotated[int | None, arg(metavar="N")] = None,
    strict: bool = False,
    fresh: bool = False,
    output: Annotated[str | None, arg(metavar="CSV")] = None,
) -> None:
    """Look into every file of a data set: what is usable, missing, damaged, there twice.

    Ends with status 1 if a split has no usable video or, with --strict, if there is any problem.
    What was found is kept: a check that was stopped goes on, and one that is repeated looks only
    into files that have changed.

    Args:
        where: A params file, by name or path; or a folder of videos; or the CSV that lists them.
        dataset: The published data set in that folder: ucf101, hmdb51, kinetics or
            something_something_v2. Without it: a folder per class.
        lists: Folder of its official files. Default: the same folder.
        workers: Processes that share the work.
        every_frame: Decode everything, which also finds damage inside files.
        clip_frames: Frames of one clip. Default: as the params file says, or 16.
        strict: Any problem is a failure.
        fresh: Look into all files again.
        output: File to write the list of problems to.
    """
    from condi_lib.study.data_check import check_data, datasets_to_check
    from condi_lib.study.data_report import report_lines

    datasets = datasets_to_check(where, dataset, lists)
    check = check_data(datasets, workers, every_frame, clip_frames, fresh, progress=True)
    print("\n".join(report_lines(check)))
    if output is not None:
        check.problems.to_csv(output, index=False)
        print(f"all of them: {output}")
    if not check.is_usable or (strict and len(check.problems)):
        sys.exit(1)


def data(
    command: OmitArgPrefixes[
        OmitSubcommandPrefixes[
            Annotated[Any, subcommand("check", constructor=data_check)] | Annotated[None, Suppress]
        ]
    ],
) -> None:
    """Look after data sets."""


def check_weights(
    weights: Positional[str],
    videos: Positional[tuple[str, ...]] = (),
    data: Annotated[str | None, arg(metavar="CSV|FOLDER|PARAMS")] = None,
    n_videos: Annotated[int, arg(metavar="N")] = 20,
    classes: Annotated[str | None, arg(metavar="FILE")] = None,
    channel_order: Annotated[str | None, arg(metavar="rgb|bgr")] = None,
    backbone: Annotated[str | None, arg(metavar="NAME")] = None,
    options: Annotated[str | None, arg(metavar="YAML")] = None,
    preprocess: Annotated[str | None, arg(metavar="YAML")] = None,
    max_clips: Annotated[int, arg(metavar="N")] = 10,
    seed: int = 0,
) -> None:
    """Say what a file of weights holds, and what the network says of a handful of videos.

    With labels (--data) it tells the accuracy, also for the other channel order and other orders of
    the classes. Ends with status 1 if accuracy is like chance, or another way of reading the
    weights does clearly better.

    Args:
        weights: Published weights, or those of a run.
        videos: Videos without labels.
        data: Videos with labels: a CSV, a folder per class, or a params file.
        n_videos: How many of them, drawn at random, from the test split if there is one.
        classes: Class names in the order of the outputs, one a line.
        channel_order: Where the weights leave it open, or you know better.
        backbone: Where the file does not tell, such as for a network of your own.
        options: Of the backbone: "{width: 2}".
        preprocess: Instead of the weights' own: "{crop_px: 112, mean: [...], std: [...]}".
        max_clips: At most so many clips of a video, evenly spread.
        seed: Of the draw.
    """
    from pathlib import Path

    import yaml

    from condi_lib.models.weights import load_weights, read_classes
    from condi_lib.study.weights_check import labelled_videos, report, try_weights, warnings_of
    from condi_lib.videos.preprocess import Preprocess

    names = None if classes is None else read_classes(Path(classes))
    wanted = None if options is None else yaml.safe_load(options)
    found = load_weights(weights, backbone, wanted, names, channel_order)
    print(f"{weights}\n{found.describe()}", flush=True)
    labelled = None if data is None else labelled_videos(data, n_videos, seed)
    shown = [*videos, *(() if labelled is None else (r.video_id for r in labelled))]
    if not shown:
        return
    pixels = None if preprocess is None else Preprocess(**yaml.safe_load(preprocess))
    trials = try_weights(found, [Path(each) for each in videos], labelled, pixels, max_clips)
    print("\n" + "\n".join(report(trials, shown)))
    if warnings_of(trials):
        sys.exit(1)


def predict(
    videos: Annotated[Positional[tuple[str, ...]], arg(metavar="VIDEO...")],
    networks: OmitArgPrefixes[NetworkOptions],
    clips: OmitArgPrefixes[ClipOptions],
    output: OmitArgPrefixes[OutputOptions],
) -> None:
    """Classify videos: a student skims them, the teacher sees the clips that are worth it.

    Ends with status 1 if a video could not be classified (the others are), with 2 if nothing was
    begun: options that do not go together, or no networks.

    Args:
        videos: Video files.
    """
    from condi_lib.predict.run import run_predict

    for sign in (signal.SIGTERM, signal.SIGHUP):  # end as on Ctrl-C, with what is finished
        signal.signal(sign, signal.default_int_handler)
    sys.exit(run_predict(videos, networks, clips, output))


def main() -> None:
    """Run a command; a known mistake ends in one readable message, not in a traceback."""
    try:
        tyro.extras.subcommand_cli_from_dict(
            {
                "study": study,
                "predict": predict,
                "data": data,
                "check-weights": check_weights,
                "job": job,
                "chapter": chapter,
                "jobs": jobs,
                "reference": reference,
                "times": times,
                "real-videos": real_videos,
                "verdicts": verdicts,
            },
            prog="python -m condi_lib",
        )
    except Exception as error:
        if isinstance(error, _mistakes()):
            sys.exit(f"error: {error}")
        raise
    except KeyboardInterrupt:
        told = "\nstopped; what is done is kept, run the same command again to go on"
        print(told, file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def _mistakes() -> tuple[type[Exception], ...]:
    """Errors whose message says all; imported late, `--help` should not wait for torch."""
    from condi_lib.chapters import ChapterError
    from condi_lib.study.orchestrate import StudyError
    from condi_lib.training import TrainingDiverged

    return (ChapterError, OSError, StudyError, TrainingDiverged, ValueError)


if __name__ == "__main__":
    main()
