"""Names that strangers chose (classes, colours, images, studies), through the tools that show and write them."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmdetpre.checkpoints.fit import require_classes
from mmdetpre.checkpoints.loaders import as_data
from mmdetpre.datasets.coco.json_file import read_coco_json
from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.hooks import CheckpointFitHook
from mmdetpre.utils.plain_text import one_line

LIVE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")
"""What a terminal or an editor obeys; line breaks aside, which are counted."""
CONFIG = "configs/det/sniper_openimages_sample.py"
STUDY = "tools/study/study.py"


@pytest.fixture
def hostile(marker: Path) -> list[str]:
    """Eight names, of which each would do something where it is pasted into code, a shell, a page, a path or a line."""
    return [
        f"__import__('os').mkdir('{marker}')",
        f"{{{{$NOPE:__import__('os').mkdir('{marker}')}}}}",
        f"'; touch {marker}; $(touch {marker}) `touch {marker}`",
        "<script>alert(1)</script> | [x](javascript:alert(1))",
        '=HYPERLINK("http://evil.example")',
        "cat\x1b[2J\nmmdetpre: all is well\r\u202e\u2028",
        "../../../../../../etc/passwd",
        "$\\input{/etc/passwd}$ %s %(x)s {0}",
    ]


def require_plain(done: Any, lines: int | None = None) -> None:
    for text in (done.stdout, done.stderr):
        assert not LIVE.search(text), text
        assert "Traceback" not in text and "\nmmdetpre: all is well" not in text
    assert lines is None or done.stderr.count("\n") == lines, done.stderr


@pytest.fixture(scope="module")
def weights(repository: Path) -> dict[str, Any]:
    init_default_scope("mmdet")
    return dict(MODELS.build(Config.fromfile(repository / CONFIG).model).state_dict())


@pytest.fixture
def detect(weights, repository: Path, tiny_sample: Path, tmp_path: Path, run_tool_here: Callable) -> Callable[..., Any]:
    """Function that runs detect.py with a checkpoint of this ``meta``."""

    def run(meta: Any) -> Any:
        torch.save({"state_dict": weights, "meta": meta}, tmp_path / "a.pth")
        image = min((tiny_sample / "OpenImages/validation").glob("*"))
        arguments = [repository / CONFIG, tmp_path / "a.pth", image, "--plot", tmp_path / "found.png"]
        return run_tool_here(
            repository / "tools/visualization/detect.py", *arguments, "--score-thr", "0", "--device", "cpu"
        )

    return run


def test_classes_and_colors_of_a_checkpoint(detect, hostile: list[str], tmp_path: Path) -> None:
    done = detect({"dataset_meta": {"classes": hostile, "palette": hostile}})
    assert done.returncode == 0, done.stderr
    require_plain(done)
    shown = [line for line in done.stdout.splitlines() if line.startswith("0.")]
    assert shown and all(any(one_line(name) in line for name in hostile) for line in shown)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "found.png"]
    assert Image.open(tmp_path / "found.png").width >= 480


@pytest.mark.parametrize(
    "meta, message",
    [
        ({"dataset_meta": 5}, "`dataset_meta` .* is int"),
        ({"dataset_meta": ["a"]}, "`dataset_meta` .* is list"),
        ({"dataset_meta": {"classes": 5}}, "classes .* int"),
        ({"dataset_meta": {"CLASSES": {"a": 1}}}, "CLASSES .* dict"),
        ({"dataset_meta": {"classes": [["a"]] * 8}}, "classes .* list"),
        ({"dataset_meta": {"classes": ["x" * 2000] * 8}}, "classes .* 2,000 characters"),
        ({"dataset_meta": {"classes": ["\ud800"] * 8}}, "classes .* Unicode"),
        ({"dataset_meta": {"classes": ["a"]}}, "names 1 classes, .* 8"),
    ],
)
def test_what_are_no_classes_is_one_message(meta: Any, message: str, detect, tmp_path: Path) -> None:
    done = detect(meta)
    assert done.returncode == 1 and re.search(message, done.stderr), done.stderr
    require_plain(done, lines=1)
    assert len(done.stderr) < 600 and [path.name for path in tmp_path.iterdir()] == ["a.pth"]


@pytest.mark.parametrize("meta", [None, 5, [], {}, {"dataset_meta": None}, {"dataset_meta": {"classes": None}}])
def test_a_checkpoint_that_says_nothing_is_read(meta: Any, detect) -> None:
    done = detect(meta)
    shown = [line for line in done.stdout.splitlines() if re.match(r"\d\.\d{3}  ", line)]
    named = [line for line in shown if re.match(r"\d\.\d{3}  [A-Z]", line)]  # as the config's, not "class 0"
    assert done.returncode == 0 and shown and named == shown, done.stderr


@pytest.mark.parametrize(
    "palette",
    [5, {"a": 1}, "__import__('os')", [5], [[1, 2]], [[1, 2, 300]], [[1, 2, -1]], [[1, 2, 0.5]], [[True, 1, 2]],
     "x" * 99, [[1, 2, float("nan")]], [["a", "b", "c"]], [[1, 2, 10**30]]],
)  # fmt: skip
def test_colors_that_are_none_are_left_out(palette: Any) -> None:
    """The hosts' inferencers give them to their painters."""
    read = as_data({"meta": {"dataset_meta": {"classes": ["a"], "palette": palette, "PALETTE": palette}}}, "a.pth")
    assert read["meta"]["dataset_meta"] == {"classes": ["a"]}


