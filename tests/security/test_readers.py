"""Every reader of the table in docs/security.md, with files of a stranger: refused, and nothing happened."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.runner import CheckpointLoader
from PIL import Image
from safetensors.torch import save_file

from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.checkpoints.torch_file import read_torch_file
from mmdetpre.datasets import PackedAnnotations
from mmdetpre.datasets.coco.outlines import outline_mask
from mmdetpre.datasets.images.size import read_image_size
from mmdetpre.datasets.proposals.table import Proposals
from mmdetpre.evaluation import Detections
from mmdetpre.hooks.write_labels_hook import ImageLabel, read_labels
from mmdetpre.inference.stored_model import build_stored_model
from mmdetpre.storage.shards.index import ShardIndex
from mmdetpre.study.cluster.carry import unpack
from mmdetpre.study.custom_data.formats.cvat import read_cvat_file
from mmdetpre.study.custom_data.formats.labelme import read_labelme
from mmdetpre.study.custom_data.formats.openimages import read_openimages
from mmdetpre.study.custom_data.formats.yolo import read_yolo
from mmdetpre.study.custom_data.formats.yolo_layout import read_list_layout, read_yaml_layout
from mmdetpre.study.custom_data.segmentation.map_folder import read_map_folder
from mmdetpre.study.spec import read_study
from mmdetpre.transfer.checkpoint_reader import read_checkpoint
from mmdetpre.transfer.mxnet_params import read_mxnet_params
from mmdetpre.transfer.numpy_unpickler import load_arrays
from mmdetpre.utils.bounded_files import load_npy, read_bounded, read_json, read_xml
from mmdetpre.utils.literal_config import literal_config
from mmdetpre.zoo.hub import open_repository
from mmdetpre.zoo.hub_address import HubAddress

REFUSED = (ValueError, OSError, RuntimeError, pickle.UnpicklingError, EOFError, Image.DecompressionBombError)
DEEP = '{"a":' * 200 + "1" + "}" * 200


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def command(marker: Path) -> str:
    return f"__import__('os').mkdir({str(marker)!r})"


def trapped_torch(folder: Path, marker: Path) -> Path:
    torch.save({"state_dict": {}, "x": Trap(marker)}, folder / "a.pth")
    return folder / "a.pth"


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def objects(folder: Path, marker: Path, name: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    np.save(folder / name, np.array([Trap(marker)], object), allow_pickle=True)
    return folder / name


def png(folder: Path) -> Path:
    """A picture of 3.6 thousand million pixels, by its header."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return written(
        folder,
        "a.png",
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + bytes(20),
    )


def pickled(folder: Path, marker: Path) -> Any:
    with written(folder, "a.pkl", pickle.dumps({"model": Trap(marker)})).open("rb") as file:
        return load_arrays(file)


def tensors(folder: Path, marker: Path) -> Any:
    save_file({"w": torch.ones(1)}, folder / "a.safetensors", {"mmdetpre_backbone": DEEP})
    return read_checkpoint(folder / "a.safetensors")


def detections(folder: Path, marker: Path) -> Any:
    np.savez(folder / "a.npz", format=np.array([Trap(marker)], object))
    return Detections.load(folder / "a.npz")


def features(folder: Path, marker: Path) -> Any:
    index = {"format": "mmdetpre features", "version": 1, "layers": {"../secret": [1]}, "count": 1}
    for name in ("index.json", "features.json"):
        written(folder / "features", name, json.dumps(index))
    written(folder / "features", "images.json", '["a"]')
    objects(folder, marker, "features/labels.npy")
    return read_features(folder / "features")


def run_of_study(folder: Path, marker: Path) -> Any:
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "kept.tar", "w") as tar:
        member = tarfile.TarInfo("runs/../../marker")
        tar.addfile(member, io.BytesIO())
    return unpack(folder / "kept.tar", folder / "study", ["runs/"])


def packed(folder: Path, marker: Path) -> Any:
    written(folder / "table", "meta.json", DEEP)
    objects(folder, marker, "table/boxes.npy")
    return PackedAnnotations.open(folder / "table")


