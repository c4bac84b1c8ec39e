"""Drivers in Python and in C."""
