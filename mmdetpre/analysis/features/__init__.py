"""Features of images: extraction, files and the spaces they are compared in."""
