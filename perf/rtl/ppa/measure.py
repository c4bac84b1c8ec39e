"""Synthesizes units, every recipe of both points, and keeps the best of each."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from commands import children
from hw.parts.emit import emit
from hw.tools.memories import memories

from .library import Library
from .recipes import AREA_RECIPES, SPEED_RECIPES, SynthesisRecipe
from .synthesis import Netlist, synthesize
from .timing import CriticalPath, critical_path
from .unit import Unit

STAND_IN = Path(__file__).parent / "sram_stand_in.v"
"""Stands for the memories where paths are timed: registers behind every pin, and no storage."""

TOP = "top"

_PRODUCT = re.compile(r"(?<![\dhb]) \* (?!\d+'|\$signed\(\d+')")
"""A product in Amaranth's Verilog, that of a constant aside."""


@dataclass(frozen=True)
class Point:
    """The best of the recipes for one purpose.

    Attributes
    ----------
    recipe : str
    area : float
        Gate equivalents, memories left out.
    registers : int
        Flip-flops.
    path : CriticalPath or None
        None where it was not asked for.
    """

    recipe: str
    area: float
    registers: int
    path: CriticalPath | None


@dataclass(frozen=True)
class Measured:
    """What was found of a unit.

    Attributes
    ----------
    unit : Unit
    area : Point
        The smallest.
    speed : Point or None
        The one with the shortest critical path; its area includes the stand-ins of memories.
    memory_bits : int
        In ``sram_1r1w``, which no area includes.
    others : dict of str to float
        Gate equivalents of every area recipe.
    """

    unit: Unit
    area: Point
    speed: Point | None
    memory_bits: int
    others: dict[str, float]

    @property
    def per_mac(self) -> float | None:
        """Gate equivalents per multiply-accumulate and cycle."""
        return None if self.unit.macs is None else self.area.area / self.unit.macs

    @property
    def per_mx9_mac(self) -> float | None:
        """Gate equivalents times beats of an MX9 x MX9 multiply-accumulate."""
        beats = self.unit.mx9_beats
        return None if beats is None else self.per_mac * beats


def measure(units: Sequence[Unit], library: Library, folder: Path, *, jobs: int = 2,
            with_timing: bool = True,
            on_progress: Callable[[int, int, str], None] = lambda done, total, what: None,
            ) -> list[Measured]:
    """Synthesize and time units.

    Parameters
    ----------
    units : sequence of Unit
    library : Library
    folder : pathlib.Path
        Gets a folder per unit and recipe, with the script, the log and the netlist of each.
    jobs : int
        Processes at once. The figures do not depend on it.
    with_timing : bool
        Without, only the area point.
    on_progress : callable
        Called with runs done, runs in all, and what was done last.

    Raises
    ------
    SynthesisError, TimingError
        If a tool fails.
    """
    sources = {unit.name: emit_unit(unit, folder) for unit in units}
    recipes = AREA_RECIPES + SPEED_RECIPES if with_timing else AREA_RECIPES
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = {
            pool.submit(_run, unit, sources[unit.name], library, recipe, folder): (unit, recipe)
            for unit in sorted(units, key=lambda unit: -sources[unit.name].stat().st_size)
            for recipe in recipes
            if (recipe.point == "area" or unit.timed)
            and (not recipe.booth or _multiplies(unit, sources[unit.name]))}
        results: dict[str, list] = {unit.name: [] for unit in units}
        for done, future in enumerate(as_completed(futures), 1):
            unit, recipe = futures[future]
            results[unit.name].append((recipe, *future.result()))
            on_progress(done, len(futures), f"{unit.name}: {recipe.name}")
    except BaseException:
        children.end_all()  # the pool waits for what runs
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return [_best(unit, sources[unit.name], results[unit.name]) for unit in units]


def emit_unit(unit: Unit, folder: Path) -> Path:
    """Write a unit's Verilog, the modules that it instantiates included."""
    file = folder / _file_name(unit.name) / "unit.v"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(emit(unit.make(), TOP), encoding="utf-8")
    return file


def _file_name(name):
    return "".join(char if char.isalnum() else "_" for char in name)


def _multiplies(unit, source):
    """Tell whether a multiplier of two variables is left to Yosys; parts of a whole have rows."""
    return not unit.repeated and _PRODUCT.search(source.read_text(encoding="utf-8")) is not None


def _run(
    unit, source, library, recipe: SynthesisRecipe, folder
) -> tuple[Netlist, CriticalPath | None]:
    place = folder / _file_name(unit.name) / _file_name(recipe.name)
    timed = recipe.point == "speed"
    # Gates are sized along whole paths, so what is timed is flat.
    netlist = synthesize(source, library, recipe, place, top=TOP,
                         repeated=() if timed else unit.repeated, left_out=unit.left_out,
                         memory=STAND_IN if timed else None)
    return netlist, critical_path(netlist.verilog, library, top=TOP) if timed else None


def _best(unit, source, results):
    # Ties go to the recipe that is listed first, whatever was done first.
    order = [recipe.name for recipe in AREA_RECIPES + SPEED_RECIPES]
    results = sorted(results, key=lambda result: order.index(result[0].name))
    small = [(recipe, netlist) for recipe, netlist, path in results if recipe.point == "area"]
    fast = [(recipe, netlist, path) for recipe, netlist, path in results if path is not None]
    recipe, netlist = min(small, key=lambda result: result[1].area)
    area = Point(recipe.name, netlist.area, netlist.registers, None)
    speed = None
    if fast:
        recipe, netlist, path = min(fast, key=lambda result: result[2].nanoseconds)
        speed = Point(recipe.name, netlist.area, netlist.registers, path)
    text = source.read_text(encoding="utf-8")
    outside = tuple(f"{TOP}_{module}" for module in unit.left_out)
    bits = sum(memory.bits for memory in memories(text) if not memory.module.startswith(outside))
    return Measured(unit, area, speed, bits,
                    {recipe.name: netlist.area for recipe, netlist in small})
