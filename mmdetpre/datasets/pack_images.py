"""What `mmdetpre pack` packs: the images of a data set with their annotations, or those of a folder."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetpre.datasets.images.backend_args import image_backend_args
from mmdetpre.datasets.images.photo_names import IMAGE_SUFFIXES
from mmdetpre.datasets.images.size import read_image_size
from mmdetpre.datasets.packed.cache import fingerprint
from mmdetpre.storage.read import is_local, read_bytes
from mmdetpre.storage.shards.writer import Files, Packed, write_shards
from mmdetpre.utils.progress_bar import progress_bar

_SHOWN = 5


def pack_data_set(
    dataset: Any, out: str | os.PathLike[str], *, per_shard: int = 4000, workers: int = 16
) -> tuple[Packed, str]:
    """Pack the images of a data set, wherever they lie, with its boxes or labels beside each.

    A name in the index is the path of the image below the folder that all of them share (:func:`shared_root`).

    Args:
        dataset: Any data set of mmdet, mmpretrain or this package whose data infos have ``img_path``.
        out: See `mmdetpre.storage.shards.writer.write_shards`.
        per_shard: Files in each shard.
        workers: Threads that read.

    Returns:
        What was packed; what the paths begin with before the names in the index (``root`` of the backend).

    Raises:
        FileNotFoundError: If images are missing: how many, and the first few.
        ValueError: If the data set has no image paths, or an image twice.
        FileExistsError, StorageError: As `write_shards`.
    """
    args = image_backend_args(dataset)
    paths = list(_paths(dataset))
    root, classes = shared_root(paths), (getattr(dataset, "metainfo", None) or {}).get("classes") or ()

    def annotation(i: int) -> dict[str, Any]:
        return annotation_of(dataset.get_data_info(i), classes)

    return _write(out, paths, root, args, annotation, per_shard, workers), root


def pack_folder(folder: str | os.PathLike[str], out: str | os.PathLike[str], **options: int) -> tuple[Packed, str]:
    """Pack every image below a folder of this machine, in the order of their names.

    Args:
        folder: The folder.
        out: See `mmdetpre.storage.shards.writer.write_shards`.
        options: ``per_shard`` and ``workers`` of :func:`pack_data_set`.

    Returns:
        As :func:`pack_data_set`.

    Raises:
        FileNotFoundError: If there is no image.
        ValueError, FileExistsError: As `write_shards`.
    """
    root = Path(folder)
    found = (path.relative_to(root) for path in root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    names = sorted(name.as_posix() for name in found if (root / name).is_file())
    if not names:
        raise FileNotFoundError(f"{root} has no image in it.")
    paths = [str(root / name) for name in names]
    names_begin = str(root / "_")[:-1]
    options = {"per_shard": 4000, "workers": 16, **options}
    return _write(out, paths, names_begin, None, lambda i: {}, **options), names_begin


def shared_root(paths: Sequence[str]) -> str:
    """The longest folder that all paths begin with, with its slash; "" if there is none.

    Example:
        >>> shared_root(["coco/train2017/1.jpg", "coco/train2017/2.jpg"]), shared_root(["a/1.jpg", "ab/1.jpg"])
        ('coco/train2017/', '')
    """
    common = os.path.commonprefix([min(paths), max(paths)])
    return common[: common.rfind("/") + 1]


def annotation_of(info: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """What of a data info other programs can use, as plain JSON: size, objects with class names, class of the image.

    Example:
        >>> annotation_of({"img_path": "a.jpg", "gt_label": 1}, ["cat", "dog"])
        {'class': 'dog'}
    """
    content: dict[str, Any] = {key: int(info[key]) for key in ("width", "height") if info.get(key)}
    if "instances" in info:
        content["objects"] = [
            {
                "bbox": [round(float(value), 3) for value in one["bbox"]],
                "class": _class(one["bbox_label"], classes),
                "ignore": int(one.get("ignore_flag", 0)),
            }
            for one in info["instances"]
        ]
    label = info.get("gt_label")
    if label is not None:
        content["class"] = _class(label, classes) if isinstance(label, int) else [_class(one, classes) for one in label]
    return content


def _class(label: Any, classes: Sequence[str]) -> str | int:
    return classes[int(label)] if int(label) < len(classes) else int(label)


def _paths(dataset: Any) -> Iterator[str]:
    if not hasattr(dataset, "get_data_info") or not len(dataset):
        raise ValueError(f"A {type(dataset).__name__} without images, or without data infos, cannot be packed.")
    for i in progress_bar(range(len(dataset)), "listing images", disable=len(dataset) < 2000):
        path = dataset.get_data_info(i).get("img_path")
        if not isinstance(path, str):
            raise ValueError(f"{type(dataset).__name__}: image {i} has no img_path, so there is no file to pack.")
        yield path


def _marks(paths: Sequence[str], backend_args: Mapping[str, Any] | None) -> list[str]:
    """What changes when a local file does, all looked at before anything is written; "" for far ones."""
    missing, marks = [], []
    for path in paths:
        if not is_local(path, backend_args):
            marks.append("")
            continue
        try:
            found = fingerprint(path)
            marks.append(f"{found['size']} {found['mtime_ns']}")
        except OSError:
            missing.append(path)
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(paths)} images are missing: {', '.join(missing[:_SHOWN])}"
            f"{', ...' if len(missing) > _SHOWN else ''}. Restore them, or take them out of the annotations."
        )
    if (twice := Counter(paths).most_common(1)[0])[1] > 1:
        raise ValueError(f"{twice[0]} is listed {twice[1]} times: name each image once.")
    return marks


def _write(
    out: str | os.PathLike[str],
    paths: Sequence[str],
    root: str,
    backend_args: Mapping[str, Any] | None,
    annotation: Callable[[int], Mapping[str, Any]],
    per_shard: int,
    workers: int,
) -> Packed:
    marks = _marks(paths, backend_args)
    names = [path[len(root) :] for path in paths]
    files = Files(names, lambda i: read_bytes(paths[i], backend_args), annotation, marks)
    return write_shards(
        out, files, lambda content: read_image_size(io.BytesIO(content)), per_shard=per_shard, workers=workers
    )
