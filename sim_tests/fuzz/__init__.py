"""Random jobs, good, bad, broken and aborted."""
