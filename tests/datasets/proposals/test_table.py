import json
import pickle
import shutil

import numpy as np
import pytest

from mmdetpre.compat.toolbox_commands import toolbox_name
from mmdetpre.datasets.packed.annotations import PackedAnnotations
from mmdetpre.datasets.proposals.table import Proposals, images_digest
from mmdetpre.datasets.proposals.writer import ProposalsWriter, begin_proposals, finish_proposals, write_origin

COMMAND = f"mim test {toolbox_name('mmdet')}"
PATHS = ["data/VOC2007/1.jpg", "data/VOC2007/2.jpg", "data/VOC2012/1.jpg", "data/VOC2012/5.jpg"]
SIZES = [(100, 80), (64, 64), (50, 40), (30, 90)]


def proposals_of(i):
    """i + 1 boxes that tell which image they belong to."""
    return np.full((i + 1, 4), i, np.float32) + np.arange(4, dtype=np.float32), np.linspace(1, 0.5, i + 1)


def write(out, images=range(4), shards=2, **options):
    """Proposals of some images, dealt to writers in turn."""
    part = begin_proposals(out, **options)
    writers = [ProposalsWriter(part, shard) for shard in range(shards)]
    entries = [writers[n % shards].add(PATHS[i], SIZES[i], *proposals_of(i)) for n, i in enumerate(images)]
    for writer in writers:
        writer.close()
    return finish_proposals(part, out, entries, **options)


def packed(images=range(4), root="", sizes=SIZES, boxes=True):
    images = list(images)
    return PackedAnnotations.from_boxes(
        names=[root + PATHS[i] for i in images],
        sizes=[sizes[i] for i in images],
        classes=["cat"],
        image=np.arange(len(images)) if boxes else np.zeros(0, int),
        boxes=np.tile([[1, 1, 20, 20]], (len(images) if boxes else 0, 1)),
        labels=np.zeros(len(images) if boxes else 0, int),
    )


def test_what_is_written_is_read(tmp_path):
    proposals = write(tmp_path / "a" / "proposals")
    assert len(proposals) == 4 and sorted(proposals.paths) == sorted(PATHS)
    rows = proposals.check(packed())
    for i in range(4):
        boxes, scores = proposals_of(i)
        np.testing.assert_array_equal(proposals.boxes[slice(*rows[i])], boxes)
        np.testing.assert_allclose(proposals.scores[slice(*rows[i])], scores)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["proposals"]
    assert proposals.digest == images_digest(PATHS, SIZES)


def test_neither_order_nor_shards_nor_repeated_images_change_a_byte(tmp_path):
    write(tmp_path / "one", shards=1)
    write(tmp_path / "three", [3, 1, 0, 2, 3, 1], shards=3)
    for file in (tmp_path / "one").glob("[!v]*"):  # verified.json tells the files themselves apart
        assert file.read_bytes() == (tmp_path / "three" / file.name).read_bytes()


@pytest.mark.parametrize("root", ["", "/elsewhere/"])
@pytest.mark.parametrize("images", [[0, 1, 2, 3], [3, 1, 0], [2], []])
def test_other_orders_places_and_subsets_find_their_own(tmp_path, root, images):
    proposals = write(tmp_path / "proposals")
    rows = proposals.check(packed(images, root))
    assert [proposals.boxes[start, 0] for start, _ in rows.tolist()] == images
    assert (rows[:, 1] - rows[:, 0]).tolist() == [i + 1 for i in images]


def test_images_without_boxes_need_no_proposals(tmp_path):
    proposals = write(tmp_path / "proposals", [0, 1])
    assert proposals.check(packed(boxes=False))[2:].tolist() == [[0, 0], [0, 0]]


def test_an_equal_file_name_in_another_folder_is_another_image(tmp_path):
    proposals = write(tmp_path / "proposals", [0, 1, 3])
    with pytest.raises(ValueError, match=r"1 of its images have no proposals, e\.g\. data/VOC2012/1\.jpg"):
        proposals.check(packed())


