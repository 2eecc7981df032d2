"""t-SNE maps of features: map, table and picture."""
