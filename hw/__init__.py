"""Amaranth generator of the MixDiT accelerator."""
