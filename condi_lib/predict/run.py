"""Go through the videos: load the networks once, tell each result as soon as it is there."""

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tqdm import tqdm

from condi_lib.predict.files import LINES, PICTURES, LineFile, check_target, picture_paths
from condi_lib.predict.models import load_classifier
from condi_lib.predict.options import ClipOptions, NetworkOptions, OutputOptions
from condi_lib.predict.report import error_line, json_line, report, save_timeline
from condi_lib.selective import Prediction, SelectiveClassifier
from condi_lib.videos.decode import VideoError

FINE, SOME_FAILED, MISTAKE, STOPPED = 0, 1, 2, 130


def run_predict(
    videos: Sequence[str], networks: NetworkOptions, clips: ClipOptions, output: OutputOptions
) -> int:
    """Do what the command does, and return its exit status.

    0: every video has a prediction. 1: some have not; what is wrong with them is on stderr, and
    in the JSON under ``error``. 2: not one was looked at, since options do not go together,
    networks are missing or a file of weights is none. 130: stopped by Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):  # file names may be no Unicode
        stream.reconfigure(errors="backslashreplace")
    try:
        try:
            check_output(videos, output)
            classifier = load_classifier(networks, clips, videos)
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return MISTAKE
        return predict_all(classifier, videos, output)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # whoever reads stdout has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or closing it complains
        return SOME_FAILED


def check_output(videos: Sequence[str], output: OutputOptions) -> None:
    """Raise an error now if something could not be written later.

    Raises:
        ValueError: If there is no video, an option is out of range or a name is no file's.
        FileNotFoundError: If a folder to write to does not exist.
    """
    output.check()
    if not videos:
        raise ValueError("name one or more video files")
    if output.output is not None:
        check_target(Path(output.output), LINES)
    if output.plot is not None:
        for path in picture_paths(Path(output.plot), videos):
            check_target(path, PICTURES)


def predict_all(
    classifier: SelectiveClassifier, videos: Sequence[str], output: OutputOptions
) -> int:
    """Predict videos one after another and tell each; a bad one does not stop the others.

    Returns:
        1 if there was a bad one, else 0.
    """
    pictures: Sequence[Path | None] = [None] * len(videos)
    if output.plot is not None:
        pictures = picture_paths(Path(output.plot), videos)
    failed = 0
    with _lines(output) as file, _bar(len(videos)) as bar:
        results = classifier.predict_many(videos)
        for video, picture, result in zip(videos, pictures, results, strict=True):
            line = _tell(video, result, output)
            if file is not None:
                file.write(line)
            if isinstance(result, VideoError):
                failed += 1
            elif picture is not None:
                failed += not _draw(result, picture)
            bar.update()
    return SOME_FAILED if failed else FINE


def _draw(prediction: Prediction, picture: Path) -> bool:
    """Draw a prediction; say so, and return False, if its file cannot be read any more."""
    try:
        save_timeline(prediction, Path(prediction.video), picture)
    except VideoError as error:
        tqdm.write(f"error: {error}", file=sys.stderr)
        return False
    return True


def _tell(video: str, result: Prediction | VideoError, output: OutputOptions) -> str:
    """Print a result at once, and return it as a line of JSON."""
    is_bad = isinstance(result, VideoError)
    line = error_line(video, result) if is_bad else json_line(result, output.top)
    if is_bad:
        tqdm.write(f"error: {result}", file=sys.stderr)
    if output.json or not is_bad:
        tqdm.write(line if output.json else f"{report(result, output.top)}\n", file=sys.stdout)
        sys.stdout.flush()
    return line


def _lines(output: OutputOptions) -> AbstractContextManager[LineFile | None]:
    return nullcontext() if output.output is None else LineFile(Path(output.output))


def _bar(n_videos: int) -> tqdm:
    """A progress bar on stderr, where there is somebody to watch it and something to wait for."""
    hidden = n_videos == 1 or not sys.stderr.isatty()
    return tqdm(total=n_videos, unit="video", disable=hidden, file=sys.stderr, dynamic_ncols=True)
