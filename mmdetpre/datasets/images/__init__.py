"""Image files: names, sizes, decoding and checks."""
