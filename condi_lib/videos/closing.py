"""What is closed when a ``with`` block ends."""

from abc import ABC, abstractmethod
from typing import Self


class ClosesOnExit(ABC):
    """A context manager that is itself what it manages."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is held; nothing else may be called afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
