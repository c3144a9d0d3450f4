"""Worker processes that share out a list of jobs, and end when their parent does."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def map_in_processes(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int, chunk: int = 8
) -> Iterator[Result]:
    """Yield ``function(job)`` for each job, in order.

    Args:
        function: A function that can be imported by its name; its exceptions are raised here.
        jobs: What it is called with; pickled.
        workers: Processes; below 2 everything runs in this one.
        chunk: Jobs sent to a process at once.
    """
    if workers < 2:
        yield from map(function, jobs)
        return
    # Forking a process in which torch runs threads may leave a lock held for ever: spawn.
    with ProcessPoolExecutor(workers, get_context("spawn"), _end_with_parent) as pool:
        yield from pool.map(function, jobs, chunksize=chunk)


def _end_with_parent() -> None:
    """Watch the parent: a worker whose parent was killed would wait for jobs for ever."""

    def watch() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
