"""What of a user's data cannot be used: an error, or left out and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

OPTION = "--leave-out-bad"
"""What the command line calls `Gate.leave_out_bad`."""


@dataclass
class Gate:
    """Refuses what is bad, or counts it.

    Attributes:
        title: What the data are called.
        leave_out_bad: Continue without what is bad.
        left_out: How many things were left out, by what they are.

    Example:
        >>> gate = Gate("my.json", leave_out_bad=True)
        >>> gate.refuse("boxes are empty", ["a.jpg", "b.jpg"], "Correct them")
        >>> dict(gate.left_out)
        {'boxes are empty': 2}
    """

    title: object
    leave_out_bad: bool
    left_out: Counter[str] = field(default_factory=Counter)

    def refuse(self, what: str, bad: Sequence[str], advice: str, kind: type[Exception] = ValueError) -> None:
        """Raise an error for things that are bad, or count them; none are fine.

        Args:
            what: What is wrong with them.
            bad: Their names.
            advice: What to do about it.
            kind: Of the error.
        """
        if bad and not self.leave_out_bad:
            raise kind(
                f"{self.title}: {len(bad)} {what}: {listed(bad)}. {advice}, or add {OPTION} to continue without."
            )
        self.left_out.update({what: len(bad)} if bad else {})


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list, as a message has them.

    Args:
        names: All.
        most: How many are told.

    Example:
        >>> listed("abcd")
        'a, b, c, ...'
    """
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