def shards(folder: Path, marker: Path) -> Any:
    written(folder / "index", "meta.json", DEEP)
    objects(folder, marker, "index/offsets.npy")
    return ShardIndex.open(folder / "index")


def proposals(folder: Path, marker: Path) -> Any:
    written(folder / "found", "meta.json", DEEP)
    objects(folder, marker, "found/boxes.npy")
    return Proposals.open(folder / "found")


def stored(folder: Path, marker: Path) -> Any:
    model = dict(type="FasterRCNN", backbone=dict(type="os.mkdir", path=str(marker)))
    return build_stored_model(dict(model=model, default_scope="mmdet"), "a.pth", 1 << 30)


def text_of_config(folder: Path, marker: Path) -> Any:
    found = literal_config(f"import os\nx = {command(marker)}\nmodel = dict(type={command(marker)})\n")
    assert found == {"x": None, "model": {"type": None}}
    raise ValueError("it is read, and holds nothing")


def yolo_labels(folder: Path, marker: Path) -> Any:
    for name in ("photo.jpg", "classes.txt"):
        written(folder, name, "hen")
    (folder / "photo.txt").unlink(missing_ok=True)
    (folder / "photo.txt").symlink_to("/dev/zero")
    return read_yolo(read_list_layout(folder / "classes.txt", None), "")


def open_images(folder: Path, marker: Path) -> Any:
    written(folder, "metadata/classes.csv", "/m/01,Hen\n")
    written(folder, "labels/detections.csv", f"ImageID,LabelName\n{command(marker)},/m/01\n")
    return read_openimages(folder, None)


def label_maps(folder: Path, marker: Path) -> Any:
    written(folder, "maps/labelmap.txt", f"{command(marker)}:1,1,1::\n")
    (folder / "maps" / "a.jpg").write_bytes(png(folder).read_bytes())
    (folder / "maps" / "a.png").unlink(missing_ok=True)
    (folder / "maps" / "a.png").symlink_to("/dev/zero")
    return read_map_folder(folder / "maps")


