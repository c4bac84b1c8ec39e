"""Numbers that software knows by name, in hardware."""

import pytest
from amaranth import Const, Signal
from amaranth.lib import data

from hw.contract.job_codes import JobKind, Output
from hw.contract.named import Named
from hw.parts.emit import emit_files
from hw.results.narrow import Narrow


def test_a_named_number_is_a_plain_value_of_its_names_width():
    assert Named(Output).as_shape() == Const(0, 3).shape()
    kind = Signal(data.StructLayout({"kind": Named(JobKind)})).kind
    assert type(kind == JobKind.CONVERT).__name__ == "Operator"
    assert Named(JobKind) == Named(JobKind) != Named(Output)


@pytest.mark.parametrize(("given", "value"), [(None, 0), (Output.MX9, 4), (2, 2)])
def test_its_initial_value_may_be_a_name(given, value):
    assert Signal(Named(Output), init=given).init == value


def test_the_verilog_shows_the_names():
    text = emit_files(Narrow(), "narrow")["narrow.v"]
    assert '(* enum_base_type = "Output" *)' in text
    assert all(f'= "{output.name}" *)' in text for output in Output)
