"""Feature files: read what was written, go on after a stop, refuse what does not fit."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.analysis.features.feature_file import (
    FeatureFile,
    FeatureWriter,
    read_features,
    require_finite,
    require_same_images,
    row_blocks,
    write_features,
)

LAYERS = {"conv5_pooled": (3,), "conv_proj": (2, 4, 4)}
IMAGES = [f"cat/{i}.jpg" for i in range(7)]
PLAN = dict(images=IMAGES, labels=[0, 1, 0, 1, 0, 1, -1], classes=["cat", "dog"], metadata={"config": "a.py"})


def values(rows: np.ndarray) -> dict[str, np.ndarray]:
    return {n: np.stack([np.full(shape, row + 0.5, np.float32) for row in rows]) for n, shape in LAYERS.items()}


def test_reads_what_was_written(tmp_path: Path) -> None:
    arrays = {"fc1": np.arange(14.0).reshape(7, 2), "fc2": np.ones((7, 1), np.float32)}
    written = write_features(tmp_path / "new" / "a", arrays, **PLAN)
    read = read_features(tmp_path / "new" / "a")
    for file in (written, read):
        assert len(file) == 7 and dict(file.layers) == {"fc1": (2,), "fc2": (1,)}
        assert file.images == tuple(IMAGES) and file.classes == ("cat", "dog") and file.metadata == {"config": "a.py"}
        assert file.labels.dtype == np.int64 and file.labels.tolist() == PLAN["labels"]
        assert file.layer("fc1").dtype == np.float32 and file.layer("fc1").tolist() == arrays["fc1"].tolist()
        assert not file.layer("fc1").flags.writeable
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["a"]
    with pytest.raises(ValueError, match="holds fc1, fc2"):
        read.layer("fc3")
    with pytest.raises(ValueError, match="name one of: fc1, fc2"):
        read.layer()
    only = write_features(tmp_path / "b", {"fc1": arrays["fc1"]}, images=IMAGES)
    assert only.layer().tolist() == arrays["fc1"].tolist() and set(only.labels) == {-1} and only.classes == ()


def test_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "a"
    writer = FeatureWriter(path, LAYERS, **PLAN)
    assert writer.pending().tolist() == list(range(7))
    assert [rows.tolist() for rows in writer.pending_batches()] == [[0], [1], [2], [3], [4], [5], [6]]
    writer.write([4, 1], values([4, 1]))
    with pytest.raises(ValueError, match="5 of 7 images are not written, e.g. row 0"):
        writer.finish()
    with pytest.raises(ValueError, match="holds 2 of 7 images, it is not finished: run the same command"):
        read_features(path)
    again = FeatureWriter(path, LAYERS, **PLAN, batch_size=3)
    assert again.pending().tolist() == [0, 2, 3, 5, 6]
    assert [rows.tolist() for rows in again.pending_batches()] == [[0, 1, 2], [3, 4, 5], [6]]
    again.write(again.pending(), values(again.pending()))
    file = again.finish()
    for name, expected in values(range(7)).items():
        np.testing.assert_array_equal(file.layer(name), expected)
    finished = FeatureWriter(path, LAYERS, **PLAN)
    assert not len(finished.pending()) and finished.finish().images == file.images
    assert sorted(p.name for p in path.iterdir()) == [
        "conv5_pooled.npy",
        "conv_proj.npy",
        "features.json",
        "images.json",
        "labels.npy",
        "verified.json",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {"config": "b.py"}}, "begun with metadata.config = 'a.py', and now it is 'b.py'"),
        ({"metadata": {"config": "a.py", "digest": "1"}}, "begun with metadata.digest = None, and now it is '1'"),
        ({"images": [*IMAGES[:6], "dog/1.jpg"]}, r"begun with images\[6\] = 'cat/6.jpg', and now it is 'dog/1.jpg'"),
        ({"images": IMAGES[:6], "labels": [0] * 6}, "begun with count = 7, and now it is 6"),
        ({"labels": [0] * 7}, r"begun with labels\[1\] = 1, and now it is 0"),
        ({"layers": {"conv5_pooled": (3,)}}, "begun with layers.conv_proj = "),
        ({"layers": {"conv5_pooled": (4,), "conv_proj": (2, 4, 4)}}, r"layers.conv5_pooled\[0\] = 3, and now it is 4"),
        ({"classes": ["cat", "cow"]}, r"begun with classes\[1\] = 'dog', and now it is 'cow'"),
        ({"classes": ["cat", "dog", "cow"]}, "begun with the length of classes = 2, and now it is 3"),
    ],
)
def test_only_the_same_plan_goes_on(change: dict, message: str, tmp_path: Path) -> None:
    FeatureWriter(tmp_path / "a", LAYERS, **PLAN).write([0], values([0]))
    with pytest.raises(ValueError, match=message + ".*--force"):
        FeatureWriter(tmp_path / "a", **{"layers": LAYERS, **PLAN, **change})
    anew = FeatureWriter(tmp_path / "a", **{"layers": LAYERS, **PLAN, **change}, overwrite=True)
    assert len(anew.pending()) == len(anew.images)


def _write_shard(path: Path, shard: int, shards: int) -> None:
    writer = FeatureWriter(path, LAYERS, **PLAN, shard=(shard, shards), batch_size=2)
    for rows in writer.pending_batches():
        writer.write(rows, values(rows))
    if writer.complete():
        writer.finish()


def test_several_processes_share_the_work(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_shard, args=(tmp_path / "a", shard, 3)) for shard in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    file = read_features(tmp_path / "a")
    for name, expected in values(range(7)).items():
        np.testing.assert_array_equal(file.layer(name), expected)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    first = {"fc1": np.zeros((7, 2))}
    write_features(tmp_path / "a", first, images=IMAGES)
    with pytest.raises(FileExistsError, match="add --force"):
        write_features(tmp_path / "a", first, images=IMAGES)
    with pytest.raises(ValueError, match="begun with layers.fc1"):
        FeatureWriter(tmp_path / "a", LAYERS, images=IMAGES)
    assert write_features(tmp_path / "a", {"fc2": np.ones((7, 1))}, images=IMAGES, overwrite=True).layer("fc2").all()
    (tmp_path / "a" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="also holds notes.txt"):
        write_features(tmp_path / "a", first, images=IMAGES, overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("other", "file"):
        for overwrite in (False, True):
            with pytest.raises(FileExistsError, match="not a folder of features"):
                FeatureWriter(tmp_path / name, LAYERS, images=IMAGES, overwrite=overwrite)


def test_unsound_plans_and_values_are_refused(tmp_path: Path) -> None:
    one = {"fc1": np.zeros((7, 2))}
    for arrays, options, message in (
        ({"fc1": np.zeros((6, 2))}, {}, "fc1 holds 6 rows for 7 images"),
        ({}, {}, "0 layers of 7 images"),
        ({"a/b": np.zeros((7, 2))}, {}, "'a/b' cannot be the name of a layer"),
        ({"labels": np.zeros((7, 2))}, {}, "'labels' cannot be"),
        (one, {"labels": [0]}, "1 labels for 7 images"),
        (one, {"labels": [0] * 6 + [2], "classes": ["cat", "dog"]}, "label of cat/6.jpg is 2: .* from 0 to 1"),
        (one, {"labels": [-2] * 7}, "label of cat/0.jpg is -2"),
        (one, {"labels": [0.5] * 7}, "label of cat/0.jpg is 0.5"),
        ({"fc1": np.array([[0.0]] * 5 + [[np.nan], [np.inf]])}, {}, "fc1 is not finite in row 5"),
    ):
        with pytest.raises(ValueError, match=message):
            write_features(tmp_path / "a", arrays, images=IMAGES, **options)
    assert not list(tmp_path.iterdir())
    writer = FeatureWriter(tmp_path / "a", LAYERS, **PLAN)
    good = values([2, 3])
    for change, message in (
        ({"conv_proj": np.full((2, 2, 4, 4), np.inf)}, "conv_proj of cat/2.jpg is not finite"),
        ({"conv_proj": np.zeros((2, 2, 4, 5))}, "cat/2.jpg and 1 more images has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            writer.write([2, 3], good | change)
    with pytest.raises(ValueError, match="'conv_proj' is missing"):
        writer.write([2, 3], {"conv5_pooled": good["conv5_pooled"]})
    assert len(writer.pending()) == 7


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder of features at .*extract_features"):
        read_features(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no features.json"):
        read_features(tmp_path)
    path = tmp_path / "a"

    def fresh() -> FeatureFile:
        return write_features(path, {"fc1": np.zeros((7, 2))}, images=IMAGES, overwrite=path.exists())

    def change_index(**options: object) -> None:
        index = json.loads((path / "features.json").read_text())
        (path / "features.json").write_text(json.dumps(index | options))

    damages = (
        (lambda: (path / "fc1.npy").unlink(), "the content of fc1.npy has changed"),
        (lambda: (path / "fc1.npy").write_bytes((path / "fc1.npy").read_bytes()[:-4]), "no complete features"),
        (lambda: np.save(path / "labels.npy", np.zeros(3)), "the content of labels.npy has changed"),
        (lambda: change_index(version=99), r"\('mmdetpre features', 99\), expected \('mmdetpre features', 1\)"),
        (lambda: change_index(count=8), "expected 8"),
        (lambda: (path / "features.json").write_text("[]"), "no complete features"),
        (lambda: (path / "images.json").write_text("{"), "no complete features"),
    )
    for damage, message in damages:
        fresh()
        damage()
        with pytest.raises(ValueError, match=message):
            read_features(path)
        if not (path / "features.json").read_text().startswith("{"):
            (path / "features.json").write_text('{"format": "mmdetpre features", "layers": {"fc1": [2]}}')


def test_images_must_agree(tmp_path: Path) -> None:
    def file(name: str, images: list[str]) -> FeatureFile:
        return write_features(tmp_path / name, {"fc1": np.zeros((len(images), 1))}, images=images)

    ours = file("a", IMAGES)
    require_same_images(ours)
    require_same_images(ours, file("same", IMAGES), ours)
    for name, images, message in (
        ("fewer", IMAGES[:5], "a holds 7 images and .*fewer 5"),
        ("swapped", [IMAGES[0], *IMAGES[:0:-1]], "in another order: image 1 is cat/1.jpg .* and cat/6.jpg"),
        ("others", [*IMAGES[:3], "x.jpg", *IMAGES[4:]], "other images: image 3 is cat/3.jpg .* and x.jpg"),
    ):
        with pytest.raises(ValueError, match=message):
            require_same_images(ours, ours, file(name, images))


def test_finite_in_blocks() -> None:
    array = np.zeros((10, 3), np.float32)
    require_finite(array, "fc1")
    array[7, 2] = -np.inf
    with pytest.raises(ValueError, match="fc1 is not finite in row 7"):
        require_finite(array, "fc1")
    assert [array[block].shape[0] for block in row_blocks(array, block_bytes=50)] == [4, 4, 2]
    assert list(row_blocks(np.zeros((0, 3)))) == []


@pytest.mark.parametrize("name", ["images.json", "labels.npy", "fc1.npy"])
@pytest.mark.parametrize("at", [2, 20, -1])
def test_a_flipped_bit_is_never_used(tmp_path: Path, name: str, at: int) -> None:
    write_features(tmp_path / "a", {"fc1": np.arange(14.0).reshape(7, 2)}, **PLAN)
    file = tmp_path / "a" / name
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=rf"holds no complete features \(the content of {name} has changed"):
        read_features(tmp_path / "a")
