"""Build parameters that cannot be."""
