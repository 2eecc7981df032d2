"""Label maps in image files: reading them, and checking a whole data set."""
