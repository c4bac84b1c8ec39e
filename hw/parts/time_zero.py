"""What emitted Verilog does at time zero: no process sleeps, and no register has a value.

Verilog (IEEE 1364) leaves open whether the initial value in a declaration is an event;
SystemVerilog (IEEE 1800) gives it before any process runs, so that it is none. Yosys lets such an
event start its ``always @*``, and some it starts by nothing at all: their outputs would stay
unknown until an input changes. Here a non-blocking assignment starts every one: its event comes
after all processes have begun to wait, by both standards.

What a register holds is defined by the reset alone, as in an ASIC. An initial value would hide
a missing reset from a simulator.
"""

import re

_YOSYS_WAKE = r"\\\$auto\$verilog_backend\S+ "
_WAKE = r"\$wake "

_DECLARED_VALUE = re.compile(r"^(  reg [^=;]+) = [^;]+;$", re.MULTILINE)
_INIT_ATTRIBUTE = re.compile(r"^  \(\* init = .* \*\)\n", re.MULTILINE)
_INITIAL_CONTENT = re.compile(r"^  initial begin\n(?:    .*\n)*  end\n", re.MULTILINE)

_HEADER = re.compile(r"^module [^;]*;\n", re.MULTILINE)
_BLOCK = re.compile(rf"^  always @\* begin\n(?:    if \({_YOSYS_WAKE}\) begin end\n)?",
                    re.MULTILINE)
_STATEMENT = re.compile(r"^  always @\*\n(    [^;]*;\n)", re.MULTILINE)


def without_initial_values(text):
    """Remove the initial values of registers and memories from what Yosys wrote."""
    text = re.sub(rf"^  reg {_YOSYS_WAKE} = 0;\n", "", text, flags=re.MULTILINE)
    for pattern, rest in ((_INITIAL_CONTENT, ""), (_INIT_ATTRIBUTE, ""), (_DECLARED_VALUE, r"\1;")):
        text = pattern.sub(rest, text)
    return text


def wake_processes(text):
    """Let every combinational process of a Verilog text run once at time zero."""
    return "".join(map(_wake_module, re.split(r"^(?=module )", text, flags=re.MULTILINE)))


def _wake_module(module):
    if "always @*" not in module:
        return module
    woken = f"  always @* begin\n    if ({_WAKE}) begin end\n"
    module = _BLOCK.sub(lambda _: woken, module)
    module = _STATEMENT.sub(lambda process: f"{woken}{process[1]}  end\n", module)
    return _HEADER.sub(lambda header: f"{header[0]}  reg {_WAKE};\n  initial {_WAKE} <= 0;\n",
                       module, count=1)
