"""A small trained diffusion transformer, its images, and the tensors captured inside it.

`quality.captured`, `quality.storage`, `quality.dataset` and the formulas in `quality.metrics` need
no torch, and `quality.recipe` is plain data. The rest needs torch and diffusers (the ``quality``
extra) and is imported by the commands that use it.
"""
