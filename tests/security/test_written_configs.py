"""What a user's data are called stays data: no name of a class, file or folder becomes code in what is written."""

from __future__ import annotations

import json
import math
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from PIL import Image

from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.utils.config_writer import Beside, ConfigFile, Named, require_literals, resolved_text, write_config

STUDY = "tools/study/study.py"
BOX = {"bbox": [20, 10, 60, 50], "iscrowd": 0}


def attacks(marker: Path) -> dict[str, tuple[str, str]]:
    """Two names each that made a config run ``touch MARKER``, or would by their kind."""
    run = f"__import__('os').system('touch {marker}')"
    return {
        "mmengine's variables of the environment": ("a{{$NOPE:", f"}}}}{run}]#"),
        "with quotes": ("{{'$NOPE:1'}}", f"{{{{$NOPE:{run}}}}}"),
        "the folder of the config": ("{{ fileDirname }}", "{{fileBasenameNoExtension}}"),
        "variables of the bases": ("{{_base_.model}}", "{{ _base_.nothing }}"),
        "the end of a text": (f'"]; {run}; x = ["', f"']; {run}; x = ['"),
        "the end of a long text": (f'"""; {run}; """', f"'''; {run}; '''"),
        "a backslash": ("\\", f"]; {run} #\\"),
        "a comment": (f"# {run}", "%cat {0} {x}"),
        "tags of YAML": (f"!!python/object/apply:os.system ['touch {marker}']", "*a &a !!python/none"),
        "templates of Jinja": (f"{{{{ cycler.__init__.__globals__.os.system('touch {marker}') }}}}", "{% raw %}"),
        "the shell": (f"$(touch {marker})", f"`touch {marker}`; touch {marker}"),
    }


def photo(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (160, 120), (20 * seed % 256, 90, 30)).save(path)


def boxes(root: Path, names: Sequence[str], images: str = "images") -> Path:
    for i in range(10):
        photo(root / images / f"{i}.jpg", i)
    pairs = [(image, category) for image in range(10) for category in range(1, len(names) + 1)]
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 160, "height": 120} for i in range(10)],
        "annotations": [BOX | {"id": i, "image_id": a, "category_id": b} for i, (a, b) in enumerate(pairs)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names, 1)],
    }
    (root / "bolts.json").write_text(json.dumps(content))
    return root / "bolts.json"


def test_names_of_classes_in_a_study_that_is_written_and_checked(
    marker: Path, tmp_path: Path, repository: Path, run_tool_here: Any
) -> None:
    names = [name for pair in attacks(marker).values() for name in pair]
    out = tmp_path / "study"
    file = boxes(tmp_path, names)
    done = run_tool_here(repository / STUDY, "init", "--det", file, "--model", "sample", "--seeds", "1", "--out", out)
    assert done.returncode == 0, done.stderr
    for command in ("check", "plan"):
        done = run_tool_here(repository / STUDY, command, out / "study.yaml")
        assert done.returncode == 0, done.stderr
    dataset = open_dataset(out / "configs" / "own_det.py", "test", inner=True)
    assert dataset.metainfo["classes"] == tuple(names)
    for config in (out / "configs").glob("*.py"):  # mmengine writes configs into work dirs as they are
        assert not any(name in config.read_text() for name in names if len(name) > 2)


@pytest.mark.slow
def test_the_reproduction_in_processes_of_their_own(
    marker: Path, tmp_path: Path, repository: Path, run_tool: Any
) -> None:
    out = tmp_path / "study"
    file = boxes(tmp_path, attacks(marker)["mmengine's variables of the environment"])
    done = run_tool(repository / STUDY, "init", "--det", file, "--model", "sample", "--seeds", "1", "--out", out)
    assert done.returncode == 0, done.stderr
    checked = run_tool(repository / STUDY, "check", out / "study.yaml")
    assert checked.returncode == 0 and "8 images" in checked.stdout, checked.stderr


