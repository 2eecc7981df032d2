"""Lists of image names, as VOC and ILSVRC ship them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def read_image_list(path: str | os.PathLike) -> list[str]:
    """Image names of a list such as ``ImageSets/Main/trainval.txt``, one per line.

    In the lists of one class (``aeroplane_train.txt``) a second column says whether the image shows it: names with -1
    there are left out. In ILSVRC's lists that column counts lines and is passed over.

    Raises:
        ValueError: If the list is empty or names an image twice.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "cat_train.txt")
        >>> _ = file.write_text("2008_000001  1\\n2008_000002 -1\\n2008_000003  0\\n")
        >>> read_image_list(file)
        ['2008_000001', '2008_000003']
    """
    rows = (line.split() for line in Path(path).read_text().splitlines())
    names = [row[0] for row in rows if row and row[1:2] != ["-1"]]
    if not names:
        raise ValueError(f"{path} names no image: it needs one name per line, without folder and suffix.")
    if len(set(names)) < len(names):
        raise ValueError(f"{path} names an image twice: {Counter(names).most_common(1)[0][0]}.")
    return names


def file_statuses(paths: Sequence[str], named_by: str) -> list[tuple[str, os.stat_result]]:
    """Path and status of each file, which tell whether one has changed.

    Args:
        paths: Files.
        named_by: What says that they exist, for the message.

    Raises:
        FileNotFoundError: Counts the missing files and names the first twenty.
    """
    found, missing = [], []
    for path in paths:
        try:
            found.append((path, os.stat(path)))
        except FileNotFoundError:
            missing.append(path)
    if missing:
        lines = "\n    ".join(missing[:20] + ["..."] * (len(missing) > 20))
        raise FileNotFoundError(
            f"{len(missing)} of the {len(paths)} files that {named_by} names are missing:\n    {lines}"
        )
    return found
