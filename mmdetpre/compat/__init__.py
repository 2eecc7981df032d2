"""The host libraries: their versions and what is adapted in them."""
