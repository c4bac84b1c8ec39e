"""Which reads of a list wait for the command that writes what they read."""

from golden.memory.descriptor import Command

WAITS = {"a": "wait_a", "b": "wait_b", "bias": "wait_side", "order": "wait_side",
         "tags": "wait_side", "channel": "wait_side", "residual": "wait_residual"}
"""The field that holds the reading of an operand back."""


class FenceError(Exception):
    """A command reads what an earlier one writes, and does not wait for it.

    Attributes
    ----------
    reader, writer : int
        Places in the list.
    operand : str
        Of the reader.
    """

    def __init__(self, reader: int, operand: str, writer: int) -> None:
        mends = (f"{WAITS[operand]} must be from 1 to {min(reader - writer, 255)}"
                 if writer < reader else "no wait can help")
        super().__init__(f"command {reader} of the list reads as {operand} what command {writer} "
                         f"writes: {mends}")
        self.reader, self.operand, self.writer = reader, operand, writer


class Fences:
    """Remember what the commands of a list write, and find reads that do not wait for it."""

    def __init__(self) -> None:
        self._written: list[tuple[int, int, int]] = []  # place in the list, first byte, end

    def begin(self) -> None:
        """Forget all that is written: the next list begins when it has ended."""
        self._written.clear()

    def write(self, place: int, address: int, size: int) -> None:
        """Note what the command at a place of the list writes."""
        self._written.append((place, address, address + size))

    def read(self, place: int, command: Command, operand: str, address: int, size: int) -> None:
        """Look at a read.

        Raises
        ------
        FenceError
            If it does not wait for the last command that writes some of it.
        """
        distance = getattr(command, WAITS[operand])
        for writer, first, end in reversed(self._written):
            if first < address + size and address < end:
                if not distance or place - distance < writer:
                    raise FenceError(place, operand, writer)
                return
