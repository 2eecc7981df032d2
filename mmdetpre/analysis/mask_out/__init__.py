"""What a classifier loses when parts of an image are masked: scores, report and picture."""
