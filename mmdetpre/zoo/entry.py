"""What the zoo knows of published weights, and the cache that files of an address are kept in."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.utils.bounded_files import file_sha256
from mmdetpre.utils.locks import file_lock

PREFIX = "zoo:"
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of ImageNet in RGB, as nearly all publish their weights for."""


class NotInZoo(ValueError):
    """A name that the zoo does not have, or a file that is not the one it names."""


@dataclass(frozen=True, kw_only=True)
class ZooEntry(ABC):
    """Published weights.

    Attributes:
        name: In full, with ``zoo:``.
        family: Of `mmdetpre.transfer.families`.
        pretrained_on: Data and task.
        license: As the publisher states it.
        source: Where they are published, or the name by which the library of origin knows them.
        sha256: Of the file, or the first digits of it where only those are published; None: nothing is.
        mean: Subtracted from each channel, in grey levels.
        std: Divided by, likewise.
        channel_order: As the network sees them.
    """

    name: str
    family: str
    pretrained_on: str
    license: str
    source: str
    sha256: str | None = None
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    channel_order: str = "rgb"

    @property
    def style(self) -> str | None:
        """Where a ResNet's bottleneck has its stride; None for other families."""
        return "pytorch" if self.family == "ResNet" else None

    @abstractmethod
    def path(self) -> Path:
        """The file, whose digest was checked.

        Raises:
            OSError: If it is not there, or cannot be fetched.
            NotInZoo: If it is another file than is named here.
        """

    def checked(self, path: Path, again: str) -> Path:
        """The path, if its file is the one that is named here.

        Args:
            path: The file.
            again: What to do if it is not.

        Raises:
            NotInZoo: If it is not.
        """
        if self.sha256 is not None and not (found := file_sha256(path)).startswith(self.sha256):
            raise NotInZoo(
                f"{path} is not the file that {self.name} names: its SHA-256 begins with {found[:12]}, not with"
                f" {self.sha256[:12]}. {again}"
            )
        return path


def fetch(address: str, sha256: str | None = None) -> Path:
    """The file of an address, in torch's cache; one process of a machine fetches it.

    Args:
        address: ``http://`` or ``https://``.
        sha256: First digits of the digest of what is fetched; another file is not kept.

    Raises:
        OSError: If it cannot be fetched.
        RuntimeError: If its digest is another one.
    """
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    # Two addresses may end in the same name: model.pth, best.pth.
    path = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:8]}-{Path(address.split('?')[0]).name}"
    with file_lock(f"{path}.lock"):
        if not path.exists():
            torch.hub.download_url_to_file(address, str(path), sha256, progress=False)
    return path
