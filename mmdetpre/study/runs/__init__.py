"""The runs of a study: folder and record of each, and what each kind does."""
