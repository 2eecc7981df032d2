"""Checkpoint files: read as data, checked against model and classes, resumed from when whole."""
