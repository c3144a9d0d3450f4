"""One process at a time: a lock that the operating system drops with the process that holds it."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(path: Path, waiting: str = "") -> Iterator[int]:
    """Be the only process that works on ``path``; wait while another one does.

    The lock is a file beside ``path``, never in it, so that whoever deletes the folder does not
    delete the lock with it. A killed process leaves the file behind, but not the lock.

    Args:
        path: File or folder to work on; need not exist yet.
        waiting: Line to print if another process holds the lock; empty: none.

    Yields:
        The lock's file descriptor. A child process that inherits it holds the lock too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                print(waiting, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
