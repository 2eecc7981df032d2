"""Annotations of boxes in the formats that people have, all read to the same table."""
