import json
import tarfile

import numpy as np
import pytest
from mmengine.registry import DATASETS

from mmdetpre.datasets.pack_images import annotation_of, pack_data_set, pack_folder
from mmdetpre.registry import DATASETS as OURS
from mmdetpre.storage.read import read_bytes
from mmdetpre.storage.shards.backend import TarShardsBackend

QUICK = {"retries": 1, "first_wait": 0.001, "timeout": 5}


def described(out, member):
    with tarfile.open(out / "shard-000000.tar") as tar:
        return json.load(tar.extractfile(member))


def test_a_detection_set_with_its_objects(folder, tmp_path):
    dataset = OURS.build(folder.config())
    packed, root = pack_data_set(dataset, tmp_path / "out")
    assert (packed.files, packed.unreadable, root) == (3, [], f"{folder.images}/")
    found = described(tmp_path / "out", "00000000.json")
    assert found["file_name"] == "a.jpg" and (found["width"], found["height"]) == (200, 100)
    assert found["objects"][0] == {"bbox": [20, 20, 100, 80], "class": "Car", "ignore": 0}
    assert found["objects"][1]["ignore"] == 1
    backend = TarShardsBackend(str(tmp_path / "out"), root=root)
    for path in folder.images.iterdir():
        assert backend.get(str(path)) == path.read_bytes()


def test_the_table_is_built_from_shards_without_reading_an_image(folder, tmp_path, monkeypatch):
    plain = OURS.build(folder.config())
    _, root = pack_data_set(plain, tmp_path / "out")
    monkeypatch.setattr(TarShardsBackend, "get", lambda *arguments: pytest.fail("an image was read"))
    args = dict(backend="mmdetpre.TarShards", shards=str(tmp_path / "out"), root=root)
    far = OURS.build(folder.config(cache_dir=str(tmp_path / "cache"), img_backend_args=args))
    assert [far.get_data_info(i) for i in range(3)] == [plain.get_data_info(i) for i in range(3)]


def test_a_folder_of_images(folder, tmp_path):
    (folder.images / "deep").mkdir()
    (folder.images / "deep" / "ä b.PNG").write_bytes(b"no image")
    (folder.images / "notes.txt").write_text("not packed")
    packed, root = pack_folder(folder.images, tmp_path / "out")
    assert (packed.files, packed.unreadable) == (4, ["deep/ä b.PNG"])
    backend = TarShardsBackend(str(tmp_path / "out"), root=root)
    assert backend.get(f"{folder.images}/deep/ä b.PNG") == b"no image"
    with pytest.raises(FileNotFoundError, match="has no image in it"):
        pack_folder(folder.csv.parent, tmp_path / "none")


def coco(folder, **changes):
    annotations = {
        "images": [{"id": i, "file_name": f"{name}.jpg", "width": 9, "height": 9} for i, name in enumerate("abc")],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "Car"}],
    }
    (folder.csv.parent / "coco.json").write_text(json.dumps(annotations | changes))
    return DATASETS.build(
        {
            "type": "mmdet.CocoDataset",
            "data_root": str(folder.root),
            "ann_file": "annotations/coco.json",
            "data_prefix": {"img": "OpenImages/train/"},
            "metainfo": {"classes": ("Car",)},
            "pipeline": [],
        }
    )


def test_a_set_of_mmdet(folder, tmp_path):
    packed, root = pack_data_set(coco(folder), tmp_path / "out")
    assert (packed.files, root) == (3, f"{folder.images}/")


