"""Scores of resampled test images: how far a score, or a difference of two, would move with other images."""
