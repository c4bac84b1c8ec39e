"""One block of a diffusion transformer, its GEMMs as lists of commands."""