def test_missing_images_are_counted_and_nothing_is_written(folder, tmp_path):
    dataset = coco(folder)
    (folder.images / "b.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 3 images are missing: .*b.jpg. Restore them"):
        pack_data_set(dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_image_that_is_listed_twice(folder, tmp_path):
    twice = [{"id": i, "file_name": f"{name}.jpg", "width": 9, "height": 9} for i, name in enumerate("aba")]
    with pytest.raises(ValueError, match=r"a.jpg is listed 2 times"):
        pack_data_set(coco(folder, images=twice), tmp_path / "out")


def test_images_that_changed_do_not_go_on_with_an_interrupted_run(folder, tmp_path, monkeypatch):
    def fail(path, *arguments):
        if path.endswith("c.jpg"):
            raise OSError("away")
        return read_bytes(path, *arguments)

    monkeypatch.setattr("mmdetpre.datasets.pack_images.read_bytes", fail)
    with pytest.raises(OSError, match="away"):
        pack_folder(folder.images, tmp_path / "out", per_shard=1)
    monkeypatch.undo()
    folder.photo("a", 30, 30)
    with pytest.raises(FileExistsError, match="was begun with other files"):
        pack_folder(folder.images, tmp_path / "out", per_shard=1)


def sources(folder, far, bucket, tmp_path):
    """Arguments that read the same images from everywhere."""
    lmdb = pytest.importorskip("lmdb", reason="lmdb is not installed: pip install 'mmdetpre[tests]'")
    _, root = pack_folder(folder.images, tmp_path / "shards")
    pack_folder(folder.images, far.folder / "shards")
    with lmdb.open(str(tmp_path / "db"), map_size=1 << 26) as database, database.begin(write=True) as change:
        for path in folder.images.iterdir():
            (far.folder / path.name).write_bytes(path.read_bytes())
            change.put(str(path).encode(), path.read_bytes())
    tar = {"backend": "mmdetpre.TarShards", "root": root, "cache_dir": str(tmp_path / "cache"), **QUICK}
    return {
        "tar": ({}, tar | {"shards": str(tmp_path / "shards")}),
        "tar over http": ({}, tar | {"shards": far.at("shards")}),
        "tar on S3": ({}, tar | {"shards": bucket(tmp_path / "shards")}),
        "http": ({"data_prefix": {"img": f"{far.address}/"}}, {"backend": "mmdetpre.Remote", **QUICK}),
        "S3": ({"data_prefix": {"img": f"{bucket(folder.images)}/"}}, {"backend": "mmdetpre.Remote", **QUICK}),
        "lmdb": ({}, {"backend": "lmdb", "db_path": str(tmp_path / "db")}),
    }


def test_every_source_can_be_packed_and_gives_the_same_table_and_shards(folder, far, bucket, tmp_path):
    plain = OURS.build(folder.config())
    pack_data_set(plain, tmp_path / "plain")
    expected = {path.name: path.read_bytes() for path in (tmp_path / "plain").rglob("*.tar")}
    for name, (changes, args) in sources(folder, far, bucket, tmp_path).items():
        cache = str(tmp_path / "tables" / name)
        dataset = OURS.build(folder.config(cache_dir=cache, img_backend_args=args, **changes))
        np.testing.assert_array_equal(dataset.packed.sizes, plain.packed.sizes)
        np.testing.assert_array_equal(dataset.packed.boxes, plain.packed.boxes)
        pack_data_set(dataset, tmp_path / "packed" / name)
        found = {path.name: path.read_bytes() for path in (tmp_path / "packed" / name).rglob("*.tar")}
        assert found == expected, name


def test_annotations_and_images_from_different_places(folder, far, tmp_path):
    plain = OURS.build(folder.config())
    for path in folder.csv.parent.iterdir():
        (far.folder / path.name).write_bytes(path.read_bytes())
    files = {
        "ann_file": far.at("train.csv"),
        "label_file": far.at("classes.csv"),
        "hierarchy_file": far.at("hierarchy.json"),
    }
    options = {"cache_dir": str(tmp_path / "cache"), "img_backend_args": {"backend": "local"}}
    far.faults["train.csv"] = [503]
    dataset = OURS.build(folder.config(backend_args={"backend": "mmdetpre.Remote", **QUICK}, **files, **options))
    assert [dataset.get_data_info(i) for i in range(3)] == [plain.get_data_info(i) for i in range(3)]
    asked = len([name for method, name, _ in far.asked if method == "GET" and name == "train.csv"])
    OURS.build(folder.config(backend_args={"backend": "mmdetpre.Remote", **QUICK}, **files, **options))
    assert len([name for method, name, _ in far.asked if method == "GET" and name == "train.csv"]) == asked


def test_a_server_that_is_away_while_the_table_is_built_is_no_set_of_damaged_images(folder, far, tmp_path):
    args = {"backend": "mmdetpre.Remote", **QUICK}
    far.faults["a.jpg"] = [503] * 9
    with pytest.raises(OSError, match=r"a.jpg could not be read in 2 tries .*503"):
        OURS.build(folder.config(data_prefix={"img": f"{far.address}/"}, img_backend_args=args))


def test_the_table_of_far_data_needs_a_place_on_this_machine(folder, far):
    config = folder.config(data_root=far.address, backend_args={"backend": "mmdetpre.Remote", **QUICK})
    for path in (*folder.csv.parent.iterdir(), *folder.images.iterdir()):
        target = far.folder / path.relative_to(folder.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="set cache_dir of the data set to a folder of this machine"):
        OURS.build(config)
    found, plain = OURS.build(config | {"cache_dir": str(folder.root / "tables")}), OURS.build(folder.config())
    assert found.get_data_info(1)["img_path"] == far.at("OpenImages/train/b.jpg")
    assert found.get_data_info(1)["instances"] == plain.get_data_info(1)["instances"]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"gt_label": 0}, {"class": "cat"}),
        ({"gt_label": [0, 1]}, {"class": ["cat", "dog"]}),
        ({"gt_label": 7, "width": 3, "height": 0}, {"class": 7, "width": 3}),
        ({"seg_map_path": "a.png"}, {}),
    ],
)
def test_what_stands_beside_an_image(info, expected):
    assert annotation_of(info, ["cat", "dog"]) == expected
