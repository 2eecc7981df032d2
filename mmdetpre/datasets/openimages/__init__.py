"""OpenImages' files and the data set over them."""
