"""The type of configs in plain values."""

from typing import Any, TypeAlias

PlainConfig: TypeAlias = dict[str, Any]
"""A config, or the part of one that describes a model, a data set or an initialization, as the toolboxes build it."""
