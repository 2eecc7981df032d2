"""A seeded split of a user's images into training and test images, copies of one photo kept together."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from mmdetpre.utils.bounded_files import file_sha256
from mmdetpre.utils.progress_bar import progress_bar

_MANY = 2000


def same_files(paths: Sequence[str | os.PathLike]) -> list[list[int]]:
    """Group files by their content. Only files of one size are read.

    Args:
        paths: N files.

    Returns:
        Groups of indices, each index in one of them; in the order of their first file.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> root = Path(tempfile.mkdtemp())
        >>> for name, text in {"a": "photo", "b": "other", "c": "photo"}.items():
        ...     _ = (root / name).write_text(text)
        >>> same_files([root / name for name in "abc"])
        [[0, 2], [1]]
    """
    sizes = [os.path.getsize(path) for path in paths]
    shared = Counter(sizes)
    groups: dict[tuple[int, str | int], list[int]] = defaultdict(list)
    for i, path in enumerate(
        progress_bar(paths, desc="looking for copies", unit=" images", disable=len(paths) < _MANY)
    ):
        groups[sizes[i], i if shared[sizes[i]] == 1 else file_sha256(path)].append(i)
    return list(groups.values())


def in_both(paths: Sequence[str | os.PathLike], train: int) -> list[list[int]]:
    """Groups of one content that have files of both parts, as indices.

    Args:
        paths: Training files, then test files.
        train: How many of them are training files.
    """
    return [group for group in same_files(paths) if group[0] < train <= group[-1]]


def split_images_by_class(
    names: Sequence[str],
    groups: Sequence[Sequence[int]],
    classes: Sequence[Collection[int]],
    test_share: float = 0.2,
    seed: int = 0,
) -> tuple[list[int], list[int]]:
    """Choose test images so that every class is in both parts where that is possible.

    A group's rank is that of the SHA-256 of ``seed/name`` of its first image: the split depends on names and seed, on
    no random generator. Starting with the rarest class, a class that the test part lacks gives its first group; then
    groups are taken by rank until the share is reached. No group is taken that is the last training group of one
    of its classes.

    Args:
        names: N names of the images.
        groups: Images that must stay together, as of `same_files`.
        classes: The classes that each image shows.
        test_share: Share of test images.
        seed: Seed of the split.

    Returns:
        Indices of training and test images, each ascending.

    Raises:
        ValueError: If there are not two groups, or each holds a class that no other one shows.

    Example:
        >>> split_images_by_class(["a", "b", "c", "d"], [[0], [1], [2], [3]], [{0}, {0}, {1}, {1}], test_share=0.5)
        ([0, 3], [1, 2])
    """
    if len(groups) < 2:
        raise ValueError(f"{len(names)} images, {len(groups)} of them different: no test part can be split off.")
    order = sorted(range(len(groups)), key=lambda g: hashlib.sha256(f"{seed}/{names[groups[g][0]]}".encode()).digest())
    shown = [frozenset().union(*(classes[i] for i in group)) for group in groups]
    left = Counter(c for group in shown for c in group)
    tested: set[int] = set()
    covered: set[int] = set()

    def take(group: int) -> bool:
        if group in tested or any(left[c] < 2 for c in shown[group]) or len(tested) == len(groups) - 1:
            return False
        tested.add(group)
        covered.update(shown[group])
        left.subtract(shown[group])
        return True

    for rarest in sorted(left, key=lambda c: (left[c], c)):
        if rarest not in covered:
            any(take(group) for group in order if rarest in shown[group])
    wanted = max(1, round(test_share * len(names)))
    count = sum(len(groups[g]) for g in tested)
    for group in order:
        if count >= wanted:
            break
        count += len(groups[group]) if take(group) else 0
    if not tested:
        raise ValueError("Every image is the last one of a class: none can be spared for the test.")
    test = sorted(i for g in tested for i in groups[g])
    held = set(test)
    return [i for i in range(len(names)) if i not in held], test
