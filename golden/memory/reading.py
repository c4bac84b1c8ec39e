"""How operands are read."""

from typing import Protocol


class Read(Protocol):
    """Reads so many bytes of an operand, "a" for one, at an address, or raises an error."""

    def __call__(self, operand: str, address: int, size: int) -> bytes: ...
