"""Reads the weights of any checkpoint, without running code that it carries."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mmdetpre.checkpoints.safety import strict_loading
from mmdetpre.checkpoints.torch_file import first_reason, read_torch_file
from mmdetpre.transfer.backbone_metadata import BackboneMetadata, PreprocessingMetadata
from mmdetpre.transfer.file_kind import other_kind
from mmdetpre.transfer.mxnet_params import LIST_START, MXNetParamsError, read_mxnet_params
from mmdetpre.transfer.numpy_unpickler import load_arrays
from mmdetpre.transfer.sharded_weights import INDEX_ENDING, ShardError, shards_of, weights_of_folder
from mmdetpre.transfer.weight_entries import EntryError, entries_with_weights, find_weights
from mmdetpre.transfer.wrapped_names import plain_names
from mmdetpre.utils.bounded_files import parse_json
from mmdetpre.zoo.entry import PREFIX, NotInZoo, fetch
from mmdetpre.zoo.hub import open_repository
from mmdetpre.zoo.hub_address import SCHEME, HubAddress, HubError
from mmdetpre.zoo.names import zoo_entry

METADATA_KEY = "mmdetpre_backbone"
LEGACY_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


_DAMAGED = (
    *(RuntimeError, EOFError, OSError, ValueError, KeyError),
    *(AssertionError, TypeError, IndexError, AttributeError, OverflowError, MemoryError),
)
"""What torch and others raise for bytes that are none of theirs."""


class CheckpointError(ValueError):
    """A file from which no weights can be read."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights of one file.

    Attributes:
        source: Path or address, as given.
        kind: ``torch``, ``pickle``, ``safetensors`` or ``mxnet``.
        entry: Which entry of the file the tensors are from; empty if the file is one dictionary of tensors.
        tensors: Tensors by their names in the file, without the marks of torch.compile and other wrappers; on the CPU.
        meta: mmengine's ``meta`` dictionary, or the metadata of a safetensors file.
        averaged: Whether mmengine's EMAHook wrote the file: ``state_dict`` then holds the averaged weights, and
            ``ema_state_dict`` those that were trained.
        others: Further entries of the file with tensors, such as ``state_dict_ema``.
        commit: Of weights from the Hugging Face Hub, in words.
    """

    source: str
    kind: str
    entry: str
    tensors: dict[str, Tensor]
    meta: dict[str, Any] = field(default_factory=dict)
    averaged: bool = False
    others: tuple[str, ...] = ()
    commit: str = ""

    @property
    def config_text(self) -> str:
        """Text of the config of the run that wrote the file, to be read as data; empty if it tells none.

        Versions of mmdet before 3 call it ``config``; `mmdetpre.checkpoints.loaders.as_data` renames both.
        """
        found = (self.meta.get(key) for key in ("cfg", "config", "cfg_text", "config_text"))
        return next((text for text in found if isinstance(text, str)), "")

    @property
    def backbone_metadata(self) -> BackboneMetadata:
        """What `mmdetpre.transfer.backbone_file` wrote, or an empty dictionary; the file's values, not checked."""
        metadata = self.meta.get(METADATA_KEY)
        return cast(BackboneMetadata, metadata) if isinstance(metadata, dict) else {}


def read_checkpoint(source: str | os.PathLike[str], entry: str | None = None) -> Checkpoint:
    """Read the weights of a checkpoint of mmengine, torchvision, timm, detectron2 or any other dictionary of tensors.

    Args:
        source: Local path; of weights in several files their index, of a repository of Hugging Face its folder;
            ``zoo:NAME`` of `mmdetpre.zoo`; ``hf://USER/REPO[/FILE][@REVISION]``; ``http(s)://``, or an address that
            mmengine knows (``torchvision://``, ...).
        entry: The entry with the weights, such as ``ema_state_dict`` or ``model.state_dict``; by default the usual one,
            see `mmdetpre.transfer.weight_entries.find_weights`.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is cut off, is not a checkpoint, holds more than data, or holds no or several
            entries with weights.

    Example:
        >>> read_checkpoint("work_dirs/run/epoch_12.pth").entry
        'state_dict'
    """
    name = os.fspath(source)
    try:
        return _read(name, entry)
    except ShardError as error:
        raise CheckpointError(str(error)) from error


def _read(name: str, entry: str | None) -> Checkpoint:
    scheme, commit = re.match(r"^([\w+.-]+:)?[\w+-]+://", name), ""
    if scheme is None or re.match(r"^(https?|hf)://", name):
        if name.startswith(SCHEME):
            path, commit = _from_hub(name)
        else:
            path = _download(name) if scheme else weights_of_folder(Path(name).expanduser())
        shards = shards_of(path) if path.name.endswith(INDEX_ENDING) else None
        kind, content, meta = _read_shards(path, shards) if shards else _read_file(path, name)
        if commit and kind not in ("torch", "safetensors"):
            raise CheckpointError(f"{name} is a {kind} file: of the Hub only torch's own and safetensors are read.")
    else:
        kind, content, meta = "torch", _load_address(name), {}
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{name} holds one {type(content).__name__}; a checkpoint is a dictionary of tensors. Save it with"
            " torch.save(model.state_dict(), path)."
        )
    try:
        found, weights = find_weights(content, entry)
    except EntryError as error:
        raise CheckpointError(f"{name} {error}") from None
    plain = plain_names(map(str, weights))
    tensors = {plain[str(key)]: tensor for key, value in weights.items() if (tensor := _tensor(value)) is not None}
    stored = content.get("meta")
    meta = {**(stored if isinstance(stored, Mapping) else {}), **meta}
    others = tuple(path for path in entries_with_weights(content) if path != found)
    return Checkpoint(name, kind, found, tensors, meta, "ema_state_dict" in content, others, commit)


