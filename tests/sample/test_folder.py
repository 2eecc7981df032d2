from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmdetpre.sample import LAYOUTS, folder, make_sample
from mmdetpre.sample.openimages_layout import OpenImagesLayout

SMALL = dict(train=3, validation=1, size=(128, 96), progress=False)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    first, second = (make_sample(tmp_path / name, **SMALL) for name in ("a", "b"))
    assert contents(first) == contents(second)


def test_another_seed_gives_other_images(tmp_path: Path) -> None:
    first, second = (contents(make_sample(tmp_path / str(seed), seed=seed, **SMALL)) for seed in (0, 1))
    assert not {k for k in first if k.endswith(".jpg")} & {k for k in second if k.endswith(".jpg")}


def test_more_images_keep_the_first_ones(tmp_path: Path) -> None:
    small = contents(make_sample(tmp_path / "small", **SMALL))
    large = contents(make_sample(tmp_path / "large", **{**SMALL, "train": 5}))
    images = {k: v for k, v in small.items() if k.endswith(".jpg")}
    assert images.items() <= large.items()


def test_a_complete_sample_is_reused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_sample(tmp_path / "s", **SMALL)
    monkeypatch.setattr(folder, "render", lambda scene: pytest.fail("drew again"))
    (root / ".mmdetpre").mkdir()
    (root / ".mmdetpre" / "table.npy").write_bytes(b"packed by the data set that reads the sample")
    assert make_sample(root, **SMALL) == root
    assert "Reusing the sample" in capsys.readouterr().out


def test_other_parameters_need_force(tmp_path: Path) -> None:
    root = make_sample(tmp_path / "s", **SMALL)
    with pytest.raises(FileExistsError, match=r"seed=0 \(asked: 7\).*--force"):
        make_sample(root, seed=7, **SMALL)
    make_sample(root, seed=7, force=True, **SMALL)
    assert json.loads((root / "sample.json").read_text())["parameters"]["seed"] == 7
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_damaged_sample_is_noticed(tmp_path: Path) -> None:
    root = make_sample(tmp_path / "s", **SMALL)
    next((root / "OpenImages/train").iterdir()).unlink()
    with pytest.raises(FileExistsError, match="holds 8 files where its stamp says 9"):
        make_sample(root, **SMALL)
    before = contents(make_sample(root, force=True, **SMALL))
    assert len(before) == 10


@pytest.mark.parametrize("force", [False, True])
def test_a_foreign_folder_is_never_touched(tmp_path: Path, force: bool) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(FileExistsError, match="choose another folder"):
        make_sample(tmp_path, force=force, **SMALL)
    assert contents(tmp_path) == {"thesis.txt": b"three years of work"}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    assert make_sample(tmp_path / "s", **SMALL) == tmp_path / "s"
    assert contents(tmp_path / "s") == contents(make_sample(tmp_path / "new", **SMALL))


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fail(self: OpenImagesLayout) -> None:
        raise error

    monkeypatch.setattr(OpenImagesLayout, "finish", fail)
    with pytest.raises(error):
        make_sample(tmp_path / "s", **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_replacement_keeps_the_old_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_sample(tmp_path / "s", **SMALL)
    before = contents(root)
    monkeypatch.setattr(OpenImagesLayout, "finish", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_sample(root, seed=7, force=True, **SMALL)
    assert contents(root) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(dict(layout="pascal"), "'openimages'"), (dict(train=0), "at least 1 image"), (dict(which="all"), "'source'")],
)
def test_bad_arguments(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_sample(tmp_path / "s", **{**SMALL, **arguments})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "openimages"])
def test_every_layout_is_deterministic_and_complete(tmp_path: Path, layout: str) -> None:
    first, second = (make_sample(tmp_path / name, layout=layout, **SMALL) for name in ("a", "b"))
    assert contents(first) == contents(second)
    stamp = json.loads((first / "sample.json").read_text())
    target = layout in ("voc", "caltech256")
    assert stamp["parameters"]["which"] == LAYOUTS[layout].which == ("target" if target else "source")
    assert stamp["files"] == len(contents(first)) - 1