READERS: dict[str, Callable[[Path, Path], Any]] = {
    "mmdetpre.checkpoints.torch_file.read_torch_file": lambda f, m: read_torch_file(trapped_torch(f, m)),
    "mmdetpre.checkpoints.loaders": lambda f, m: CheckpointLoader.load_checkpoint(str(trapped_torch(f, m))),
    "mmdetpre.utils.literal_config.literal_config": text_of_config,
    "mmdetpre.inference.stored_model.build_stored_model": stored,
    "mmdetpre.transfer.numpy_unpickler.load_arrays": pickled,
    "mmdetpre.transfer.checkpoint_reader.read_checkpoint": tensors,
    "mmdetpre.zoo.hub.open_repository": lambda f, m: open_repository(HubAddress.read(f"hf://lab/../..{m}/a.pth")),
    "mmdetpre.transfer.mxnet_params.read_mxnet_params": lambda f, m: read_mxnet_params(
        written(f, "a.params", struct.pack("<QQQ", 0x112, 0, 1 << 60))
    ),
    "mmdetpre.utils.bounded_files.load_npy": lambda f, m: load_npy(objects(f, m, "a.npy")),
    "mmdetpre.evaluation.Detections.load": detections,
    "mmdetpre.analysis.features.feature_file.read_features": features,
    "mmdetpre.datasets.proposals.table.Proposals.open": proposals,
    "mmdetpre.datasets.PackedAnnotations.open": packed,
    "mmdetpre.hooks.write_labels_hook.read_labels": lambda f, m: read_labels(
        written(f, "labels.csv", f"{','.join(ImageLabel._fields)}\na.jpg,{command(m)},0,1,1\n")
    ),
    "mmdetpre.utils.bounded_files.read_json": lambda f, m: read_json(written(f, "a.json", DEEP)),
    "mmdetpre.utils.bounded_files.read_xml": lambda f, m: read_xml(
        written(f, "a.xml", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>')
    ),
    "mmdetpre.study.custom_data.formats.yolo_layout.read_yaml_layout": lambda f, m: read_yaml_layout(
        written(f, "data.yaml", f"train: .\nnames: !!python/object/apply:os.mkdir ['{m}']\n")
    ),
    "mmdetpre.study.custom_data.formats.yolo.read_yolo": yolo_labels,
    "mmdetpre.study.custom_data.formats.cvat.read_cvat_file": lambda f, m: read_cvat_file(
        written(f, "a.xml", '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;">]><annotations>&y;</annotations>')
    ),
    "mmdetpre.study.custom_data.formats.labelme.read_labelme": lambda f, m: read_labelme(
        f, [written(f, "a.json", DEEP)], None, "--det-images"
    ),
    "mmdetpre.study.custom_data.formats.openimages.read_openimages": open_images,
    "mmdetpre.study.custom_data.segmentation.map_folder.read_map_folder": label_maps,
    "mmdetpre.datasets.coco.outlines.outline_mask": lambda f, m: outline_mask(
        {"size": [2, 2], "counts": "5" * 100}, 2, 2
    ),
    "mmdetpre.utils.bounded_files.read_bounded": lambda f, m: read_bounded("/dev/zero", 10),
    "mmdetpre.study.spec.read_study": lambda f, m: read_study(
        written(f, "study.yaml", f"!!python/object/apply:os.mkdir ['{m}']\n")
    ),
    "mmdetpre.study.cluster.carry.unpack": run_of_study,
    "mmdetpre.storage.shards.index.ShardIndex.open": shards,
    "mmdetpre.datasets.images.size.read_image_size": lambda f, m: read_image_size(str(png(f))),
}


def test_the_table_lists_them_all(repository: Path) -> None:
    page = (repository / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| `(mmdetpre[\w.]+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(READERS)


@pytest.mark.parametrize("reader", READERS)
def test_a_strangers_file_is_refused_and_nothing_happened(reader: str, watched, marker: Path, tmp_path: Path) -> None:
    read = READERS[reader]
    with pytest.raises(REFUSED):
        read(tmp_path, marker)  # imports what this reader needs
    with pytest.raises(REFUSED), watched(reads=(tmp_path, Path("/dev/zero")), writes=(tmp_path,), parses=True):
        read(tmp_path, marker)


RAW = re.compile(
    r"json\.loads?\(|yaml\.(?:safe_|full_|unsafe_)?load(?:_all)?\(|np\.(?:load|loadtxt|genfromtxt|fromfile)\(|torch\.load\("
    r"|ElementTree\.(?:parse|fromstring)|(?<!_)XMLParser\(|pickle\.loads?\(|mmengine\.load\(|\.read_(?:text|bytes)\(|minidom"
)
ALLOWED = {
    "mmdetpre/utils/bounded_files.py": 4,  # the bounded readers themselves
    "mmdetpre/analysis/features/feature_file.py": 1,  # json.loads(json.dumps(plan)), of our own
    "mmdetpre/compat/config_text.py": 1,  # json.loads(json.dumps(options)), of our own
    "mmdetpre/storage/file_cache.py": 1,  # a number of at most twenty digits, in a folder of this user alone
    "mmdetpre/utils/yaml_file.py": 1,  # a loader of its own, bounded
    "mmdetpre/study/custom_data/study_yaml.py": 1,  # reads back what was just written
    "mmdetpre/inference/bounded_build.py": 1,  # /proc/self/statm
    "mmdetpre/cli/main.py": 1,  # the tool that is run
    "mmdetpre/console/last_words.py": 1,  # /proc/self/cmdline
    "mmdetpre/compat/warm_start.py": 1,  # a request of our own process, by a socket in a folder of its own
    "mmdetpre/datasets/parcel.py": 1,  # memory that a worker of our own filled
    "mmdetpre/compat/host_packages.py": 1,  # an installed package's version
}


def test_nothing_is_read_but_by_the_bounded_readers(repository: Path) -> None:
    found: dict[str, int] = {}
    for path in (*(repository / "mmdetpre").rglob("*.py"), *(repository / "tools").rglob("*.py")):
        text = re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        code = "\n".join(re.sub(r"\"[^\"\n]*\"|#.*", "", line) for line in text.splitlines())
        if number := len(RAW.findall(code)):
            found[path.relative_to(repository).as_posix()] = number
    assert found == ALLOWED
