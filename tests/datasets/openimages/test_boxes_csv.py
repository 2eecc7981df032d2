import csv

import numpy as np
import pytest

from mmdetpre.datasets.openimages import csv_form
from mmdetpre.datasets.openimages.boxes_csv import read_box_csv
from mmdetpre.datasets.packed.annotations import IGNORE, OCCLUDED, TRUNCATED

LABELS = {"/m/0k4": 0, "/m/0cat": 1}
DESCRIBED = {"/m/0k4", "/m/0cat", "/m/0veh"}


def test_rows_become_columns(folder):
    rows = read_box_csv(folder.csv, LABELS, DESCRIBED)
    assert rows.images == ["a", "b", "c"] and rows.image.tolist() == [0, 1, 0]
    np.testing.assert_allclose(rows.boxes[0], [0.1, 0.2, 0.5, 0.8], rtol=1e-6)  # the file has XMin, XMax, YMin, YMax
    assert rows.labels.tolist() == [0, 1, 1] and rows.flags.tolist() == [OCCLUDED, TRUNCATED, IGNORE]
    assert rows.dropped == {"class not chosen": 1}


def test_bad_rows_are_counted_and_left_out(tmp_path, openimages_files):
    row = openimages_files.row
    rows = [
        row("a", box=(-0.2, 0.5, 0.1, 0.5)),
        row("a", box=(0.2, 1.5, 0.1, 0.5)),
        row("a", box=("", 0.5, 0.1, 0.5)),
        row("a", box=(0.5, 0.5, 0.1, 0.5)),
        row("a", box=(0.5, 0.4, 0.1, 0.5)),
        row("a", "/m/never"),
        row("a", "/m/0veh"),
        row("b", box=(-0.001, 1.002, 0, 1)),
    ]
    read = read_box_csv(openimages_files.OpenImagesFolder(tmp_path).write(rows).csv, LABELS, DESCRIBED)
    assert read.dropped == {
        "unknown class": 1,
        "class not chosen": 1,
        "box outside the image": 3,
        "box without area": 2,
    }
    assert read.images == ["a", "b"] and read.image.tolist() == [1] and read.boxes.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("rows_per_chunk", [1, 100])
@pytest.mark.parametrize("max_images", [None, 2])
def test_empty_ids_and_classes_are_counted_and_left_out(
    tmp_path, openimages_files, monkeypatch, rows_per_chunk, max_images
):
    monkeypatch.setattr(csv_form, "_ROWS_PER_CHUNK", rows_per_chunk)
    row = openimages_files.row
    rows = [row("a"), row(""), row("b", ""), row("", ""), row("b", "/m/0cat")]
    path = openimages_files.OpenImagesFolder(tmp_path).write(rows).csv
    read = read_box_csv(path, LABELS, DESCRIBED, max_images)
    assert read.dropped == {"no image id": 2, "no class": 1}
    assert read.images == ["a", "b"] and read.image.tolist() == [0, 1] and read.labels.tolist() == [0, 1]


def test_a_missing_column_is_named_with_those_found(tmp_path, openimages_files):
    header = openimages_files.HEADER.replace(",IsGroupOf", "").replace(",XMin", "")
    path = openimages_files.OpenImagesFolder(tmp_path).write([], header).csv
    with pytest.raises(ValueError, match="lacks the columns XMin, IsGroupOf; it has ImageID, Source, LabelName"):
        read_box_csv(path, LABELS)
    path.write_text("")
    with pytest.raises(ValueError, match="it has none"):
        read_box_csv(path, LABELS)


def test_a_value_that_is_no_number_is_named(tmp_path, openimages_files):
    path = openimages_files.OpenImagesFolder(tmp_path).write([openimages_files.row("a", box=("left", 1, 0, 1))]).csv
    with pytest.raises(ValueError, match=r"line 2: XMin is 'left', expected a number from 0 to 1"):
        read_box_csv(path, LABELS)


def test_only_unknown_classes_is_an_error(tmp_path, openimages_files):
    path = (
        openimages_files.OpenImagesFolder(tmp_path)
        .write([openimages_files.row("a", "/m/x"), openimages_files.row("b", "/m/y")])
        .csv
    )
    with pytest.raises(ValueError, match="none of its 2 rows has a class of the label_file .found '/m/x'"):
        read_box_csv(path, LABELS)


def test_columns_are_found_by_name(folder):
    expected = read_box_csv(folder.csv, LABELS, DESCRIBED)
    with open(folder.csv, newline="") as file:
        turned = [list(reversed(cells)) for cells in csv.reader(file)]
    with open(folder.csv, "w", newline="") as file:
        csv.writer(file).writerows(turned)
    np.testing.assert_array_equal(read_box_csv(folder.csv, LABELS, DESCRIBED).boxes, expected.boxes)


@pytest.mark.parametrize("rows_per_chunk", [1, 2, 100])
def test_chunks_do_not_matter_and_images_may_be_limited(folder, monkeypatch, rows_per_chunk):
    monkeypatch.setattr(csv_form, "_ROWS_PER_CHUNK", rows_per_chunk)
    rows = read_box_csv(folder.csv, LABELS | {"/m/0veh": 2}, max_images=2)
    assert rows.images == ["a", "b"] and rows.image.tolist() == [0, 1, 0]


def test_ids_that_look_like_numbers_stay_text(tmp_path, openimages_files):
    path = (
        openimages_files.OpenImagesFolder(tmp_path)
        .write([openimages_files.row("000012"), openimages_files.row("1e10")])
        .csv
    )
    assert read_box_csv(path, LABELS).images == ["000012", "1e10"]


