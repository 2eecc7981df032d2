"""Runs on machines that share no folder with the study: what a run needs goes to it in archives, and so it comes back.

::

    given/RUN.tar    the plan, what the run does and the configs that it, or a run before it, trains
    kept/RUN.tar     its record, log, figures and work dir, of whose checkpoints the last one and the backbone
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from mmdetpre.checkpoints.newest_whole import newest_whole
from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.study.layout import BACKBONE, config_path, job_path, work_dir
from mmdetpre.study.runs.run import run_job
from mmdetpre.utils.bounded_files import MIB, read_bounded, read_json
from mmdetpre.utils.own_files import require_inside, write_own
from mmdetpre.utils.whole_file import whole_file, write_json

_CONFIGS = "{configs}"
"""Stands for the folder of the shipped configs, which is another one on every machine."""
_FIGURES = "figures"
_GIVEN = ("study.json", "jobs/", "configs/")


def all_needs(runs: Mapping[str, Mapping[str, Any]], run: str) -> list[str]:
    """Runs that come before a run, those that these need included.

    Args:
        runs: The runs of a plan.
        run: Id of the run.

    Example:
        >>> all_needs({"a": {"needs": []}, "b": {"needs": ["a"]}, "c": {"needs": ["b"]}}, "c")
        ['a', 'b']
    """
    found: dict[str, None] = {}
    for need in runs[run].get("needs") or ():
        found |= dict.fromkeys([*all_needs(runs, need), need])
    return list(found)


def give(out: Path, run: str, archive: Path) -> None:
    """Write what a run needs of the plan.

    Args:
        out: Folder of the study.
        run: Id of the run.
        archive: The archive.
    """
    runs = read_json(out / "study.json")["runs"]
    files = [out / "study.json"]
    for name in (run, *all_needs(runs, run)):
        files += [path for path in (job_path(out, name), config_path(out, name)) if path.is_file()]
    with whole_file(archive) as part, tarfile.open(part, "w") as tar:
        for file in files:
            content = read_bounded(file, 64 * MIB)
            if file == job_path(out, run):
                content = json.dumps(_shipped(read_json(file), str(CONFIG_ROOT.resolve()), _CONFIGS)).encode()
            member = tarfile.TarInfo(file.relative_to(out).as_posix())
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def work(root: Path, out: Path, run: str, archives: Iterable[Path], kept: Path, errors: TextIO | None = None) -> None:
    """Make a run from archives, and one of what it gave.

    Args:
        root: Folder that relative paths of the plan and of configs are of.
        out: Folder of the study, relative to it.
        run: Id of the run.
        archives: What it was given, then what was kept of the runs before it, in the order of `all_needs`.
        kept: The archive to write.
        errors: Where it is said that the run failed.

    Raises:
        RuntimeError: If the run fails.
        ValueError: If an archive is none of ours, or leads out of the folder.
    """
    folder = root / out
    given, *needed = archives
    unpack(given, folder, _GIVEN)
    for name, archive in zip(all_needs(read_json(folder / "study.json")["runs"], run), needed, strict=True):
        unpack(archive, folder, _kept(name))
    job = job_path(folder, run)
    write_json(job, _shipped(read_json(job), _CONFIGS, str(CONFIG_ROOT.resolve())))
    if run_job(out, run, root, errors=errors):
        raise RuntimeError(f"{run} failed, see above")
    with whole_file(kept) as part, tarfile.open(part, "w") as tar:
        for file in _kept_files(folder, run):
            tar.add(file, file.relative_to(folder).as_posix(), recursive=False)


def fetch(kept: Path, out: Path, run: str) -> None:
    """Put what a run gave into the study's folder.

    Args:
        kept: Its archive.
        out: The folder.
        run: Id of the run.

    Raises:
        ValueError: If the archive is none of this run.
    """
    unpack(kept, out, _kept(run))
    record = out / "records" / f"{run}.json"
    if not record.is_file():
        raise ValueError(f"{kept} has no record of {run}: remove it and start the study again.")
    os.utime(record)  # newer than the archive
    (out / "failed" / f"{run}.json").unlink(missing_ok=True)


def unpack(archive: Path, out: Path, allowed: Sequence[str]) -> None:
    """Extract an archive: plain files only, and only where they belong in the study's folder.

    Args:
        archive: The archive, which may be a stranger's.
        out: Folder of the study.
        allowed: Files that it may hold, and folders, which end in ``/``.

    Raises:
        ValueError: If it is damaged or holds anything else.
    """
    figures: dict[str, str | bytes] = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                placed = any(str(path) == name or str(path).startswith(name) and name[-1] == "/" for name in allowed)
                if not member.isfile() or ".." in path.parts or "\\" in member.name or not placed:
                    raise ValueError(f"{member.name!r} is not a file of a study")
                content = tar.extractfile(member)
                assert content is not None
                if path.parts[0] == _FIGURES and len(path.parts) == 2:
                    figures[path.name] = content.read()
                    continue
                target = out / path
                require_inside(target, out)
                target.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(target, links=False) as part, part.open("wb") as file:
                    while block := content.read(1 << 22):
                        file.write(block)
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise ValueError(
            f"{archive} is not an archive of a study's run ({error}): remove it and start again."
        ) from error
    if figures:
        write_own(out / _FIGURES, figures, out)


def _kept(run: str) -> tuple[str, ...]:
    return f"records/{run}.json", f"logs/{run}.log", f"runs/{run}/", f"{_FIGURES}/"


def _shipped(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _shipped(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_shipped(item, old, new) for item in value]
    return new + value[len(old) :] if isinstance(value, str) and value.startswith(f"{old}/") else value


def _kept_files(out: Path, run: str) -> Sequence[Path]:
    folder = work_dir(out, run)
    last = newest_whole(folder).path if folder.is_dir() else None
    others = [out / "records" / f"{run}.json", out / "logs" / f"{run}.log", *sorted((out / _FIGURES).glob("[!.]*"))]
    files = [*others, *sorted(folder.rglob("*"))]
    return [
        file
        for file in files
        if file.is_file() and not file.is_symlink() and (file.suffix != ".pth" or file == last or file.name == BACKBONE)
    ]
