"""Tests of the compiled harness and of what is built on it."""
