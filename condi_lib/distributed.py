"""Several processes that work as one: who takes which share, and how they agree.

``torchrun --nproc-per-node 8 -m condi_lib job STUDY JOB`` starts a process for each GPU of a
machine, and starts all of them again when one dies. Export
``TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1`` before: without it, such a restart hangs half the time
(pytorch issue 135712). A process that nobody launched so is a world of one: it needs no process
group, and nothing here changes what it computes.

All processes run the same code. Rank 0 leads: it alone writes what all of them share.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")

LAUNCHED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # by torchrun
STEP_TIMEOUT = timedelta(minutes=30)  # between two processes that take the same training step
# For a lock, a data set or the last part of a scoring. Nobody waits for the dead so long: their
# connections break, and torchrun ends the processes that they leave behind.
PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class World:
    """The processes that work on one run, and which of them this is.

    Attributes:
        rank: Number of this process, from 0.
        size: How many there are.
        local_rank: Number of this process on its machine, from 0: that of its GPU.
        patient: Process group for waiting; None in a world of one.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    patient: dist.ProcessGroup | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def slice_of(self, n: int) -> slice:
        """The share of ``n`` items that is this process'; shares differ by one item at most.

        Where there are fewer items than processes, everyone takes them all.
        """
        if n < self.size:
            return slice(0, n)
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def gather(self, values: Tensor, n: int) -> Tensor:
        """Put the shares of all processes together.

        Args:
            values: This process' share, ``[m, ...]``, of ``slice_of(n)``.
            n: Items of all processes together.

        Returns:
            ``[n, ...]``, the same on every process but for the gradient, which flows into this
            one's own share. The gradients of all processes add up to the whole one.
        """
        if len(values) == n:
            return values
        own = self.slice_of(n)
        everyone = values.new_zeros(n, *values.shape[1:])
        everyone[own] = values.detach()
        dist.all_reduce(everyone)  # every item is somebody's, and 0 elsewhere
        return torch.cat([everyone[: own.start], values, everyone[own.stop :]])

    def agree(self, decide: Callable[[], Value]) -> Value:
        """What rank 0 finds out by ``decide()``; the others wait for it, for hours if need be."""
        if self.size == 1:
            return decide()
        found = [decide() if self.leads else None]
        dist.broadcast_object_list(found, src=0, group=self.patient)
        return found[0]

    def wait(self) -> None:
        """Wait until all processes are here, for hours if need be."""
        if self.size > 1:
            dist.barrier(group=self.patient)

    def leave(self) -> None:
        """End the process group, when all work is done and this process is to end."""
        if self.size > 1:
            self.wait()
            dist.destroy_process_group()

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model as it is called in training, so that gradients are means over processes.

        A parameter that no process uses keeps no gradient, as in one process. Buckets of
        gradients keep their order, which decides how sums are rounded: a restart changes nothing.
        """
        if self.size == 1:
            return model
        return DistributedDataParallel(
            model,
            forward_sync_buffers=False,  # they stay equal
            find_unused_parameters=True,
            gradient_as_bucket_view=True,
        )


@cache
def join_world() -> World:
    """The world that this process was launched into; the first call waits for the others.

    Raises:
        RuntimeError: If CUDA is used and there are more processes than GPUs on this machine.
    """
    if not all(name in os.environ for name in LAUNCHED) or os.environ["WORLD_SIZE"] == "1":
        return World()
    rank, size, local_rank = (int(os.environ[name]) for name in LAUNCHED[:3])
    backend = "gloo"
    if torch.cuda.is_available():
        if local_rank >= torch.cuda.device_count():
            raise RuntimeError(
                f"process {local_rank} of this machine finds {torch.cuda.device_count()} GPUs; "
                "launch one process for each (torchrun --nproc-per-node)"
            )
        torch.cuda.set_device(local_rank)
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=STEP_TIMEOUT)
    patient = dist.new_group(backend="gloo", timeout=PATIENCE)
    return World(rank, size, local_rank, patient)


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``; ``"auto"`` is CUDA where there is one, else the CPU.

    Of several GPUs it is that of this process.
    """
    if name == "auto":
        name = f"cuda:{join_world().local_rank}" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
