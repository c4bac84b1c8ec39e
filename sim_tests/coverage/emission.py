"""Verilog that says of each condition, statement and signal where it stands in the Python source.

The circuit is that of `hw.parts.emit.emit_files`; what is more are attributes. Amaranth notes the
places of signals and operators by itself, but gives a port that of any signal on its net: here it
gets that of the signal whose name it has. The places of ``m.If`` and of the statements below are in
Amaranth's netlist, but not in what it writes: here they become an attribute ``arms`` of each ``if``
and ``case``.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

from amaranth.back import rtlil
from amaranth.lib.wiring import Component

from hw.parts.emit import emit_files

Place = tuple[str, int]
"""A file and a line of it."""

NO_PLACE = "-"
"""What stands for an arm without statements of its own."""


def emit(component: Component, name: str) -> Mapping[str, str]:
    """Emit a component with places.

    Parameters
    ----------
    component : wiring.Component
        The top.
    name : str
        Its Verilog name.

    Returns
    -------
    dict of str to str
        The text of each file by its name. A ``src`` is ``path:line``; ``arms`` has for each arm of
        the ``if`` or ``case`` the places of the statements directly in it, the arms apart by
        ``|`` and the places by a space; `NO_PLACE` if there are none.
    """
    with _places():
        return emit_files(component, name, with_places=True)


def without_places(text: str) -> str:
    """Take the attributes out again, and the comments that Yosys makes of some."""
    text = re.sub(r" *\(\* (?:src|arms|generator|top|full_case)\b[^*]*\*\)(?: |\n)?", "", text)
    return re.sub(r"^ */\* src = .*?\*/\n", "", text, flags=re.MULTILINE)


@contextmanager
def _places() -> Iterator[None]:
    """Let Amaranth write the places of ports, of conditions and of the statements below them."""
    emit_ports = rtlil.ModuleEmitter.emit_port_wires
    emit_list = rtlil.ModuleEmitter.emit_assignment_list

    def emit_port_wires(self: rtlil.ModuleEmitter) -> None:
        emit_ports(self)
        for signal, name in self.module.signal_names.items():
            if name in self.module.ports:
                wire, _ = self.sigport_wires[name]
                wire.attributes["src"] = _text(signal.src_loc)

    def emit_assignment_list(self: rtlil.ModuleEmitter, index: int, cell: object) -> None:
        emit_list(self, index, cell)
        process = next(reversed(self.builder.contents.values()))
        assignments = iter(cell.assignments)
        _mark(process.contents[1:], assignments, self.netlist.cells, 0)
        if next(assignments, None) is not None:
            raise NotImplementedError("a statement stands under a pattern that nothing fits")

    with (patch.object(rtlil.ModuleEmitter, "emit_port_wires", emit_port_wires),
          patch.object(rtlil.ModuleEmitter, "emit_assignment_list", emit_assignment_list),
          patch.object(rtlil.Switch, "emit", _with_attributes(rtlil.Switch.emit))):
        yield


def _with_attributes(emit_switch: object) -> object:
    def emit_with(self: rtlil.Switch, line: object) -> None:
        for name, value in getattr(self, "marks", {}).items():
            line(f'attribute \\{name} "{value}"')
        emit_switch(self, line)

    return emit_with


def _mark(contents: list, assignments: Iterator, cells: list, depth: int) -> list[str]:
    """Note places in the switches; return those of the statements that stand in none.

    A process has the assignments of its list in their order.
    """
    own = []
    for each in contents:
        if isinstance(each, rtlil.Assignment):
            assignment = next(assignments)
            own.append(assignment)
            continue
        arms = [_mark(case.contents, assignments, cells, depth + 1) for case in each.cases]
        inside = [assignment for arm in arms for assignment in arm]
        direct = [[one for one in arm if _depth(one, cells) == depth + 1] for arm in arms]
        each.marks = {"arms": "|".join(
            " ".join(_text(one.src_loc) for one in arm) or NO_PLACE for arm in direct)}
        if inside:
            each.marks["src"] = _text(_condition(inside[0], cells, depth).src_loc)
        own += inside
    return own


def _chain(assignment: object, cells: list) -> list:
    """List the conditions that an assignment stands under, the outermost first."""
    chain, net = [], assignment.cond
    while not net.is_const:
        cell = cells[net.cell]
        chain.append(cell)
        net = cell.en
    return chain[::-1]


def _depth(assignment: object, cells: list) -> int:
    return len(_chain(assignment, cells))


def _condition(assignment: object, cells: list, depth: int) -> object:
    return _chain(assignment, cells)[depth]


def _text(place: Place) -> str:
    return f"{place[0]}:{place[1]}"
