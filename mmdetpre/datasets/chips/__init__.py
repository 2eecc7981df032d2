"""Chips of a detection data set: data set, sampler and records."""