def test_proposals_of_another_data_set_are_refused_with_the_command(tmp_path):
    proposals = write(tmp_path / "proposals", [0, 1])
    with pytest.raises(ValueError, match="proposals were made on another data set") as error:
        proposals.check(packed())
    text = str(error.value)
    assert "2 of its images have no proposals" in text and "2 images (digest" in text and "has 4 (digest" in text
    assert proposals.digest[:12] in text and str(tmp_path / "proposals") in text and COMMAND in text


def test_resized_images_are_another_data_set(tmp_path):
    proposals = write(tmp_path / "proposals")
    with pytest.raises(
        ValueError,
        match=r"1 had another size, e\.g\. data/VOC2007/2.jpg: \[64, 64\] and now \[32, 32\].*annotated size is wrong",
    ):
        proposals.check(packed(sizes=[SIZES[0], (32, 32), *SIZES[2:]]))


def test_it_can_be_sent_to_another_process(tmp_path):
    proposals = write(tmp_path / "proposals")
    again = pickle.loads(pickle.dumps(proposals))
    np.testing.assert_array_equal(again.boxes, proposals.boxes)


def test_nothing_is_overwritten_silently(tmp_path):
    first = write(tmp_path / "proposals", [0])
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write(tmp_path / "proposals")
    assert len(Proposals.open(tmp_path / "proposals")) == 1
    assert len(write(tmp_path / "proposals", overwrite=True)) == 4 and len(first.boxes) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["proposals"]


def test_what_is_not_ours_is_never_overwritten(tmp_path):
    write(tmp_path / "proposals")
    (tmp_path / "proposals" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not a folder of proposals"):
        begin_proposals(tmp_path / "proposals", overwrite=True)


def test_a_folder_that_appears_meanwhile_is_kept(tmp_path):
    part = begin_proposals(tmp_path / "proposals")
    (tmp_path / "proposals").mkdir()
    with pytest.raises(FileExistsError, match="left as it is"):
        finish_proposals(part, tmp_path / "proposals", [])
    assert not list((tmp_path / "proposals").iterdir())


def test_images_without_proposals_are_fine(tmp_path):
    part = begin_proposals(tmp_path / "proposals")
    writer = ProposalsWriter(part)
    entry = writer.add(PATHS[0], SIZES[0], np.zeros((0, 4)), np.zeros(0))
    writer.close()
    assert finish_proposals(part, tmp_path / "proposals", [entry]).check(packed([0])).tolist() == [[0, 0]]


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"A proposal of data/VOC2007/1.jpg is not finite"):
        ProposalsWriter(begin_proposals(tmp_path / "p")).add(PATHS[0], SIZES[0], [[0, 0, np.nan, 1]], [0.5])


def test_a_missing_folder_is_named_with_the_command(tmp_path):
    with pytest.raises(ValueError, match=f"There is no folder of proposals at .*Make one with: {COMMAND}"):
        Proposals.open(tmp_path / "none")


@pytest.mark.parametrize("damage", ["no meta", "no boxes", "short", "format", "version"])
def test_incomplete_folders_are_named(tmp_path, damage):
    out = tmp_path / "proposals"
    write(out)
    meta = json.loads((out / "meta.json").read_text())
    if damage == "no meta":
        (out / "meta.json").unlink()
    elif damage == "no boxes":
        (out / "boxes.npy").unlink()
    elif damage == "short":
        np.save(out / "boxes.npy", np.zeros((3, 4), np.float32))
    else:
        (out / "meta.json").write_text(json.dumps(meta | {damage: "other"}))
    with pytest.raises(ValueError, match="holds no complete proposals"):
        Proposals.open(out)
    shutil.rmtree(out)


def test_the_origin_is_kept_and_changes_nothing_else(tmp_path):
    out = tmp_path / "proposals"
    write(out)
    assert Proposals.open(out).origin == {}
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    write_origin(out, {"run": "a", "seed": 0})
    write_origin(out, {"run": "b", "seed": None})
    proposals = Proposals.open(out)
    assert proposals.origin == {"run": "b", "seed": None} == pickle.loads(pickle.dumps(proposals)).origin
    assert {file.name for file in out.iterdir() if before.get(file.name) != file.read_bytes()} == {"meta.json"}
    write(out, overwrite=True)  # a folder with an origin is still one of proposals
    assert Proposals.open(out).origin == {}
