"""Links and files that a stranger left where we keep caches or write: nothing behind them is changed."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdetpre.analysis.clusters.kmeans import kmeans_sweep
from mmdetpre.analysis.features.feature_file import FeatureWriter, write_features
from mmdetpre.checkpoints.loaders import _read
from mmdetpre.datasets import PackedAnnotations
from mmdetpre.datasets.images.file_verdicts import file_verdicts
from mmdetpre.datasets.packed.cache import open_or_build
from mmdetpre.datasets.proposals.writer import ProposalsWriter, begin_proposals, finish_proposals
from mmdetpre.hooks.export_backbone_hook import _require_exported
from mmdetpre.sample import make_sample
from mmdetpre.study.workflow import _OURS, _only_one
from mmdetpre.utils.checked_files import VERIFIED, checksum, damaged_files
from mmdetpre.utils.locks import file_lock
from mmdetpre.utils.own_files import record_of, write_own
from mmdetpre.utils.whole_file import write_text


@pytest.fixture
def mine(tmp_path: Path):
    """A file of the user's own, which must stay as it is."""
    path = tmp_path / "elsewhere" / "mine.txt"
    path.parent.mkdir()
    path.write_bytes(b"my own words")
    yield path
    assert path.read_bytes() == b"my own words" and list(path.parent.iterdir()) == [path]


def table() -> PackedAnnotations:
    return PackedAnnotations.from_boxes(
        names=["a.jpg"], sizes=[(9, 9)], classes=["cat"], image=[0], boxes=[[1, 1, 5, 5]], labels=[0]
    )


def test_a_lock_that_is_a_link_empties_nothing(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "a.lock").symlink_to(mine)
    with pytest.raises(FileExistsError, match=r"a\.lock is a link"):
        file_lock(tmp_path / "a.lock")
    with pytest.raises(FileExistsError, match="holds something"):
        file_lock(mine)
    with file_lock(tmp_path / "b.lock"):
        pass


def test_packed_annotations(mine: Path, tmp_path: Path) -> None:
    source = tmp_path / "boxes.json"
    source.write_text("{}")
    place, lock = tmp_path / "cache" / "table", tmp_path / "cache" / ".table.lock"
    place.parent.mkdir()
    lock.symlink_to(mine)
    with pytest.raises(OSError, match="is a link"):
        open_or_build(place, [source], None, table)
    lock.unlink()
    open_or_build(place, [source], None, table)
    real = place.rename(tmp_path / "real")
    place.symlink_to(real)
    before = {file.name: file.read_bytes() for file in real.iterdir()}
    assert len(open_or_build(place, [source], None, table)) == 1  # a current one may lie elsewhere
    source.write_text("{ }")
    with pytest.raises(FileExistsError, match="is a link, which is not replaced"):
        open_or_build(place, [source], None, table)
    assert before.items() <= {file.name: file.read_bytes() for file in real.iterdir()}.items()


