"""What software has loaded into the calibration tables, and when it may load more."""

from collections.abc import Sequence

import numpy as np

from .work import Work


class Tables:
    """Remember what each table was loaded with last, so that nothing is loaded twice.

    What is remembered are copies: callers may reuse their arrays.
    """

    def __init__(self) -> None:
        self._loaded: dict[tuple[int, str], np.ndarray] = {}

    def clear(self) -> None:
        """Forget everything, as a reset does."""
        self._loaded.clear()

    def missing(self, work: Work) -> dict[str, np.ndarray]:
        """Return the parts of its table, "order" and "tags", that a job needs and that lack."""
        wanted = {"order": work.order, "tags": work.static_tags} if work.uses_table else {}
        return {name: part for name, part in wanted.items() if part is not None
                and not np.array_equal(part, self._loaded.get((work.job.table, name)))}

    def note(self, table: int, parts: dict[str, np.ndarray]) -> None:
        """Remember what has been loaded."""
        self._loaded |= {(table, name): np.array(part) for name, part in parts.items()}

    def forget(self, table: int, parts: Sequence[str]) -> None:
        """Forget parts that are being loaded: an error may leave them half loaded."""
        for name in parts:
            self._loaded.pop((table, name), None)

    def part(self, table: int, name: str) -> np.ndarray | tuple[()]:
        """Return what a table's "order" or "tags" was loaded with; nothing if it was not."""
        return self._loaded.get((table, name), ())

    def must_wait(self, work: Work, under_way: Sequence[Work]) -> bool:
        """Tell whether a job must wait since its table has to be loaded and is in use."""
        in_use = {other.job.table for other in under_way if other.uses_table}
        return work.job.table in in_use and bool(self.missing(work))
