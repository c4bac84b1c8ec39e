"""What is measured of the RTL: cycles by its counters, gates and paths by synthesis."""
