"""Models from a config and a checkpoint, ready to predict."""
