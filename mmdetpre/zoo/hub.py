"""Weights in repositories of the Hugging Face Hub, ``hf://USER/REPO[/FILE][@REVISION]``.

Nothing of a repository is imported or run; its files are read by the strict reader, as any other. ``huggingface_hub``,
the extra ``hub``, keeps them in its cache (``HF_HOME``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.utils.bounded_files import GIB
from mmdetpre.utils.plain_text import one_line
from mmdetpre.zoo.hub_address import SCHEME, HubAddress, HubError, HubUnreachable, hub_client

ENDINGS = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".index.json")
"""Of files that are fetched: tensors as safetensors or as torch's ``weights_only`` reads them, and their index."""
USUAL = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""What a repository calls its weights, the first that is there."""
MOST_BYTES = 32 * GIB
"""Of all files that are fetched for one backbone."""
_SHOWN = 8


@dataclass(frozen=True)
class Repository:
    """The files of one revision of a repository.

    Attributes:
        address: As asked for.
        sizes: File -> bytes.
        commit: Of the revision.
        folder: In the cache, where the Hub cannot be reached; None: files are fetched.
    """

    address: HubAddress
    sizes: Mapping[str, int]
    commit: str
    folder: Path | None = None

    def __str__(self) -> str:
        return f"commit {self.commit[:12]}{', of the cache, for the Hub does not answer' if self.folder else ''}"

    def weights(self) -> str:
        """The file with the weights: the one that the address names, else the usual one, else the only one.

        Raises:
            HubError: If there is none, or several and none is named; or if it is not of a kind that is read.
        """
        weights = [file for file in self.sizes if file.endswith(ENDINGS)]
        shown = _listed(weights) or "none"
        if file := self.address.file:
            if not file.endswith(ENDINGS):
                raise HubError(f"{self.address} is not read: of a repository only {', '.join(ENDINGS)} are.")
            if file not in self.sizes:
                raise HubError(f"{self.address.repo} has no file {file}; its files of weights are {shown}.")
            return file
        alone = [file for file in weights if not file.endswith(".json")]
        usual = [file for file in USUAL if file in self.sizes] or (alone if len(alone) == 1 else [])
        if usual:
            return usual[0]
        if alone:
            raise HubError(
                f"{self.address} has several files of weights: give one, {SCHEME}{self.address.repo}/FILE, of {shown}."
            )
        files = _listed(self.sizes)
        raise HubError(f"{self.address} has no weights: {f'its files are {files}' if files else 'it is empty'}.")

    def fetch(self, *files: str) -> list[Path]:
        """Paths of files in the cache, which they are brought to if they are not there.

        Raises:
            HubError: If one is not in the repository, they are too large together, or they cannot be fetched.
        """
        if lacking := [file for file in files if file not in self.sizes]:
            there = "in the cache, and the Hub does not answer" if self.folder else "in the repository"
            raise HubError(f"{self.address}: {one_line(lacking[0])} is not {there}.")
        if (size := sum(self.sizes[file] for file in files)) > MOST_BYTES:
            raise HubError(
                f"{self.address}: its weights are {size / GIB:,.0f} GiB, and a backbone has at most"
                f" {MOST_BYTES / GIB:.0f}: name another file. Nothing was fetched."
            )
        if self.folder is not None:
            return [self.folder / file for file in files]
        at = self.address
        with hub_client(at) as hub:
            return [Path(hub.hf_hub_download(at.repo, file, revision=at.revision)) for file in files]


def open_repository(address: HubAddress) -> Repository:
    """The files of a repository, as the Hub lists them; where it does not answer, those of the cache.

    Raises:
        HubError: If there is no such repository or revision, or neither the Hub nor the cache has it.
    """
    try:
        with hub_client(address) as hub:
            found = hub.model_info(address.repo, revision=address.revision, files_metadata=True, timeout=30)
    except HubUnreachable as error:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            cached = snapshot_download(address.repo, revision=address.revision, local_files_only=True)
        except LocalEntryNotFoundError:
            raise error from None
        folder = Path(cached)
        kept = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        return Repository(address, {name: path.stat().st_size for name, path in kept.items()}, folder.name, folder)
    # What no size is told of is not fetched.
    sizes = {one.rfilename: MOST_BYTES + 1 if one.size is None else one.size for one in found.siblings or ()}
    return Repository(address, sizes, found.sha or "")


def _listed(files: Mapping[str, int] | list[str]) -> str:
    names = sorted(map(one_line, files))
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
