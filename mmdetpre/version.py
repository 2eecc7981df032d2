"""Version of mmdetpre."""

__version__ = "0.1.0"
