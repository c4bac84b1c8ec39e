"""Checking, queueing and recording of jobs."""
