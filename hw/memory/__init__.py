"""The memory system: what brings operands from an AXI4 bus and takes results to it.

In come addresses and lengths; out come beats of the machine's streams, and bursts.
"""
