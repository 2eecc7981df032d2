"""Super-classes from clusters of chip features."""
