"""Computations as lists of commands, on the emitted Verilog and on golden's ring."""
