"""How the stages of a backbone are counted, and how many of them are trained; nothing here needs torch."""

from __future__ import annotations

STAGES = 4
"""Stages of a backbone behind its stem, whatever its own names for them are."""
TRAINABLE = "trainable_stages"
"""Key of a config: how many of the last stages are trained."""


def trainable_text(trainable: int) -> str:
    """What is trained, in words.

    Example:
        >>> trainable_text(0), trainable_text(1), trainable_text(2)
        ('frozen', 'last stage trained', 'last 2 stages trained')
    """
    return "frozen" if not trainable else f"last {f'{trainable} stages' if trainable > 1 else 'stage'} trained"
