"""Tests of what is measured of the RTL."""
