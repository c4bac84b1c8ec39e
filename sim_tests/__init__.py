"""Benches of the emitted Verilog, compared bit by bit with the golden model."""
