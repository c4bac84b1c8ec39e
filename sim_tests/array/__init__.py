"""The walk, the cells, the array."""