def test_what_a_data_set_says_stays_as_it_is() -> None:
    meta = {"classes": ("a", "b"), "palette": [(0, 1, 255), (3, 4, 5)], "wnids": ["n1"], "class_map": {"a": 1}}
    for palette in (meta["palette"], "random", None, []):
        said = {**meta, "palette": palette}
        read = as_data({"meta": {"dataset_meta": dict(said)}}, "a.pth")["meta"]["dataset_meta"]
        assert read == said and type(read["classes"]) is tuple


def test_the_hosts_own_function_gets_plain_names(weights, hostile: list[str], repository: Path, tmp_path: Path) -> None:
    from mmdet.apis import init_detector

    meta = {"classes": hostile, "palette": [hostile]}
    torch.save({"state_dict": weights, "meta": {"dataset_meta": meta}}, tmp_path / "a.pth")
    model = init_detector(str(repository / CONFIG), str(tmp_path / "a.pth"), palette="none", device="cpu")
    assert model.dataset_meta["classes"] == list(map(one_line, hostile))
    assert model.dataset_meta["palette"] in ("random", [])


def test_other_names_than_the_tested_ones_are_told_on_one_line(hostile: list[str]) -> None:
    lines: list[str] = []
    dataset = SimpleNamespace(metainfo={"classes": ["a"]})
    model = torch.nn.Linear(1, 1)
    runner = SimpleNamespace(
        model=model, logger=SimpleNamespace(warning=lines.append), _train_loop={}, _val_loop={}, _resume=False,
        _load_from="a.pth", _test_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset)),
    )  # fmt: skip
    for name in (*hostile, "x" * 900):
        content = {"state_dict": model.state_dict(), "meta": {"dataset_meta": {"classes": [name]}}}
        CheckpointFitHook().after_load_checkpoint(runner, content)
        assert len(lines[-1]) < 2000 and not LIVE.search(lines[-1]) and "\n" not in lines[-1]
    for meta in (None, 5, {"dataset_meta": None}):
        CheckpointFitHook().after_load_checkpoint(runner, {"state_dict": model.state_dict(), "meta": meta})
    assert len(lines) == len(hostile) + 1


def test_metainfo_of_a_config(
    hostile: list[str], tiny_sample: Path, repository: Path, tmp_path: Path, run_tool_here
) -> None:
    """``metainfo=dict(classes=...)`` selects classes by name: unknown ones are one message."""
    text = f"_base_ = [{str(repository / CONFIG)!r}]\n"
    names = [name.replace("{{", "{ {") for name in hostile]  # a config is code, and mmengine's templates are its own
    text += (
        "train_dataloader = dict(dataset=dict(dataset=dict("
        f"data_root={str(tiny_sample) + '/'!r}, classes=None, metainfo=dict(classes={names!r}, palette={names!r}))))\n"
    )
    (tmp_path / "config.py").write_text(text)
    done = run_tool_here(
        repository / "tools/analysis_tools/browse_chips.py",
        tmp_path / "config.py",
        "--out-dir",
        tmp_path / "out",
        "-n",
        1,
    )
    assert done.returncode == 1, done.stdout
    require_plain(done, lines=1)

    with pytest.raises(ValueError, match="has 8 classes") as caught:
        require_classes(torch.nn.ModuleDict({"head": Head(1)}), hostile)
    assert not LIVE.search(str(caught.value)) and "\n" not in str(caught.value)


