"""Tests of the host of the command ring, on a machine of software alone."""
