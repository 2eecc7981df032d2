"""COCO's files and the data set over them."""
