"""The diffusion transformers under study: the small one of this repository, and published ones.

`options` and `identity` need no torch; `subject` does.
"""