@pytest.mark.parametrize("where", ["photos", "classes", "out", "data"])
def test_a_line_break_or_a_template_in_a_path_is_refused_at_the_start(
    where: str, marker: Path, tmp_path: Path, repository: Path, run_tool_here: Any
) -> None:
    for text in (
        f"photos\n__import__('os').system('touch {marker}')\n#".replace("/", "\\"),
        "{{ fileDirname }}",
        "a\x1bb",
    ):
        name = text if where == "photos" else text.replace("/", "_")
        root = tmp_path / "root"
        arguments: list[object] = ["--model", "sample", "--out", tmp_path / (name if where == "out" else "study")]
        if where == "photos":
            arguments += ["--det", boxes(root, ("a", "b"), name), "--det-images", root / name]
        elif where == "data":
            arguments += ["--det", boxes(root / name, ("a", "b"))]
        else:
            for i in range(6):
                photo(root / (name if where == "classes" else "pets") / f"{'cat' if i % 2 else 'dog'}" / f"{i}.jpg", i)
            arguments += ["--cls", root / (name if where == "classes" else "pets")]
        done = run_tool_here(repository / STUDY, "init", *arguments)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert done.stderr.startswith("study init: The path ") and done.stderr.count("\n") == 1, done.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["root"]
        shutil.rmtree(root)


def test_odd_names_of_folders_work(tmp_path: Path, repository: Path, run_tool_here: Any) -> None:
    names = ['a"b', "a\\b", "it's", " blank", "{a}", "$HOME", "#x", "-x", "größe", "%20", "é", "*"]
    root = tmp_path.joinpath(*names)
    for i, name in enumerate(names * 4):
        photo(root / "pets" / f"{name}1" / f"{name}{i}.jpg", i)
    arguments = ["--det", boxes(root, [name.strip() for name in names], '"{" \\'), "--det-images", root / '"{" \\']
    done = run_tool_here(
        repository / STUDY, "init", *arguments, "--cls", root / "pets", "--model", "sample", "--out", root / "a study"
    )
    assert done.returncode == 0, done.stderr
    said = [shlex.split(line.partition(":")[2]) for line in done.stdout.splitlines() if "  mmdetpre " in line]
    assert said[1] == ["mmdetpre", "study", "run", f"{root}/a study/study.yaml"]
    checked = run_tool_here(repository / STUDY, "check", said[1][-1])
    assert checked.returncode == 0, checked.stderr
    assert "12 classes" in checked.stdout


@pytest.mark.parametrize("name", ["cat\ndog", "cat\u2028dog", "\ud800", "cat\x00", "\x1b[2J"])
def test_names_of_classes_that_cannot_be_written_are_refused(
    name: str, tmp_path: Path, repository: Path, run_tool_here: Any
) -> None:
    file = boxes(tmp_path, (name, "b"))
    done = run_tool_here(repository / STUDY, "init", "--det", file, "--model", "sample", "--out", tmp_path / "study")
    assert done.returncode == 1 and "Traceback" not in done.stderr and name not in done.stderr
    assert repr(name) in done.stderr and not (tmp_path / "study").exists()


def test_file_names_that_are_no_utf8_are_refused(tmp_path: Path, repository: Path, run_tool_here: Any) -> None:
    for i in range(8):
        photo(tmp_path / "pets" / ("cat" if i % 2 else "dog") / f"{i}.jpg", i)
    (tmp_path / "pets" / "cat" / "1.jpg").rename(tmp_path / "pets" / "cat" / "\udcff.jpg")
    arguments = ["--cls", tmp_path / "pets", "--model", "sample", "--out", tmp_path / "study"]
    done = run_tool_here(repository / STUDY, "init", *arguments)
    assert done.returncode == 1 and "UTF-8" in done.stderr and "Traceback" not in done.stderr, done.stderr


