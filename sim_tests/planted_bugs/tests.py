"""Tests that notice mistakes of several kinds."""

CROSSING = "sim_tests/memory/test_clock_crossing.py -k clock_crossing[slower]"
