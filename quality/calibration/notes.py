"""Measurements noted as they are made, so that an interrupted calibration goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quality.storage import read_tensors, save_tensors


class Notes:
    """Arrays by name, in a file that is written anew after each.

    Parameters
    ----------
    path : Path
    circumstances : dict
        What the measurements depend on, as JSON values; notes of other circumstances are dropped.
    """

    def __init__(self, path: Path, circumstances: dict[str, Any]) -> None:
        self._path, self._circumstances = path, circumstances
        self._arrays: dict[str, NDArray[np.float64]] = {}
        if path.is_file():
            arrays, found = read_tensors(path, "mixdit quality calibrate")
            found.pop("sha256")
            if found == circumstances:
                self._arrays = arrays

    def get(self, name: str, measure: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return what is noted under a name; if nothing is, measure and note it."""
        if name not in self._arrays:
            self._arrays[name] = measure()
            save_tensors(self._path, self._arrays, self._circumstances)
        return self._arrays[name]

    def remove(self) -> None:
        """Delete the file: the calibration is complete."""
        self._path.unlink(missing_ok=True)
