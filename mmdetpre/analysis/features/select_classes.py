"""Classes as a command line names them, and a few of many."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

_SHOWN = 12


def class_index(wanted: str | int, classes: Sequence[str]) -> int:
    """Index of a class.

    Args:
        wanted: Its name, or its index; names take precedence, so that a class called "7" is found by its name.
        classes: Names of all classes.

    Raises:
        ValueError: If there is no such class; the message gives the range, and the closest names.

    Example:
        >>> class_index("dog", ["cat", "dog"]), class_index("0", ["cat", "dog"])
        (1, 0)
    """
    names, text = list(classes), str(wanted)
    if text in names:
        return names.index(text)
    number = text.removeprefix("-").isdecimal()
    if number and 0 <= int(text) < len(names):
        return int(text)
    what = f"There is no class number {text}" if number else f"There is no class '{text}'"
    if not names:
        raise ValueError(f"{what}: the classes are not known.")
    shown = difflib.get_close_matches(text, names, n=3) or names[:_SHOWN]
    more = ", ..." if len(names) > len(shown) else ""
    raise ValueError(f"{what}: give a number from 0 to {len(names) - 1}, or a name: {', '.join(shown)}{more}.")


def classes_apart(spaces: Sequence[np.ndarray], labels: np.ndarray, count: int, *, least: int = 5) -> list[int]:
    """Classes that can be distinguished in a picture: those whose images lie farthest from each other.

    Of two classes counts the distance of their means over the root of the sum of their variances, averaged over the
    spaces. The two that are farthest apart come first, then the class whose nearest one of the chosen is farthest.

    Args:
        spaces: Features (n, ...) of the same images, one per network.
        labels: (n,) classes of the images, -1 where there is none.
        count: How many.
        least: Classes with fewer images come only where there are not enough others.

    Returns:
        Indices in ascending order.

    Raises:
        ValueError: If images have no classes, or there are fewer classes than asked for.

    Example:
        >>> values = np.array([[0.0], [0.1], [0.2], [0.3], [5.0], [5.1], [9.0], [9.1]])
        >>> classes_apart([values], np.array([0, 0, 1, 1, 2, 2, 3, 3]), 3, least=2)
        [0, 2, 3]
    """
    present, images = np.unique(labels[labels >= 0], return_counts=True)
    if not 1 <= count <= len(present):
        raise ValueError(f"{count} classes are asked for, the images have {len(present)}: give 1 to that many.")
    if (images >= least).sum() >= count:
        present = present[images >= least]
    far = np.zeros((len(present), len(present)))
    for space in spaces:
        of_class = [np.asarray(space[labels == k], np.float64).reshape((labels == k).sum(), -1) for k in present]
        means = np.stack([values.mean(axis=0) for values in of_class])
        spread = np.array([values.var(axis=0).sum() for values in of_class])
        lengths = (means**2).sum(axis=1)
        squares = np.maximum(lengths[:, None] + lengths - 2 * means @ means.T, 0)
        far += np.sqrt(squares / np.maximum(spread[:, None] + spread, 1e-12))
    chosen = list(np.unravel_index(far.argmax(), far.shape))[:count]
    while len(chosen) < count:
        nearest = far[:, chosen].min(axis=1)
        nearest[chosen] = -1
        chosen.append(nearest.argmax())
    return sorted(int(present[i]) for i in chosen)


def choose_classes(
    labels: np.ndarray, classes: Sequence[str], wanted: Sequence[str | int] | int, *, seed: int = 0
) -> list[int]:
    """Classes to show, each with at least one image.

    Args:
        labels: (n,) classes of the images, -1 where there is none.
        classes: Names of the classes.
        wanted: These, in this order; or so many, drawn at random and in ascending order.
        seed: Of the draw.

    Raises:
        ValueError: If images have no classes, one of these is unknown, comes twice or has no image, or there are fewer
            than asked for.

    Example:
        >>> choose_classes(np.array([0, 2, 2, 1]), ["cat", "dog", "cow"], ["cow", "0"])
        [2, 0]
        >>> choose_classes(np.array([0, 2, 2, 1]), ["cat", "dog", "cow"], 3)
        [0, 1, 2]
    """
    present = np.unique(labels[labels >= 0]).tolist()
    if not present:
        raise ValueError("No image has a class: extract the features from images in a folder per class.")
    if isinstance(wanted, int):
        if not 1 <= wanted <= len(present):
            raise ValueError(f"{wanted} classes are asked for, the images have {len(present)}: give 1 to that many.")
        return sorted(np.random.default_rng(seed).choice(present, wanted, replace=False).tolist())
    names = list(classes) or [str(i) for i in range(present[-1] + 1)]
    chosen = [class_index(name, names) for name in wanted]
    for index in chosen:
        if index not in present:
            raise ValueError(f"No image is of class '{names[index]}': choose among the {len(present)} that have one.")
        if chosen.count(index) > 1:
            raise ValueError(f"The class '{names[index]}' is named twice: name each once.")
    return chosen
