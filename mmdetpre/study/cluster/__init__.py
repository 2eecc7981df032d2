"""A study on a cluster: what its runs ask for, how Snakemake sends them, and what it says of them."""
