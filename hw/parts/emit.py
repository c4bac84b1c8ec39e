"""Verilog emission: deterministic text in which a repeated component appears once.

Amaranth writes one Verilog module per submodule *instance*. `instantiate` gives a component that
occurs many times (a cell, a row of cells, a normalizer) a single Verilog module of its own and
instantiates that, so that text and elaboration time do not grow with the number of copies.
"""

import gc
import os
from contextlib import contextmanager
from functools import partial

from amaranth import ClockSignal, Instance, ResetSignal
from amaranth.back import verilog
from amaranth.lib.wiring import In

from .sram import MODULE, sram_verilog
from .time_zero import wake_processes, without_initial_values
from .verilog_names import check_apart, check_name, plain_names


class VerilogPlatform:
    """The platform that `emit` hands to `elaborate`: gathers modules that are emitted once.

    Parameters
    ----------
    top : str
        Verilog module name of the top.

    Attributes
    ----------
    modules : dict of str to wiring.Component
        Components waiting for their own Verilog module, by module name.
    """

    def __init__(self, top):
        self.top = top
        self.modules = {}

    def module_name(self, part):
        """Return the Verilog name of a part: that of the top comes first, as in all others."""
        return f"{self.top}_{part}"


def instantiate(m, platform, make, *, module, name):
    """Add an instance of a component that is emitted once.

    Parameters
    ----------
    m : amaranth.Module
        Receives the submodule.
    platform : VerilogPlatform or None
        None (a Python simulation) makes an ordinary submodule.
    make : callable
        Returns the component to instantiate, which has a clock; equal `module` names must mean
        equal components.
    module : str
        Name of its Verilog module, behind the top's.
    name : str
        Name of the instance.

    Returns
    -------
    wiring.PureInterface or wiring.Component
        Something with the members of the component's signature.
    """
    if not isinstance(platform, VerilogPlatform):
        m.submodules[name] = component = make()
        return component
    module = platform.module_name(module)
    if module not in platform.modules:
        platform.modules[module] = make()
    component = platform.modules[module]
    interface = component.signature.create(path=(name,))
    ports = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
    for port, flow, value in flat_ports(component.signature, interface):
        ports[f"{'i' if flow is In else 'o'}_{port}"] = value
    m.submodules[name] = Instance(module, **ports)
    return interface


def flat_ports(signature, interface=None):
    """List the ports of a component as its Verilog has them, clock and reset aside.

    Parameters
    ----------
    signature : wiring.Signature
        The component's.
    interface : object, optional
        Something with the signature's members; without it the values are those of a fresh one.

    Yields
    ------
    tuple of (str, wiring.Flow, Value)
        Verilog name, direction seen from inside the component, value in `interface`.
    """
    interface = signature.create() if interface is None else interface
    for path, member, value in signature.flatten(interface):
        yield "__".join(map(str, path)), member.flow, value


@contextmanager
def _without_collections():
    """Keep the garbage collector from looking through a growing netlist again and again.

    Nothing in a netlist becomes garbage before it is written. Half of the time of emission would
    go there; without it the 16x16 accelerator takes 165 MB more.
    """
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()


def emit_each(component, name, convert):
    """Emit a component, and each that is emitted once, by one of Amaranth's back ends.

    Parameters
    ----------
    component : wiring.Component
        The top.
    name : str
        Its name.
    convert : callable
        Such as `amaranth.back.verilog.convert`.

    Returns
    -------
    dict of str to str
        Text by the name of the component's module, the top's first.
    """
    platform, texts = VerilogPlatform(name), {}
    pending = {name: component}
    with _without_collections():
        while pending:
            for module, part in pending.items():
                texts[module] = convert(part, name=module, platform=platform)
            pending = {module: part for module, part in platform.modules.items()
                       if module not in texts}
    return texts


def emit_files(component, name, *, header=None, with_places=False):
    """Emit a component, and everything it instantiates, as Verilog-2005 for any tool.

    Identifiers are plain, and every module's name begins with that of the top and ``_``, so that
    machines of different names go into one simulation. No register and no memory has an initial
    value.

    Parameters
    ----------
    component : wiring.Component
        The top.
    name : str
        Verilog module name of the top.
    header : str, optional
        A first line, such as the exact configuration.
    with_places : bool
        Keep Amaranth's attributes, which say where in the Python source each signal stands.

    Returns
    -------
    dict of str to str
        The text of each file by its name: ``{name}.v``, and ``{name}_sram_1r1w.v`` with the memory
        module if there are memories. The same bytes for the same parameters; no dates, and no paths
        without places.

    Raises
    ------
    ValueError
        If the top's name is no ASCII identifier, a keyword, or ends as a module below it does.
    """
    check_name(name)
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"  # another one may write another text
    texts = emit_each(component, name, partial(
        verilog.convert, emit_src=with_places, strip_internal_attrs=not with_places))
    text = plain_names(wake_processes(without_initial_values("\n".join(texts.values()))))
    files = {f"{name}.v": f"// {header}\n{text}" if header else text}
    memory = VerilogPlatform(name).module_name(MODULE)
    if memory in text:
        files[f"{memory}.v"] = sram_verilog(memory)
    check_apart(name, "\n".join(files.values()))
    return files


def emit(component, name, *, header=None):
    """Emit a component as one Verilog text: the files of `emit_files`, one behind the other."""
    return "\n".join(emit_files(component, name, header=header).values())
