"""Components that are cut off from a machine under proof: their outputs are anything."""

from contextlib import ExitStack
from unittest.mock import patch

from amaranth import Module, Value
from amaranth.hdl import Fragment
from amaranth.lib.wiring import Out


def hollow(harness, original, made):
    """Make a class of components with the ports of another's, its outputs free in every cycle.

    Parameters
    ----------
    harness : Harness
        Whose inputs the outputs are.
    original : type of wiring.Component
    made : list
        Takes every component that is made of the class.

    Returns
    -------
    type of wiring.Component
    """
    class Hollow(original):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)
            self.outputs = [
                (Value.cast(value), harness.free(
                    len(Value.cast(value)), "_".join([original.__name__, *map(str, path)])))
                for path, member, value in self.signature.flatten(self) if member.flow is Out]

        def elaborate(self, platform):
            m = Module()
            m.d.comb += [value.eq(anything) for value, anything in self.outputs]
            return m
    return Hollow


def with_hollows(harness, component, cut_off):
    """Elaborate a component with hollow parts.

    Parameters
    ----------
    harness : Harness
    component : wiring.Component
    cut_off : list of (module, tuple of str)
        Modules, and the classes named there that are made hollow.

    Returns
    -------
    fragment : amaranth.hdl.Fragment
    made : dict of str to list of wiring.Component
        Hollow components by the name of their class.
    """
    made = {name: [] for _, names in cut_off for name in names}
    with ExitStack() as stack:
        for where, names in cut_off:
            for name in names:
                kind = hollow(harness, getattr(where, name), made[name])
                stack.enter_context(patch.object(where, name, kind))
        return Fragment.get(component, None), made
