"""Accuracy of classifiers by the objects in an image: numbers, images and picture."""
