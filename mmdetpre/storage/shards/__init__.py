"""Many files in a few tar archives, with an index that finds each of them at once."""
