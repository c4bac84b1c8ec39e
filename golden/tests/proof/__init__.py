"""Golden against second formulations of all that it computes: ``mixdit check golden``."""
