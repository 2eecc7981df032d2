"""Annotations packed into arrays, their cache and the data set over them."""
