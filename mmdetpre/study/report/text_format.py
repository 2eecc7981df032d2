"""How numbers and differences are written in the report."""

from __future__ import annotations

from collections.abc import Sequence

from mmdetpre.study.report.seed_statistics import Difference
from mmdetpre.utils.plain_text import counted

MINUS, DASH = "−", "—"


def plain(value: float) -> str:
    """One decimal, with a true minus; two where one would hide that it is not zero.

    Example:
        >>> plain(10.44), plain(-2.06), plain(0.04), plain(-0.001)
        ('10.4', '−2.1', '0.04', '0.0')
    """
    text = f"{value:.1f}" if abs(value) >= 0.05 else f"{value:.2f}"
    if float(text) == 0:
        return "0.0"
    return text.replace("-", MINUS)


def signed(value: float) -> str:
    """The same with a plus.

    Example:
        >>> signed(3.0), signed(-3.0), signed(0.0)
        ('+3.0', '−3.0', '0.0')
    """
    text = plain(value)
    return f"+{text}" if value > 0 and text != "0.0" else text


def seeds(counts: tuple[int, int]) -> str:
    """Seeds of the two sides of a difference.

    Example:
        >>> seeds((3, 3)), seeds((3, 2))
        ('3 seeds', '3 and 2 seeds')
    """
    return counted(counts[0], "seed") if counts[0] == counts[1] else f"{counts[0]} and {counts[1]} seeds"


def covered(difference: Difference) -> str:
    """What an interval is of: seeds, test images, or both.

    Example:
        >>> from mmdetpre.study.report.seed_statistics import Difference
        >>> covered(Difference(2.0, 1.0, 3.0, (3, 3), images=120))
        '3 seeds and 120 test images'
        >>> covered(Difference(2.0, 1.0, 3.0, (1, 1), images=120, covers_seeds=False))
        'of 120 test images, one seed'
    """
    images = counted(difference.images, "test image")
    if not difference.covers_seeds:
        return f"of {images}, {'one seed' if max(difference.counts) == 1 else seeds(difference.counts)}"
    return f"{seeds(difference.counts)} and {images}" if difference.images else seeds(difference.counts)


def points(value: float) -> str:
    """Size of a difference.

    Example:
        >>> points(1.0), points(-2.0)
        ('1.0 point', '2.0 points')
    """
    return f"{plain(abs(value))} point{'' if plain(abs(value)) == '1.0' else 's'}"


def listed(names: Sequence[str], last: str = "and") -> str:
    """Names as a sentence lists them.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)
