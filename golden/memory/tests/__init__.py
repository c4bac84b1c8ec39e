"""Tests of `golden.memory`."""
