"""Functional coverage: which combinations of settings, data and trouble jobs are tried in."""
