"""Chips: the geometry of multi-scale training, on plain arrays."""
