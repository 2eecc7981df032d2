"""Weights in several files with an index, and the folder of a repository, as Hugging Face keeps them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from mmdetpre.utils.bounded_files import read_json
from mmdetpre.zoo.hub import USUAL

INDEX_ENDING = ".index.json"


class ShardError(ValueError):
    """An index, or a folder, that leads to no weights."""


def weights_of_folder(path: Path) -> Path:
    """The file of weights in the folder of a repository; any other path as it is.

    Raises:
        ShardError: If it is a folder with configs or the like, but no weights; or one of several files, by its name.
    """
    if not path.is_dir():
        together = re.search(r"-\d{5}-of-(\d{5})\.\w+$", path.name)
        if together and int(together[1]) > 1:
            raise ShardError(f"{path} is one of {int(together[1])} files with the weights: give their {INDEX_ENDING}.")
        return path
    for name in USUAL:
        if (path / name).is_file():
            return path / name
    raise ShardError(f"{path} is a folder without {' or '.join(USUAL[::2])}: give the path of a file.")


def shards_of(index: Path, *, all_there: bool = True) -> dict[Path, list[str]]:
    """Files that an index names, beside it -> names of their tensors.

    Args:
        index: The index.
        all_there: Whether these files must be there.

    Raises:
        FileNotFoundError: If one of them, or the index, is not there.
        ShardError: If it is not such an index, or names files of other folders.
    """
    if not index.is_file():
        raise FileNotFoundError(f"{index} is not there: give the path of a file.")
    try:
        content = read_json(index)
        names = content["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise ShardError(f"{index} is not an index of weights in several files ({error}).") from error
    shards: dict[Path, list[str]] = {}
    for name, file in names.items() if isinstance(names, Mapping) else ():
        if not isinstance(file, str) or Path(file).name != file or file in ("", ".", ".."):
            raise ShardError(f"{index} names {file!r}, which is not a file beside it: it is not read.")
        shards.setdefault(index.parent / file, []).append(name)
    if not shards:
        raise ShardError(f"{index} names no tensors: it is not an index of weights in several files.")
    if all_there and (lacking := [path for path in shards if not path.is_file()]):
        raise FileNotFoundError(
            f"{lacking[0]} is not there, one of {len(shards)} files that {index.name} names: download all of them."
        )
    return shards
