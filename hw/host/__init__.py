"""Software's side of the machine, in Python and in C: register access, jobs, order of packets.

In come jobs and bytes; out come register writes, packets, and results. Needs no Amaranth.
"""
