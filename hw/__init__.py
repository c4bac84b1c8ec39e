"""Generator of the accelerator: the top, and a package for each stage of the machine."""
