"""Time and size of the emitted Verilog of one large machine."""

import re
import time
from dataclasses import dataclass

from hw.accelerator import Accelerator
from hw.contract.config import Config
from hw.parts.emit import emit

LIMIT_BYTES = 5_000_000
SIZE = 64


@dataclass(frozen=True)
class VerilogSize:
    """What emission took and gave.

    Attributes
    ----------
    size : int
        Rows and columns of the array.
    seconds : float
    modules : dict of str to int
        Bytes of each Verilog module.
    """

    size: int
    seconds: float
    modules: dict[str, int]

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole file."""
        return sum(self.modules.values())

    @property
    def met(self) -> bool:
        """Whether it is below the limit."""
        return self.total_bytes < LIMIT_BYTES

    def largest(self, count: int = 8) -> list[tuple[str, int]]:
        """List the largest modules, the largest first."""
        return sorted(self.modules.items(), key=lambda item: -item[1])[:count]


def measure_verilog(size: int = SIZE) -> VerilogSize:
    """Emit a machine of `size` x `size` cells, the tools' start included in the seconds."""
    started = time.perf_counter()
    text = emit(Accelerator(Config.sized(rows=size, cols=size)), f"mixdit_{size}x{size}")
    return VerilogSize(size, time.perf_counter() - started, module_bytes(text))


def module_bytes(text: str) -> dict[str, int]:
    """Split Verilog at its modules: bytes by name, what stands before the first as ``header``."""
    parts = re.split(r"^(?=module )", text, flags=re.MULTILINE)
    sizes = {"header": len(parts[0].encode())}
    for part in parts[1:]:
        name = re.match(r"module (\w+)", part)[1]
        sizes[name] = sizes.get(name, 0) + len(part.encode())
    return sizes
