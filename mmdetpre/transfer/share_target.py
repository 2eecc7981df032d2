"""Where a backbone is shared: a folder, or a repository of the Hugging Face Hub. Nothing is replaced unasked."""

from __future__ import annotations

import os
import re
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.transfer.backbone_file import check_writable
from mmdetpre.utils.whole_file import whole_file
from mmdetpre.zoo.hub import Repository, open_repository
from mmdetpre.zoo.hub_address import SCHEME, HubAddress, HubError, NoRepository, hub_client

FILE, CARD = "model.safetensors", "README.md"
_NAME = re.compile(r"(?:\w[\w.-]*/)*\w[\w.-]*\.safetensors", re.ASCII)


class ShareTarget(ABC):
    """A place for a file of weights and a card.

    Attributes:
        title: What the card is about.
        file: Name of the file of weights.
        weights: How the weights are named by who loads them.
    """

    title: str
    file: str
    weights: str

    @abstractmethod
    def check(self, card: bool) -> None:
        """Find out before the work what would stop `take` after it.

        Args:
            card: Whether a card will come.

        Raises:
            OSError: As `take`.
        """

    @abstractmethod
    def take(self, weights: Path, card: Path | None) -> str:
        """Take the files.

        Args:
            weights: File of weights.
            card: The card; None: none.

        Returns:
            Where they are now.

        Raises:
            FileExistsError: If one is there and may not be replaced.
            OSError: If they cannot be written.
        """


def share_target(target: str, *, public: bool = False, overwrite: bool = False) -> ShareTarget | None:
    """The place that a text names; None for one file.

    Args:
        target: ``hf://USER/REPO[/FILE][@BRANCH]``; or a folder: one that is there, ends in a slash, or has no ending.
        public: Whether a new repository is public.
        overwrite: Whether weights and card are replaced.

    Raises:
        OSError: If it is no such address.

    Example:
        >>> share_target("shared/r50").file, share_target("r50.pth")
        ('model.safetensors', None)
    """
    if target.startswith(SCHEME):
        return HubTarget(HubAddress.read(target), public, overwrite)
    path = Path(target).expanduser()
    return FolderTarget(path, overwrite) if target.endswith(os.sep) or not path.suffix or path.is_dir() else None


@dataclass(frozen=True)
class FolderTarget(ShareTarget):
    """A folder of this machine."""

    folder: Path
    overwrite: bool = False
    file = weights = FILE

    @property
    def title(self) -> str:  # type: ignore[override]
        """Name of the folder."""
        return self.folder.resolve().name

    def check(self, card: bool) -> None:
        """Neither is there, and the folder can be written."""
        for name in (FILE, *([CARD] if card else [])):
            if (self.folder / name).exists() and not self.overwrite:
                raise FileExistsError(_there(f"{self.folder / name} exists", name))
        check_writable(self.folder / FILE, self.overwrite)

    def take(self, weights: Path, card: Path | None) -> str:
        """Write them, each whole."""
        self.check(card is not None)
        for name, source in ((FILE, weights), *([(CARD, card)] if card else [])):
            with whole_file(self.folder / name, overwrite=self.overwrite) as part:
                shutil.copyfile(source, part)
        return str(self.folder)


@dataclass(frozen=True)
class HubTarget(ShareTarget):
    """A repository of the Hub, made if it is not there."""

    address: HubAddress
    public: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.file):
            raise HubError(
                f"{self.address} cannot be written: give hf://USER/REPO, or a file of it that ends in .safetensors."
            )

    @property
    def title(self) -> str:  # type: ignore[override]
        """Name of the repository."""
        return self.address.repo.partition("/")[2]

    @property
    def file(self) -> str:  # type: ignore[override]
        """As the address names it."""
        return self.address.file or FILE

    @property
    def weights(self) -> str:  # type: ignore[override]
        """The address."""
        return str(self.address)

    def check(self, card: bool) -> None:
        """Somebody is logged in, and neither is there."""
        with hub_client(self.address) as hub:
            hub.whoami()
        self._opened(card)

    def _opened(self, card: bool) -> Repository | None:
        """What is there now; None: no repository yet."""
        try:
            there = open_repository(self.address)
        except NoRepository:
            return None
        if there.folder is not None:
            raise HubError(f"{self.address} cannot be written: the Hub does not answer.")
        for name in (self.file, *([CARD] if card else [])):
            if name in there.sizes and not self.overwrite:
                raise FileExistsError(_there(f"{self.address.repo} has {name} already", name))
        return there

    def take(self, weights: Path, card: Path | None) -> str:
        """Make one commit of them."""
        from huggingface_hub import CommitOperationAdd

        there = self._opened(card is not None)
        files = {self.file: weights, **({CARD: card} if card else {})}
        with hub_client(self.address) as hub:
            if there is None:
                hub.create_repo(self.address.repo, private=not self.public)
            commit = hub.create_commit(
                self.address.repo,
                [CommitOperationAdd(name, str(path)) for name, path in files.items()],
                commit_message="Backbone and model card by mmdetpre" if card else "Backbone by mmdetpre",
                revision=self.address.revision,
                parent_commit=there.commit if there else None,  # nothing that came in the meantime is replaced
            )
        return str(commit.commit_url)


def _there(what: str, name: str) -> str:
    no_card = ", leave the card out with --no-card" if name == CARD else ""
    return f"{what}: choose another place{no_card}, or allow it to be replaced with --overwrite."
