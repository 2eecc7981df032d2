"""Probes on frozen features: data, classifiers and scores."""
