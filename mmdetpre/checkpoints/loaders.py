"""Has mmengine read every checkpoint by our strict reader, and take what a file says about the run as data.

mmengine finds the function that reads a checkpoint by how its address begins (``CheckpointLoader.register_scheme``).
`guard_mmengine` registers a strict one for each: under ``mim train``, ``--resume``, ``mim test`` and
``init_cfg=dict(type='Pretrained', ...)`` of any config that imports this package, on any version of mmengine.
"""

from __future__ import annotations

import functools
import logging
import os
import pickle
import reprlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mmdetpre.checkpoints.dataset_meta import plain_dataset_meta
from mmdetpre.checkpoints.safety import strict_loading
from mmdetpre.checkpoints.torch_file import NotPlainData, first_reason, read_torch_file
from mmdetpre.utils.when_imported import when_imported

CODE = ("config", "cfg")
"""Entries in which mmengine keeps the text of a run's config, which it executes where it finds it."""


def guard_mmengine() -> None:
    """Register strict readers with mmengine: now, or as soon as its Runner is imported.

    Called where mmengine meets this package.
    """
    when_imported("mmengine.runner.checkpoint", _register)


def as_data(checkpoint: Any, source: str) -> Any:
    """A checkpoint without what mmengine would execute, remove or believe; changed in place.

    * The text of a config moves from ``config`` and ``cfg`` to ``config_text`` and ``cfg_text`` of ``meta``:
      ``Runner.resume`` and ``BaseInferencer`` execute it where they find it.
    * ``best_ckpt`` and ``keep_ckpt_ids`` of the message hub, whose files ``CheckpointHook`` removes when a better
      checkpoint is there, stay if they are a ``best_*.pth`` next to the checkpoint, and numbers.
    * ``dataset_meta``, whose names and colors inferencers show, is made plain: `plain_dataset_meta`.

    Args:
        checkpoint: What was read; anything but a dictionary is left as it is.
        source: Where it was read from.

    Raises:
        ValueError: If what it says of classes is not a list of names.

    Example:
        >>> as_data({"meta": {"epoch": 3, "config": "import os"}}, "epoch_3.pth")
        {'meta': {'epoch': 3, 'config_text': 'import os'}}
    """
    meta = checkpoint.get("meta") if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        if "dataset_meta" in meta:
            meta["dataset_meta"] = plain_dataset_meta(meta["dataset_meta"], source)
        for key in CODE:
            if key in meta:
                meta[f"{key}_text"] = meta.pop(key)
    hub = checkpoint.get("message_hub") if isinstance(checkpoint, dict) else None
    said = hub.get("runtime_info") if isinstance(hub, dict) else None
    if isinstance(hub, dict) and isinstance(said, dict):
        for key in [key for key, value in said.items() if not _harmless(key, value, source)]:
            if key not in CODE:
                found = f"{source} names {reprlib.repr(said[key])} as its {key}"
                _warn(f"{found}, which is not a best_*.pth next to it: it is not believed.")
            del said[key]
            if isinstance(hub.get("resumed_keys"), dict):
                hub["resumed_keys"].pop(key, None)
    return checkpoint


def _harmless(key: Any, value: Any, source: str) -> bool:
    if not isinstance(key, str) or key in CODE:
        return False
    if key == "keep_ckpt_ids":
        return isinstance(value, list) and all(type(step) is int for step in value)
    if key.startswith("best_ckpt"):
        return value is None or (isinstance(value, str) and _next_to(value, source))
    return True


def _next_to(path: str, source: str) -> bool:
    """Whether a path is a checkpoint file in the folder of another one, or is not there."""
    if "://" in path:
        return False
    there = Path(path)
    if not os.path.lexists(there):
        return True
    beside = os.path.realpath(there.parent) == os.path.realpath(Path(source).expanduser().parent)
    named = there.name.startswith("best_") and there.suffix == ".pth"
    return beside and named and there.is_file() and not there.is_symlink()


def _local_file(filename: str, map_location: Any = None, **options: Any) -> Any:
    path = os.path.expanduser(filename)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{filename} can not be found.")
    return read_torch_file(path, map_location)


def _read(f: Any, map_location: Any = None, *switches: Any, **options: Any) -> Any:
    """Stands for ``torch.load``: what a caller says of trust and of pickle modules does not count."""
    if isinstance(f, str | os.PathLike):
        return read_torch_file(f, map_location)
    begin = f.tell()
    with tempfile.NamedTemporaryFile(suffix=".pth") as copy:
        shutil.copyfileobj(f, copy)
        copy.flush()
        try:
            return read_torch_file(copy.name, map_location)
        except Exception:
            f.seek(begin)  # the fork of mmengine tries again, with torch's protection off
            raise


@contextmanager
def _only_our_reader() -> Iterator[None]:
    """While it is open, ``torch.load`` is our reader; inside `strict_loading`, so for one thread at a time.

    The functions by which the hosts fetch a checkpoint call ``torch.load`` with lists of their own of what to trust.
    """
    theirs, torch.load = torch.load, _read
    try:
        yield
    finally:
        torch.load = theirs


def _strict(load: Callable[..., Any], theirs: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(theirs)  # mmengine tells its log the function's name
    def load_as_data(filename: str, map_location: Any = None, **options: Any) -> Any:
        try:
            with strict_loading(), _only_our_reader():
                return as_data(load(filename, map_location, **options), filename)
        except pickle.UnpicklingError as error:
            raise NotPlainData(
                f"{filename} is not read, and nothing of it was run: it holds {first_reason(str(error))}. A checkpoint"
                " holds tensors, numbers, plain containers and mmengine's log. If you trust it, save its weights alone,"
                " where it was made, with torch.save(model.state_dict(), path)."
            ) from None

    load_as_data.strict = True  # type: ignore[attr-defined]
    return load_as_data


def _register(module: Any) -> None:
    loader = module.CheckpointLoader
    for prefix, load in list(loader._schemes.items()):
        if not hasattr(load, "strict"):
            loader.register_scheme(prefix, _strict(_local_file if prefix == "" else load, load), force=True)


def _warn(text: str) -> None:
    from mmengine.logging import print_log

    print_log(text, logger="current", level=logging.WARNING)
