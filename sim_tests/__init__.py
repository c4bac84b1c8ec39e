"""Benches of the emitted Verilog, compared bit by bit with the golden model.

Files that do not begin with ``test_`` are the library that the benches share. What drives the
Verilog for users is `simulation`.
"""
