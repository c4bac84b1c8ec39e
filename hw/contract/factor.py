"""A factor on its way to a product: V24, as `hw.vector.v24` has it."""

from amaranth.lib import data

from golden.vector.formats import V24

Factor = data.StructLayout({"value": V24.width, "enable": 1})
"""A V24 pattern, and whether anything is multiplied by it."""
