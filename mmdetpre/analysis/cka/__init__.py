"""Centered kernel alignment between layers: values, table and picture."""
