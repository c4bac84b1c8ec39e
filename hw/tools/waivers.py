"""The warnings of Verilator that emitted Verilog may give; for lint and every simulation."""

WAIVERS = """\
`verilator_config
// Amaranth leaves the extension of operands and constants to Verilog, which does it as meant.
lint_off -rule WIDTHEXPAND
// Amaranth writes ``value == 0`` as ``!value``.
lint_off -rule WIDTHTRUNC -file "*" -match "*LOGNOT expects 1 bit*"
// A state that leaves a signal at its default has no case.
lint_off -rule CASEINCOMPLETE
// Fields of a layout get names of their own, which help in a waveform and need not be read.
lint_off -rule UNUSEDSIGNAL
// What wakes the combinational processes has to come after them, see hw.parts.time_zero.
lint_off -rule INITIALDLY
// One file holds all modules of a machine.
lint_off -rule DECLFILENAME
"""
"""A Verilator configuration file. Nothing else may be waived."""