def test_features(mine: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.npy"
    np.save(theirs, np.ones((2, 3), np.float32))
    before = theirs.read_bytes()
    FeatureWriter(tmp_path / "found", {"conv": (3,)}, images=["a", "b"])
    shard = tmp_path / "found" / "shards" / "0-of-1"
    for name in ("conv.npy", "done.npy", "rows.npy", "lock"):
        (shard / name).rename(tmp_path / name)
        (shard / name).symlink_to(theirs)
        with pytest.raises(FileExistsError, match="is a link"):
            FeatureWriter(tmp_path / "found", {"conv": (3,)}, images=["a", "b"])
        (tmp_path / name).replace(shard / name)
    shard.rename(tmp_path / "moved")
    shard.symlink_to(tmp_path / "moved")
    with pytest.raises(FileExistsError, match="is a link"):
        FeatureWriter(tmp_path / "found", {"conv": (3,)}, images=["a", "b"])
    shard.unlink()
    (tmp_path / "moved").rename(shard)
    np.save(shard / "conv.npy", np.ones((1, 3), np.float32))
    with pytest.raises(ValueError, match=r"has shape \(1, 3\), expected \(2, 3\)"):
        FeatureWriter(tmp_path / "found", {"conv": (3,)}, images=["a", "b"])
    (tmp_path / "linked").symlink_to(mine.parent)
    values = {"conv": np.zeros((2, 3), np.float32)}
    with pytest.raises(FileExistsError, match="is not a folder of features"):
        write_features(tmp_path / "linked", values, images=["a", "b"], overwrite=True)
    mine_too = tmp_path / "notes"
    mine_too.mkdir()
    (mine_too / "plan.json").write_text('{"format": "my plans", "layers": []}')
    with pytest.raises(FileExistsError, match="is not a folder of features"):
        write_features(mine_too, values, images=["a", "b"], overwrite=True)
    assert theirs.read_bytes() == before and (mine_too / "plan.json").exists()


def test_clusters(mine: Path, tmp_path: Path) -> None:
    values = np.array([[0], [1], [10], [11.0]], np.float32)
    kmeans_sweep(values, [1], folder=tmp_path / "k")
    (kept,) = (tmp_path / "k").rglob("k00001.npy")
    place = kept.with_name("k00002.npy")
    place.symlink_to(mine.with_name("nothing.npy"))
    with pytest.raises(FileExistsError, match="is a link"):
        kmeans_sweep(values, [2], folder=tmp_path / "k")
    assert np.load(kept).tolist() == [0, 0, 0, 0]


def test_verdicts_on_images(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMDETPRE_CACHE", str(tmp_path / "cache"))
    image = tmp_path / "a.png"
    image.write_bytes(b"1")

    def read() -> list[str]:
        return file_verdicts([image], "kind", lambda data: f"{data!r}", what="reading")

    assert read() == ["b'1'"]
    (kept,) = (tmp_path / "cache" / "kind").glob("*.json")
    for name in (kept, Path(f"{kept}.lock")):
        name.unlink()
        name.symlink_to(mine)
        assert read() == ["b'1'"]
        assert mine.read_bytes() == b"my own words"
        name.unlink()


def test_proposals(mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "proposals"

    def write(**options: bool) -> None:
        part = begin_proposals(out, **options)
        writer = ProposalsWriter(part)
        entry = writer.add("a.jpg", (9, 9), np.ones((1, 4)), np.ones(1))
        writer.close()
        finish_proposals(part, out, [entry], **options)

    write()
    write(overwrite=True)
    real = out.rename(tmp_path / "real")
    out.symlink_to(real)
    with pytest.raises(FileExistsError, match="it is a link"):
        write(overwrite=True)
    out.unlink()
    real.rename(out)
    scores = np.load(out / "scores.npy")
    np.save(out / "scores.npy", scores + 1)  # a user's own numbers under our names
    with pytest.raises(FileExistsError, match=r"scores\.npy was changed"):
        write(overwrite=True)
    np.save(out / "scores.npy", scores)
    (out / "sizes.npy").unlink()
    (out / "sizes.npy").symlink_to(mine)
    with pytest.raises(FileExistsError, match=r"it holds sizes\.npy"):
        write(overwrite=True)
    assert (out / "meta.json").exists() and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("change", ["nothing", "a file", "a hidden file", "a link", "other content", "one file less"])
def test_a_sample_that_is_replaced_takes_no_file_of_another_with_it(
    change: str, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample(tmp_path / "sample", train=1, validation=1, progress=False)
    (root / ".mmdetpre").mkdir()
    (root / ".mmdetpre" / "a.lock").touch()
    drawn = sorted(root.rglob("*.jpg"))[0]
    {
        "nothing": lambda: None,
        "a file": lambda: (root / "notes.txt").write_text("mine"),
        "a hidden file": lambda: (root / ".git").write_text("mine"),
        "a link": lambda: (root / "link").symlink_to(mine.parent),
        "other content": lambda: drawn.write_bytes(b"mine"),
        "one file less": lambda: drawn.unlink(),
    }[change]()
    before = {path.relative_to(root) for path in root.rglob("*")}
    make_sample(root, train=2, validation=1, progress=False, force=True)
    assert json.loads((root / "sample.json").read_text())["parameters"]["train"] == 2
    kept = [path for path in tmp_path.iterdir() if path.name not in ("sample", "elsewhere")]
    if change == "nothing":
        assert not kept
    else:
        assert {path.relative_to(kept[0]) for path in kept[0].rglob("*")} == before
        assert str(kept[0]) in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/b", "..", "", "a\\b"])
def test_checksums_of_files_elsewhere_are_refused(name: str, tmp_path: Path, watched) -> None:
    (tmp_path / "secret").write_bytes(b"a")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ValueError, match="not a file of that folder"), watched(writes=(folder,)):
        damaged_files(folder, {name: 1})
    assert not (folder / VERIFIED).exists()
    with pytest.raises(ValueError, match="no table of checksums"):
        damaged_files(folder, ["a"])  # type: ignore[arg-type]


def test_a_remembered_verification_that_is_a_link_is_not_followed(mine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.npy").write_bytes(b"a")
    (folder / VERIFIED).symlink_to(mine)
    assert damaged_files(folder, {"a.npy": checksum(folder / "a.npy")}) == []


def test_files_that_are_written_where_a_link_leads_are_those_the_user_named(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real" / "a.txt", tmp_path / "a.txt")
    write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "real" / "a.txt").read_text() == "x"


def test_reports_and_figures(mine: Path, tmp_path: Path) -> None:
    root = tmp_path / "study"
    root.mkdir()
    (root / "report").symlink_to(mine.parent)
    with pytest.raises(ValueError, match="leads out of"):
        write_own(root / "report", {"mine.txt": "x"})
    (root / "report").unlink()
    write_own(root / "report", {"a.md": "x"})
    (root / "report" / "a.md").unlink()
    (root / "report" / "a.md").symlink_to(mine)
    with pytest.raises(FileExistsError, match="not as mmdetpre wrote it"):
        write_own(root / "report", {"a.md": "y"})
    (root / "report" / "a.md").unlink()
    record_of(root / "report").unlink()
    record_of(root / "report").symlink_to(mine)
    with pytest.raises(FileExistsError, match="is a link"):
        write_own(root / "report", {"a.md": "y"})


@pytest.mark.parametrize("name", _OURS)
def test_a_study(name: str, mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    with _only_one(out):
        pass
    (out / name).unlink(missing_ok=True)
    (out / "study.json").write_text("mmdetpre.study/1") if name != "study.json" else None
    (out / name).symlink_to(mine.with_name("nothing") if name == "study.lock" else mine.parent)
    with pytest.raises((ValueError, FileExistsError), match="leads out of|no study wrote"), _only_one(out):
        pass


def test_exported_backbones(mine: Path, tmp_path: Path) -> None:
    for target in (mine, mine.with_name("nothing.pth")):
        (tmp_path / "backbone_final.pth").symlink_to(target)
        with pytest.raises(FileExistsError, match="is a link"):
            _require_exported(tmp_path / "backbone_final.pth")
        (tmp_path / "backbone_final.pth").unlink()


def test_the_copy_of_a_checkpoint_that_is_a_stream_lies_under_a_name_of_its_own(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is gone afterwards, also where it was refused."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    content = io.BytesIO()
    torch.save({"w": torch.ones(2)}, content)
    content.seek(0)
    assert torch.equal(_read(content)["w"], torch.ones(2))
    with pytest.raises((EOFError, RuntimeError, ValueError)):
        _read(io.BytesIO(b"nothing"))
    assert not list((tmp_path / "scratch").iterdir())
