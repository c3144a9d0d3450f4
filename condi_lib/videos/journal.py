"""The journal of a scan: what was found in each file, line by line, so that a kill costs little.

One JSON list a line: video id, size in bytes and time of change of the file, then what it holds or
why it cannot be used. A line counts as long as the file is as it was. What follows a line that a
kill cut off, or that a crash of the machine spoilt, is written anew.
"""

import json
import os
from pathlib import Path

import av

from condi_lib.videos.closing import ClosesOnExit
from condi_lib.videos.container import UNREADABLE
from condi_lib.videos.decode import VideoError, VideoInfo

Stamp = tuple[int, int]  # bytes and nanoseconds of the file's last change
Finding = VideoInfo | VideoError
_VERSION = 1
_FIELDS = ("n_frames", "width_px", "height_px", "fps", "duration_sec", "codec")


def stamp_of(path: Path) -> Stamp | None:
    """Size and time of change by which a file is known again; None if it is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116 - path may be a plain text
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


class Journal(ClosesOnExit):
    """Findings of earlier, unfinished scans, and a file to which new ones are appended.

    A context manager, which closes the file. One process at a time may use a journal.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, every_frame: bool) -> None:
        """Read the journal if there is one, and open it for more.

        Args:
            path: The file; made if missing, and anew if its scan looked less closely or had
                another version of the decoder.
            every_frame: Whether this scan decodes every frame.
        """
        self.path = path
        self._known: dict[str, list] = {}
        # Another decoder may read what this one cannot.
        about = {"version": _VERSION, "decoder": av.__version__, "every_frame": every_frame}
        header = json.dumps(about)
        length = self._read(header)
        self._file = path.open("r+" if length else "w", buffering=1, encoding="utf-8")
        self._file.truncate(length)
        self._file.seek(length)
        if not length:
            self._file.write(header + "\n")

    def __len__(self) -> int:
        return len(self._known)

    def _read(self, header: str) -> int:
        """Take over earlier findings; return how many bytes of the file are sound lines."""
        if not self.path.exists():
            return 0
        length = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n") or (number == 0 and line.strip() != header.encode()):
                    break
                if number and not self._take_over(line):
                    break
                length += len(line)
        return length

    def _take_over(self, line: bytes) -> bool:
        """Remember a line's finding; False if it is none."""
        try:
            video_id, n_bytes, changed_ns, values = json.loads(line)
        except (TypeError, ValueError):  # no JSON, no UTF-8, no list of four
            return False
        self._known[video_id] = [n_bytes, changed_ns, values]
        return True

    def stamp(self, video_id: str) -> Stamp | None:
        """Size and time of change of the file of which a finding is known."""
        found = self._known.get(video_id)
        return None if found is None else (found[0], found[1])

    def recall(self, video_id: str, path: Path) -> Finding:
        """The finding itself; call it only if ``stamp`` agrees with the file."""
        values = self._known[video_id][2]
        if len(values) == len(_FIELDS):
            return VideoInfo(path, *values)
        return VideoError(path, *values)

    def add(self, video_id: str, stamp: Stamp | None, finding: Finding) -> None:
        """Keep a finding, unless it may change while the file does not.

        A file that is not there may come, and one that could not be read may become readable.
        """
        if stamp is None:
            return
        if isinstance(finding, VideoError):
            if finding.cause.startswith(UNREADABLE):
                return
            values = [finding.cause, finding.advice]
        else:
            values = [getattr(finding, name) for name in _FIELDS]
        self._file.write(json.dumps([video_id, *stamp, values]) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
