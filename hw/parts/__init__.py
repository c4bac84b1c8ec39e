"""Parts that know nothing of the machine: memories, rings, bit tricks, and the way to Verilog.

In come shapes and components; out come hardware of general use, and Verilog text.
"""
