"""PASCAL VOC's files and the data sets over them."""
