"""Random lists of commands on whole machines with a ring."""
