"""Benches of `hw.memory`."""
