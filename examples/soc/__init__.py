"""A small system in Verilog around the machine."""
