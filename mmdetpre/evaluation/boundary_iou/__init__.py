"""Boundary IoU: counts, metric and scores."""