def test_the_official_files_are_read_like_by_the_csv_module(shared_data):
    path = shared_data / "openimages" / "train-annotations-bbox.csv"
    with open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    mids = sorted({line["LabelName"] for line in lines})
    rows = read_box_csv(path, {mid: i for i, mid in enumerate(mids)})
    assert [rows.images[i] for i in rows.image] == [line["ImageID"] for line in lines]
    assert [mids[i] for i in rows.labels] == [line["LabelName"] for line in lines]
    expected = [[float(line[name]) for name in ("XMin", "YMin", "XMax", "YMax")] for line in lines]
    np.testing.assert_allclose(rows.boxes, expected, atol=1e-6)


def variants(rows: list[str], header: str) -> dict[str, bytes]:
    """The same rows as other programs write them."""
    text = "\n".join([header, *rows]) + "\n"
    comma = text.replace(",", ";")
    return {
        "semicolons": comma.encode(),
        "decimal commas": comma.replace(".", ",").encode(),
        "tabs and utf-16": text.replace(",", "\t").encode("utf-16"),
        "utf-16-be": text.encode("utf-16-be"),
        "mark": text.encode("utf-8-sig"),
        "cr": text.replace("\n", "\r").encode(),
        "crlf": text.replace("\n", "\r\n").encode(),
        "blank rows": text.replace("\n", "\n\n,,,,,,,,,,,,\n").encode(),
        "blank rows in front": b",,,\n\n" + text.encode(),
        "quotes": "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in [header, *rows]).encode(),
        "small header": text.replace(header, header.lower().replace(",", " , ")).encode(),
        "empty last cells": text.replace("\n", ",\n").encode(),
    }


@pytest.mark.parametrize("kind", variants([], ""))
def test_rows_of_other_programs_are_read_alike(folder, openimages_files, kind):
    expected = read_box_csv(folder.csv, LABELS, DESCRIBED)
    rows = folder.csv.read_text().splitlines()[1:]
    folder.csv.write_bytes(variants(rows, openimages_files.HEADER)[kind])
    read = read_box_csv(folder.csv, LABELS, DESCRIBED)
    blank = {"blank rows": 5} if kind == "blank rows" else {}
    assert read.dropped == expected.dropped | blank and read.images == expected.images
    for name in ("image", "boxes", "labels", "flags"):
        np.testing.assert_array_equal(getattr(read, name), getattr(expected, name))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda row: row("b", box=(10, 90, 20, 80)),
            r"line 4 is the first of 3 of 4 rows with a box outside.*pixels, div",
        ),
        (
            lambda row: row("b", box=(0.5, 0.2, 0.5, 0.1)),
            r"line 4 is the first of 3 of 4 rows with a box without area.*add",
        ),
        (lambda row: row("b", group_of=7), r"line 4: IsGroupOf is '7', expected 0, 1 or -1"),
        (lambda row: row("b", occluded=""), r"line 4: IsOccluded is '', expected 0, 1 or -1"),
        (lambda row: row("b", box=("0,5", 1, 0, 1)), r"line 4 has 14 cells, the header 13"),
        (lambda row: row("b", box=("1.2.3", 1, 0, 1)), r"line 4: XMin is '1.2.3'"),
        (lambda row: "b,x,/m/0k4", r"line 4: .* is '', expected"),
        (lambda row: row("ima\xe9"), "line 4 is not UTF-8"),
        (
            lambda row: "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,a,b",
            "line 4",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, openimages_files, change, message):
    path = (
        openimages_files.OpenImagesFolder(tmp_path)
        .write([openimages_files.row("a"), "", *[change(openimages_files.row)] * 3])
        .csv
    )
    path.write_bytes(path.read_text().encode("latin-1"))
    with pytest.raises(ValueError, match=f"train.csv, {message}"):
        read_box_csv(path, LABELS)


def test_a_decimal_comma_beside_commas_is_refused(tmp_path, openimages_files):
    path = (
        openimages_files.OpenImagesFolder(tmp_path)
        .write([openimages_files.row("a", box=("0,1", "0,5", "0,2", "0,8"))])
        .csv
    )
    with pytest.raises(ValueError, match="line 2 has 17 cells, the header 13: is the decimal sign a comma"):
        read_box_csv(path, LABELS)


@pytest.mark.parametrize("more", [",", ",,,"])
def test_rows_that_end_with_separators_keep_their_columns(tmp_path, openimages_files, more):
    path = openimages_files.OpenImagesFolder(tmp_path).write([openimages_files.row("a"), openimages_files.row("b")]).csv
    sound = read_box_csv(path, LABELS, DESCRIBED)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *(row + more for row in rows)]) + "\n")
    read = read_box_csv(path, LABELS, DESCRIBED)
    assert read.images == sound.images and read.dropped == sound.dropped
    np.testing.assert_array_equal(read.boxes, sound.boxes)


def test_points_beside_decimal_commas_are_named_with_their_line(tmp_path, openimages_files):
    path = (
        openimages_files.OpenImagesFolder(tmp_path).write([openimages_files.row("a", box=('"0,1"', 0.5, 0.1, 0.5))]).csv
    )
    path.write_text(path.read_text().replace('"""0,1"""', '"0,1"'))
    with pytest.raises(ValueError, match=r"line 2: .* is '0\.\d+', expected a number"):
        read_box_csv(path, LABELS, DESCRIBED)
