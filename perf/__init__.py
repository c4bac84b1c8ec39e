"""How fast the machine is: measured by its own counters in the emitted Verilog."""
