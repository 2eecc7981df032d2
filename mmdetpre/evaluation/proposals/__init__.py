"""Proposals: metric that writes them, and their recall."""
