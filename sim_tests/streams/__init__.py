"""Buffers and packet watchers."""