def _load_address(name: str) -> Any:
    try:
        from mmengine.runner.checkpoint import CheckpointLoader
    except ModuleNotFoundError as error:
        raise CheckpointError(f"{name} is an address of OpenMMLab's, which mmengine fetches: install it.") from error
    try:
        with strict_loading():
            return CheckpointLoader.load_checkpoint(name, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"The checkpoint holds more than plain data: {first_reason(str(error))}.") from error
    except KeyError as error:
        raise CheckpointError(f"{name}: mmengine knows no model {error} at such addresses.") from error
    except (ImportError, RuntimeError, EOFError, OSError, ValueError) as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"{name} cannot be fetched: {told[0]}.") from error


def _read_shards(index: Path, shards: Mapping[Path, Sequence[str]]) -> tuple[str, Any, dict[str, Any]]:
    """All files of an index as one; every tensor that it names has to be there."""
    tensors: dict[str, Any] = {}
    kind = ""
    meta: dict[str, Any] = {}
    for path, names in shards.items():
        kind, content, meta = _read_file(path, str(path))
        if lacking := [name for name in names if name not in content]:
            raise CheckpointError(f"{path} lacks {lacking[0]!r}, which {index} says it holds: download both again.")
        tensors |= {name: content[name] for name in names}
    return kind, tensors, meta


def _tensor(value: Any) -> Tensor | None:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))
    return value if isinstance(value, Tensor) else None


def _read_file(path: Path, name: str) -> tuple[str, Any, dict[str, Any]]:
    if name.startswith(PREFIX):
        try:
            weights = zoo_entry(name)
            kind, content, _ = _read_file(weights.path(), weights.source)
        except (NotInZoo, ConnectionError, HubError) as error:
            raise CheckpointError(str(error)) from error
        preprocessing = PreprocessingMetadata(
            mean=list(weights.mean), std=list(weights.std), channel_order=weights.channel_order, style=weights.style
        )
        return kind, content, {METADATA_KEY: BackboneMetadata(preprocessing=preprocessing)}
    if not path.is_file():
        raise FileNotFoundError(f"{name} is {'a folder' if path.is_dir() else 'not there'}: give the path of a file.")
    fetched = re.match(r"^(https?|hf)://", name)
    again = f"Remove {path.resolve()}, so that it is fetched again." if fetched else "Copy or download it again."
    with path.open("rb") as file:
        start = file.read(512)
        file.seek(0)
        if other := other_kind(path, start):
            raise CheckpointError(f"{name} is not a checkpoint: it is {other}.{f' {again}' if fetched else ''}")
        try:
            if start.startswith(b"PK\x03\x04") or start.startswith(LEGACY_TORCH_MAGIC):
                # Mapped: optimizer states of a training checkpoint are then never read.
                return "torch", read_torch_file(path, mapped=True), {}
            if start[8:9] == b"{":
                return _read_safetensors(path)
            if start[:1] == b"\x80":
                return "pickle", load_arrays(file), {}
            if start.startswith(LIST_START):
                return "mxnet", read_mxnet_params(path), {}
        except MXNetParamsError as error:
            raise CheckpointError(f"{name} cannot be read as an MXNet .params file: {error}.") from error
        except pickle.UnpicklingError as error:
            raise CheckpointError(
                f"{name} holds more than tensors, numbers and plain containers, and is not read, for reading the rest"
                f" would run code of the file: {first_reason(str(error))}. If you trust it, save its weights alone,"
                " where it was made, with torch.save(model.state_dict(), path)."
            ) from error
        except _DAMAGED as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(
                f"{name} ({path.stat().st_size} bytes) is cut off or damaged: {said}. {again}"
            ) from error
    raise CheckpointError(
        f"{name} is not a checkpoint: it begins with {start[:16]!r}. Known: files of torch.save, safetensors, pickled"
        " NumPy arrays, and MXNet's .params."
    )


def _read_safetensors(path: Path) -> tuple[str, Any, dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise OSError(str(error)) from error
    if METADATA_KEY in metadata:
        metadata[METADATA_KEY] = parse_json(metadata[METADATA_KEY], "its metadata")
    return "safetensors", tensors, metadata


def _download(address: str) -> Path:
    try:
        return fetch(address)
    except OSError as error:
        raise CheckpointError(f"{address} cannot be fetched: {error}.") from error


def _from_hub(name: str) -> tuple[Path, str]:
    """Path in the cache of the weights in a repository, or of their index beside all its files; and which commit."""
    try:
        repository = open_repository(HubAddress.read(name))
        weights = repository.weights()
        (path,) = repository.fetch(weights)
        if weights.endswith(INDEX_ENDING):
            folder = weights.rpartition("/")[0]
            shards = shards_of(path, all_there=False)
            repository.fetch(*(f"{folder}/{shard.name}".lstrip("/") for shard in shards))
    except HubError as error:
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"{name} cannot be fetched: {error}.") from error
    return path, str(repository)