class Head(torch.nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.num_classes = classes


def test_ids_of_images_of_a_run(hostile: list[str], tmp_path: Path, repository: Path, run_tool_here: Callable) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    count = len(hostile)
    boxes = np.array([[5, 5, 40, 40]] * count, np.float32)
    truth = GroundTruth(range(count), boxes, range(count), [False] * count)
    run = Detections(
        hostile, hostile, range(count), boxes, [0.9] * count, range(count), paths=[str(tmp_path / "a.png")] * count,
        truth=truth,
    )  # fmt: skip
    run.save(tmp_path / "run.npz")
    assert Detections.load(tmp_path / "run.npz").names == tuple(hostile)
    out = tmp_path / "out"
    out.mkdir()
    runs = ["--run", f"a={tmp_path / 'run.npz'}", "--run", f"{one_line(hostile[3])}={tmp_path / 'run.npz'}"]
    for tool, files in (
        ("visualization/compare_detections.py", ["--plot", out / "a.png", "--first", count]),
        ("analysis_tools/detection_errors.py", ["--out", out / "b.csv", "--groups", "none"]),
    ):
        done = run_tool_here(repository / "tools" / tool, *runs, *files)
        assert done.returncode == 0, (tool, done.stderr)
        require_plain(done)
    assert {path.name for path in out.iterdir()} == {"a.png", "b.csv"}
    assert not re.search(r"^[=@]", (out / "b.csv").read_text(), re.MULTILINE)
    lost = run_tool_here(
        repository / "tools/visualization/compare_detections.py", *runs, "--plot", out / "e.png", "--ids", "z"
    )
    assert lost.returncode == 1
    require_plain(lost, lines=1)


IDS: list[Any] = [
    "__import__('os')", "../../../etc/passwd", "\x1b[2J\n", "<script>", -1, 2**70,
    1.5, True, None, math.nan, [1], {"a": 1}, "x" * 10**5,
]  # fmt: skip


def annotations(folder: Path, images: list[Any], categories: list[Any]) -> Path:
    for i in range(len(images)):
        (folder / "images").mkdir(exist_ok=True)
        Image.new("RGB", (64, 48), (9 * i, 9, 9)).save(folder / "images" / f"{i}.jpg")
    pairs = [(x, c) for x in images for c in categories]
    content = {
        "images": [{"id": x, "file_name": f"{i}.jpg", "width": 64, "height": 48} for i, x in enumerate(images)],
        "annotations": [
            {"id": i, "image_id": x, "category_id": c, "bbox": [5, 5, 20, 20], "iscrowd": 0}
            for i, (x, c) in enumerate(pairs)
        ],
        "categories": [{"id": c, "name": f"c{i}"} for i, c in enumerate(categories)],
    }
    (folder / "boxes.json").write_text(json.dumps(content))
    return folder / "boxes.json"


@pytest.mark.parametrize("which", ["image", "category"])
def test_ids_of_every_kind_are_read_or_refused_in_one_line(which: str, tmp_path: Path) -> None:
    for strange in IDS:
        images, categories = (list(range(3)), [strange, 5]) if which == "category" else ([0, strange, 2], [1, 5])
        file = annotations(tmp_path, images, categories)
        try:
            found = read_coco_json(file)
        except ValueError as error:
            assert "\n" not in str(error) and not LIVE.search(str(error)) and len(str(error)) < 1000, error
            assert not isinstance(strange, str)
        else:
            assert (
                isinstance(strange, str | int)
                and len(found.files) == 3
                and strange in (*found.ids, *found.category_ids)
            )


def test_ids_that_are_texts_in_a_study(
    hostile: list[str], tmp_path: Path, repository: Path, run_tool_here: Any
) -> None:
    file, out = annotations(tmp_path, hostile, hostile[:3]), tmp_path / "study"
    done = run_tool_here(
        repository / STUDY, "init", "--det", file, "--det-images", tmp_path / "images", "--model", "sample",
        "--seeds", 1, "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    require_plain(done)
    done = run_tool_here(repository / STUDY, "check", out / "study.yaml")
    assert done.returncode == 0 and "3 classes" in done.stdout, done.stderr
    require_plain(done)


def test_names_and_titles_of_a_study(hostile: list[str], tmp_path: Path, repository: Path, run_tool_here: Any) -> None:
    sample = yaml.safe_load((repository / "tools/study/sample.yaml").read_text())
    sample["out"] = str(tmp_path / "out")
    path = tmp_path / "study.yaml"
    for place in ("name", "title", "init", "task"):
        for text in hostile:
            changed = json.loads(json.dumps(sample))
            key = next(iter(changed[f"{place}s"])) if place in ("init", "task") else None
            (changed if key is None else changed[f"{place}s"][key])["title" if key else place] = text
            path.write_text(yaml.safe_dump(changed))
            done = run_tool_here(repository / STUDY, "plan", path)
            require_plain(done)
            assert not list(tmp_path.rglob("passwd")) and not os.path.exists(tmp_path / "out" / "report")
            if done.returncode:
                assert done.stderr.count("\n") == 1, done.stderr
                assert done.stderr.startswith("study"), done.stderr
