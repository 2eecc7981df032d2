"""The study: pre-train here, test there, and say what helped."""
