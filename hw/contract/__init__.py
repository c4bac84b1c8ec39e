"""What all stages agree on: build parameters, jobs, layouts of what travels between stages.

Nothing here computes. `config`, `job_codes` and `block_bits` need no Amaranth, so that software can
import them. Nothing of the machine comes in; every other package reads it.
"""
