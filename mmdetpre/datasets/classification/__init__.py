"""Data sets for classification, in folders of classes or with lists."""
