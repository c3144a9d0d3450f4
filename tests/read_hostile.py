"""Read files named on standard input, a line of JSON each, and answer each by a line.

Tests start it: whoever asks outlives what kills or blocks this process.
"""

import json
import resource
import sys
import time
import zlib
from pathlib import Path

from condi_lib.videos.clip_stream import ClipStream
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.container import VideoError
from condi_lib.videos.decode import VideoReader, check_every_frame, probe

SIZE, GRID = (24, 40), ClipGrid(8)
ADDRESS_SPACE = 6 * 2**30  # bytes; more than any test may use, so that the machine survives


def by_stream(path: Path) -> dict:
    """Read all clips: their checksums, None if damaged, and the least contrast of a frame."""
    with ClipStream(path, GRID, SIZE) as stream:
        clips = [pixels for _, pixels in stream]
        usable = [pixels for pixels in clips if pixels is not None]
        flat = [float(frame.std()) for clip in usable for frame in clip]
        return {
            "sums": [None if pixels is None else zlib.crc32(pixels) for pixels in clips],
            "contrast": min(flat),
            "stopped": stream.stopped_at_frame,
            "damaged_frames": stream.damaged_frames,
        }


def by_reader(path: Path) -> dict:
    """Read the first clip and a frame behind it."""
    with VideoReader(path, size_px=SIZE, resize="cover") as reader:
        frames = reader.read([0, 1, reader.info.n_frames - 1])
        return {"contrast": float(min(frame.std() for frame in frames))}


WAYS = {
    "stream": by_stream,
    "reader": by_reader,
    "probe": lambda path: {"n_frames": probe(path).n_frames},
    "check": lambda path: {"n_frames": check_every_frame(path).n_frames},
}


def peak_bytes() -> int:
    """Most memory that this process held since the mark was last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


def attempt(path: Path, way: str) -> dict:
    """Read a file one way, and say what came of it, how long it took and how much it held."""
    Path("/proc/self/clear_refs").write_text("5")  # reset the mark
    start = time.process_time()
    try:
        found = WAYS[way](path)
    except VideoError as error:
        named = error.path == path
        found = {"error": error.cause if named else f"names {error.path}", "named": named}
    except Exception as error:
        found = {"crash": f"{type(error).__name__}: {error}"}
    return {**found, "cpu_sec": time.process_time() - start, "peak_bytes": peak_bytes()}


def main() -> None:
    """Read what is asked for until nothing is."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(attempt(Path(job["path"]), job["way"])), flush=True)


if __name__ == "__main__":
    main()
