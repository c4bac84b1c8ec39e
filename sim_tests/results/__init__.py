"""The way of the results."""
