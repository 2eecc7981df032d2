"""Lists of image names, as VOC and ILSVRC ship them."""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections import Counter
from collections.abc import Sequence

from mmdetpre.utils.text_files import read_lines

_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
_NUMBER = re.compile(r"-?\d+")
_OUTSIDE = re.compile(r"/|\.\./|[A-Za-z]:/")
_SUFFIX = re.compile(r"\.(jpe?g|png|bmp|tiff?|webp|xml)$", re.IGNORECASE)


def read_image_list(path: str | os.PathLike) -> list[str]:
    """Image names of a list such as ``ImageSets/Main/trainval.txt``, one per line.

    In the lists of one class (``aeroplane_train.txt``) a second column says whether the image shows it: names with -1
    there are left out. In ILSVRC's lists that column counts lines and is skipped. Where not every line has a whole
    number as its second word, names may hold blanks. Backslashes are taken as slashes, and suffixes of images, if all
    names have one, do not belong to the names.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If the list is empty, names an image twice, or is not text.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp(), "cat_train.txt")
        >>> _ = file.write_text("2008_000001  1\\n2008_000002 -1\\n2008_000003  0\\n")
        >>> read_image_list(file)
        ['2008_000001', '2008_000003']
    """
    lines = read_lines(path, "a text file with one image name per line")
    rows = [line.text.split() for line in lines]
    if flagged := bool(rows) and all(len(row) == 2 and _NUMBER.fullmatch(row[1]) for row in rows):
        names = [row[0] for row in rows if row[1] != "-1"]
    else:
        names = [line.text.strip() for line in lines]
    names = [posixpath.normpath(name.replace("\\", "/")) for name in names]
    if names and all(_SUFFIX.search(name) for name in names):
        names = [_SUFFIX.sub("", name) for name in names]
    if not names:
        raise ValueError(f"{path} names no image: it needs one name per line, without folder and suffix.")
    if outside := [name for name in names if _OUTSIDE.match(name)]:
        raise ValueError(f"{path} names {outside[0]!r}: expected names, without the folder of the images.")
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        seen = " (the second word of each line is taken as a flag)" if flagged else ""
        raise ValueError(f"{path} names an image twice: {twice}{seen}.")
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
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            missing.append(path)
    if missing:
        lines = "\n    ".join(missing[:20] + ["..."] * (len(missing) > 20))
        raise FileNotFoundError(
            f"{len(missing)} of the {len(paths)} files that {named_by} names are missing:\n    {lines}"
        )
    return found
