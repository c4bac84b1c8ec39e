"""A second bench, by somebody who had the documentation and the Verilog alone.

It shares no code with the generator, with golden or with the other benches: its numerics, its bus
and stream drivers and its packets follow docs/numerics.md, packets.md, interfaces.md and
registers.md.
"""
