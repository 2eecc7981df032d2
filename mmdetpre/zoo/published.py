"""Weights that others publish at an address: fetched once, checked by their digest, read by the strict reader.

The table is ``published.csv``, whose every row is what the library of origin says of its file; an empty ``sha256`` is
one that nobody published, empty ``mean`` and ``std`` are those of ImageNet. Digests of eight digits are those in the
names of files, where torchvision and OpenMMLab put the first digits of the SHA-256.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.zoo.entry import MEAN, STD, NotInZoo, ZooEntry, fetch
from mmdetpre.zoo.hub import open_repository
from mmdetpre.zoo.hub_address import SCHEME, HubAddress

TABLE = Path(__file__).with_name("published.csv")
_FORMS = {
    "name": r"zoo:[a-z0-9.-]+/[a-z0-9.-]+",
    **dict.fromkeys(("family", "pretrained_on", "license", "source"), r"\S.*"),
    "sha256": r"(?:[0-9a-f]{8,64})?",
    **dict.fromkeys(("mean", "std"), r"(?:[\d.]+ [\d.]+ [\d.]+)?"),
    "address": r"(?:https?|hf)://\S+",
}


@dataclass(frozen=True, kw_only=True)
class PublishedWeights(ZooEntry):
    """Weights at an address.

    Attributes:
        address: Of the file.
    """

    address: str

    def path(self) -> Path:
        """The file in torch's cache, fetched if it is not there.

        Raises:
            ConnectionError, HubError: If it cannot be fetched.
            NotInZoo: If the file is another one than is named here.
        """
        if self.address.startswith(SCHEME):
            repository = open_repository(HubAddress.read(self.address))
            (path,) = repository.fetch(repository.weights())
            return self.checked(path, f"It is {repository}.")
        try:
            path = fetch(self.address, self.sha256)
        except OSError as error:
            raise ConnectionError(
                f"{self.name} is the file {self.address}, which cannot be fetched: {error}. Without a network, give the"
                " path of a copy instead."
            ) from error
        except RuntimeError as error:
            raise NotInZoo(f"{self.address} has not the file that {self.name} names: {error}.") from error
        return self.checked(path, f"Remove it, so that {self.address} is fetched again.")


def read_table(path: Path = TABLE) -> tuple[PublishedWeights, ...]:
    """The entries of a table of published weights.

    Args:
        path: CSV with the columns of ``published.csv``.

    Raises:
        ValueError: If a column is missing or unknown, a value has another form, or a name is there twice.

    Example:
        >>> next(entry.license for entry in read_table() if entry.name == "zoo:resnet50/imagenet1k-v2")
        'BSD-3-Clause'
    """
    with path.open(encoding="utf-8", newline="") as file:
        entries = tuple(_entries(csv.DictReader(file, strict=True), path))
    names = [entry.name for entry in entries]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{path} has {min(twice)} twice.")
    return entries


def _entries(rows: csv.DictReader[str], path: Path) -> Iterator[PublishedWeights]:
    if list(rows.fieldnames or ()) != list(_FORMS):
        raise ValueError(f"{path} has the columns {rows.fieldnames}, not {', '.join(_FORMS)}.")
    for row in rows:
        wrong = [key for key in row if key not in _FORMS or not re.fullmatch(_FORMS[key], row[key] or "")]
        if wrong:
            raise ValueError(f"{path}, line {rows.line_num}: {wrong[0] or 'a further column'} is not of its form.")
        mean, std = (_numbers(row, key) for key in ("mean", "std"))
        values = {key: row[key] for key in _FORMS if key not in ("mean", "std", "sha256")}
        yield PublishedWeights(**values, sha256=row["sha256"] or None, mean=mean or MEAN, std=std or STD)


def _numbers(row: Mapping[str, str], key: str) -> tuple[float, float, float] | None:
    if not row[key]:
        return None
    first, second, third = map(float, row[key].split())
    return first, second, third


PUBLISHED = read_table()
