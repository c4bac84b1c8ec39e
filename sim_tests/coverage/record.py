"""What was reached, as files."""

import gzip
import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from commands.outputs import whole
from sim_tests.coverage.points import Point

_NUMBERED = re.compile(r"(\w+?)_\d+(?=[\[ _])")


def write_counts(path: Path, counts: Counter[Point]) -> None:
    """Write points with how often each was reached."""
    rows = [[point.module, point.line, point.kind, point.what, count]
            for point, count in sorted(counts.items())]
    with whole(path) as file:
        file.write(gzip.compress(json.dumps(rows).encode(), mtime=0))


def is_readable(path: Path) -> bool:
    """Tell whether a file of `write_counts` is there, and whole."""
    try:
        return isinstance(json.loads(gzip.decompress(path.read_bytes())), list)
    except (OSError, EOFError, zlib.error, ValueError):
        return False


def read_counts_of(paths: Iterable[Path]) -> Counter[Point]:
    """Read files of `write_counts`, and add them up.

    Signals of one name in a module count as one. The Verilog tells them apart by numbers, which
    differ from machine to machine: ``o__payload_31_row``, beside which there is an ``o__payload``,
    is ``o__payload_row``. Where they are the same net, it has the place of any of them: they are
    shown at the place where most of their bits were reached. Where a signal is one bit wide in one
    machine and wider in another, the one bit is the lowest.
    """
    counts: Counter[Point] = Counter()
    for path in paths:
        for *fields, count in json.loads(gzip.decompress(path.read_bytes())):
            counts[Point(*fields)] += count
    return _with_lowest_bits(_one_place(_without_numbers(counts)))


def _without_numbers(counts: Counter[Point]) -> Counter[Point]:
    signals = {(point.module, point.line, _signal(point)) for point in counts}
    merged: Counter[Point] = Counter()
    for point, count in counts.items():
        found = _NUMBERED.match(point.what) if point.kind == "toggle" else None
        if found and (point.module, point.line, found[1]) in signals:
            point = replace(point, what=found[1] + point.what[found.end():])
        merged[point] += count
    return merged


def _one_place(counts: Counter[Point]) -> Counter[Point]:
    reached: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for point, count in counts.items():
        if point.kind == "toggle":
            reached[point.module, _signal(point)][point.line] += count > 0
    lines = {signal: max(sorted(places), key=places.__getitem__)
             for signal, places in reached.items()}
    merged: Counter[Point] = Counter()
    for point, count in counts.items():
        if point.kind == "toggle":
            point = replace(point, line=lines[point.module, _signal(point)])
        merged[point] += count
    return merged


def _with_lowest_bits(counts: Counter[Point]) -> Counter[Point]:
    vectors = {(point.module, _signal(point)) for point in counts
               if point.kind == "toggle" and "[" in point.what}
    merged: Counter[Point] = Counter()
    for point, count in counts.items():
        signal, _, turn = point.what.partition(" ")
        if point.kind == "toggle" and (point.module, signal) in vectors:
            point = replace(point, what=f"{signal}[0] {turn}")
        merged[point] += count
    return merged


def _signal(point: Point) -> str:
    return re.split(r"[\[ ]", point.what, maxsplit=1)[0]
