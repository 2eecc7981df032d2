"""The checkpoint a run left, and what identifies weights."""

from __future__ import annotations

from pathlib import Path

from mmdetpre.checkpoints.newest_whole import newest_whole
from mmdetpre.utils.bounded_files import file_sha256


def last_checkpoint(folder: Path) -> Path:
    """The newest whole checkpoint of a work dir.

    Raises:
        FileNotFoundError: If there is none.
    """
    found = newest_whole(folder)
    if found.path is None:
        if not found.damaged:
            raise FileNotFoundError(f"{folder} holds no checkpoint: its training wrote none.")
        damaged = "; ".join(f"{path.name}: {reason}" for path, reason in found.damaged)
        raise FileNotFoundError(f"{folder} holds no whole checkpoint ({damaged}): train again.")
    return found.path


def weights_id(name: str | None, root: Path) -> str | None:
    """What identifies weights: the digest of a backbone in its metadata, else of the file; an address as it is."""
    from mmdetpre.transfer.checkpoint_reader import read_checkpoint

    if not name or not (path := root / name).is_file():
        return name
    metadata = read_checkpoint(path).backbone_metadata
    return str(metadata["digest"]) if metadata and "digest" in metadata else file_sha256(path)
