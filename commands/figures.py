"""What commands that find figures return."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from commands.exit_codes import ExitCode


class Figures(NamedTuple):
    """The figures of a command, and how it ended; such commands have the option ``--json``.

    Attributes
    ----------
    record : mapping or pathlib.Path
        What JSON can hold, or the JSON file that was written.
    code : ExitCode or int
    """

    record: Mapping[str, Any] | Path
    code: int = ExitCode.DONE

    def text(self) -> str:
        """Return the figures as JSON, which has no infinities and no NaNs.

        Raises
        ------
        ValueError
            If there are some.
        """
        if isinstance(self.record, Path):
            return self.record.read_text(encoding="utf-8")
        return json.dumps(self.record, indent=2, allow_nan=False) + "\n"
