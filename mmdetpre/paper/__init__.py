"""The numbers and tables of the paper, as data."""
