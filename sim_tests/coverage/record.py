"""What was reached, as files."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from commands.outputs import whole
from sim_tests.coverage.points import Point


def write_counts(path: Path, counts: Counter[Point]) -> None:
    """Write points with how often each was reached."""
    rows = [[point.module, point.line, point.kind, point.what, count]
            for point, count in sorted(counts.items())]
    with whole(path) as file:
        file.write(gzip.compress(json.dumps(rows).encode(), mtime=0))


def read_counts_of(paths: Iterable[Path]) -> Counter[Point]:
    """Read files of `write_counts`, and add them up."""
    counts: Counter[Point] = Counter()
    for path in paths:
        for *fields, count in json.loads(gzip.decompress(path.read_bytes())):
            counts[Point(*fields)] += count
    return counts
