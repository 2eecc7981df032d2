"""The most similar pairs of images in feature space: search, report and picture."""
