"""Clusters of features and how well they agree with classes: k-means, agreement and picture."""
