"""Random jobs, good, bad, broken, aborted and reset, and abuse of every interface."""
