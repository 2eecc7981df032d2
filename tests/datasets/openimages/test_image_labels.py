from __future__ import annotations

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.datasets.openimages import csv_form
from mmdetpre.datasets.openimages.image_labels import read_image_labels
from mmdetpre.registry import DATASETS

HEADER = "ImageID,Source,LabelName,Confidence"
ROWS = ["b,verification,/m/0cat,1", "a,verification,/m/0k4,0", "b,verification,/m/0k4,0", "a,verification,/m/0cat,0.6"]
UNUSABLE = ["c,verification,/m/never,1", "a,verification,/m/0veh,1"]


def write(folder, rows: list[str], header: str = HEADER) -> Path:
    path = folder.root / "annotations" / "imagelabels.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("rows_per_chunk", [1, 2, 100])
def test_present_and_absent_labels_count_and_others_are_skipped(folder, monkeypatch, rows_per_chunk):
    monkeypatch.setattr(csv_form, "_ROWS_PER_CHUNK", rows_per_chunk)
    read = read_image_labels(write(folder, UNUSABLE + ROWS), {"/m/0k4": 0, "/m/0cat": 1})
    assert read.of("a").tolist() == [0, 1] and read.of("b").tolist() == [1, 0]
    for unverified in ("c", "never"):
        assert read.of(unverified).shape == (0,) and read.of(unverified).dtype == np.int64


@pytest.mark.parametrize("rows_per_chunk", [1, 2, 100])
def test_labels_expand_as_in_the_challenge(folder, monkeypatch, rows_per_chunk):
    monkeypatch.setattr(csv_form, "_ROWS_PER_CHUNK", rows_per_chunk)
    labels = {"/m/thing": 0, "/m/vehicle": 1, "/m/car": 2, "/m/bus": 3, "/m/cat": 4}
    relation = np.eye(5)
    relation[[1, 2, 2, 3, 3, 4], [0, 0, 1, 0, 1, 0]] = 1  # thing: vehicle (car, bus), cat
    rows = ["a,verification,/m/car,1", "b,verification,/m/vehicle,0", "c,verification,/m/cat,1", "c,x,/m/bus,0"]
    found = read_image_labels(write(folder, rows), labels, relation)
    assert [sorted(found.of(image)) for image in "abc"] == [[0, 1, 2], [1, 2, 3], [0, 3, 4]]
    plain = read_image_labels(write(folder, rows), labels)
    assert [sorted(plain.of(image)) for image in "abc"] == [[2], [1], [3, 4]]
    assert read_image_labels(write(folder, []), labels, relation).of("a").tolist() == []


@pytest.mark.parametrize("rows_per_chunk", [1, 100])
def test_empty_ids_and_classes_are_counted_and_left_out(folder, monkeypatch, rows_per_chunk):
    monkeypatch.setattr(csv_form, "_ROWS_PER_CHUNK", rows_per_chunk)
    empty = [",verification,/m/0k4,1", "a,verification,,1", ",verification,,1"]
    read = read_image_labels(write(folder, empty + ROWS), {"/m/0k4": 0, "/m/0cat": 1})
    assert read.of("a").tolist() == [0, 1] and read.of("b").tolist() == [1, 0] and len(read.rows) == 2
    assert read.dropped == {"no image id": 2, "no class": 1}


def test_columns_are_found_by_name_and_the_file_may_be_empty(folder):
    path = write(folder, ROWS)
    with open(path, newline="") as file:
        turned = [list(reversed(cells)) for cells in csv.reader(file)]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(turned)
    assert read_image_labels(path, {"/m/0cat": 3}).of("b").tolist() == [3]
    assert read_image_labels(write(folder, []), {"/m/0cat": 3}).of("b").tolist() == []


def test_a_file_of_another_kind_is_named(folder):
    with pytest.raises(
        ValueError, match="lacks the column LabelName; it has ImageID.*first line is ImageID,Source,Lab"
    ):
        read_image_labels(write(folder, [], "ImageID,Source"), {})
    with pytest.raises(ValueError, match="cannot be read: .*Expected lines ImageID,Source,LabelName,Confidence"):
        read_image_labels(write(folder, ["a,verification,/m/0cat,1", 'b,"open'], HEADER), {})


def test_the_labels_are_those_of_mmdet(folder):
    write(folder, ROWS)
    lines = folder.csv.read_text().splitlines()
    folder.csv.write_text("\n".join([lines[0], *sorted(lines[1:], key=lambda line: line[0])]) + "\n")
    shapes = {"a": (100, 200), "b": (160, 120), "c": (64, 64)}
    metas = [{"filename": f"{name}.jpg", "ori_shape": shape} for name, shape in shapes.items()]
    (folder.csv.parent / "metas.pkl").write_bytes(pickle.dumps(metas))
    config = folder.config(image_level_ann_file="annotations/imagelabels.csv")
    ours = DATASETS.build(config)
    config.pop("classes")
    theirs = DATASETS.build(config | {"type": "mmdet.OpenImagesDataset", "meta_file": "annotations/metas.pkl"})
    for i in range(3):
        expected, found = (dataset.get_data_info(i)["image_level_labels"] for dataset in (theirs, ours))
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_the_data_set_hands_them_out(folder):
    write(folder, UNUSABLE + ROWS)
    options = {"image_level_ann_file": "annotations/imagelabels.csv", "classes": ["cat", "car"], "test_mode": True}
    pack = {"type": "mmdet.PackDetInputs", "meta_keys": ("instances", "image_level_labels")}
    dataset = DATASETS.build(folder.config(**options, pipeline=[{"type": "LoadImageFromFile"}, pack]))
    for part, expected in (
        (dataset, [[1, 0], [0, 1], []]),
        (dataset.get_subset([2, 1]), [[], [0, 1]]),
        (pickle.loads(pickle.dumps(dataset)), [[1, 0], [0, 1], []]),
    ):
        found = [part[i]["data_samples"].image_level_labels for i in range(len(part))]
        assert [labels.tolist() for labels in found] == expected
    assert "image_level_labels" not in DATASETS.build(folder.config()).get_data_info(0)


def test_a_missing_file_is_named_with_the_others(folder):
    (folder.root / "annotations" / "hierarchy.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"hierarchy_file: .*\n.*image_level_ann_file: .*/annotations/no.csv"):
        DATASETS.build(folder.config(image_level_ann_file="annotations/no.csv"))


def test_a_file_about_other_images_is_reported(folder, monkeypatch):
    logged = []
    monkeypatch.setattr("mmdetpre.datasets.openimages.dataset.print_log", lambda text, *_: logged.append(text))
    write(folder, ["elsewhere,verification,/m/0cat,1", "a,verification,,1"])
    DATASETS.build(folder.config(image_level_ann_file="annotations/imagelabels.csv"))
    assert "for 0 of the 3 images. 1 rows with no class left out. Is it the file that belongs to" in logged[-1]
