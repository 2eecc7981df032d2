"""Activation maps of a layer: the maps, their report and their picture."""