PIECES = [*"{}$:_ '\"\\#\n[]()=", "fileDirname", "{{", "}}", "_base_.", "\ud800", "\u202e"]
TEXTS = (
    st.text(st.characters(), max_size=12)
    | st.sampled_from([text for pair in attacks(Path("MARKER")).values() for text in pair])
    | st.lists(st.sampled_from(PIECES), max_size=9).map("".join)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


def tame(value: Any) -> Any:
    """Without the keys that mean something to mmengine or addict."""
    if isinstance(value, dict):
        return {f"k{key}" if key in ("_delete_", "_scope_", "") or key.startswith("__") else key: tame(v)
                for key, v in value.items()}  # fmt: skip
    return type(value)(map(tame, value)) if isinstance(value, list | tuple) else value


@settings(max_examples=120)
@given(st.lists(TEXTS, max_size=5), VALUES)
def test_any_text_comes_back_from_a_config(names: list[str], value: Any) -> None:
    values = {"classes": names, "metainfo": {"classes": tuple(names)}, "anything": tame(value)}
    with tempfile.TemporaryDirectory() as folder:
        for i, text in enumerate((ConfigFile(values).text(), resolved_text(values, "Made by a test."))):
            path = Path(folder, f"{i}.py")
            write_config(path, text, values)
            read = Config.fromfile(path)
            assert same(read.to_dict(), values)
            assert "{{" not in text


@settings(max_examples=60)
@given(TEXTS, TEXTS)
def test_any_text_comes_back_from_yaml(title: str, name: str) -> None:
    from mmdetpre.study.custom_data.models import MODELS
    from mmdetpre.study.custom_data.study_yaml import OwnTask, study_settings, study_text

    choice = MODELS["sample"]
    content = study_settings(
        name=name,
        out=Path("results"),
        seeds=1,
        inits=[],
        tasks=[OwnTask("own_det", "detection", title, 1, 1)],
        choice=choice,
    )
    try:
        text = study_text(content, choice)
    except ValueError as error:
        assert "plainer names" in str(error)
        return
    assert yaml.safe_load(text)["title"] == title


def test_a_config_holds_paths_beside_it_and_earlier_values(tmp_path: Path) -> None:
    base = ConfigFile({"pipeline": [{"type": "A"}], "loader": {"dataset": {"type": "B", "x": 1}}})
    base.write(tmp_path / "base.py")
    values = {
        "root": Beside(("..", "data")),
        "loader": {"dataset": {"_delete_": True, "type": "C", "file": Named("root", "{{a}}.txt")}},
        "test": Named("loader"),
        "pipes": [Named("_base_.pipeline")],
    }
    ConfigFile(values, ["base.py"]).write(tmp_path / "one.py")
    moved = tmp_path.with_name('elsewhere", {{$X:1}} \\')
    shutil.copytree(tmp_path, moved)
    cfg = Config.fromfile(moved / "one.py")
    assert cfg.root == f"{moved}/../data/" and cfg.loader.dataset == {"type": "C", "file": cfg.root + "{{a}}.txt"}
    assert cfg.pipes == [[{"type": "A"}]]


def test_what_is_no_value_is_not_written(tmp_path: Path) -> None:
    for value in (object(), {1, 2}, print, tmp_path, b"x", range(3)):
        with pytest.raises(ValueError, match=r"model.x\[0\] is of type"):
            ConfigFile({"model": {"x": [value]}}).text()
    for key in ("a b", "1a", "class", "_base_", "filename", "__x", "ﬁ", ""):
        with pytest.raises(ValueError, match="cannot have the key"):
            ConfigFile({key: 1}).text()


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess", "from os import system", "a = print()", "a = [print()]", "a = dict(b=print())", "print()",
        "a = 1; b = open('x')", "a = (lambda: 1)", "a = [i for i in x]", "a = b.c", "a = b[0]", "a = f'{b}'",
        "a = dict(**b)", "a = {**b}", "a, b = 1, 2", "def f(): pass", "a = '{{ x }}'", "a = 1  # {{$A:b}}", "a += 1",
        "a = os.path.join(print(), 'b')", "a = b + c", "a = 'b' if c else d", "import os as b", "a = 1\x0cb = 2",
    ],
)  # fmt: skip
def test_text_that_is_more_than_values_is_not_kept(text: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        require_literals(text, tmp_path / "a.py")


def test_a_config_that_reads_otherwise_is_not_kept(tmp_path: Path) -> None:
    for text, values in (("a = 1\n", {"a": 2}), ("a = 1\nb = 2\n", {"a": 1}), ("a = [1]\n", {"a": (1,)})):
        with pytest.raises(ValueError, match="nothing is kept"):
            write_config(tmp_path / "a.py", text, values)
    assert not list(tmp_path.iterdir())
