"""The docstrings of the package: their examples run, and they name what a function takes."""

from __future__ import annotations

import ast
import doctest
import importlib
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
import torch
from mmengine.registry import init_default_scope

from mmdetpre.analysis.features.feature_file import write_features
from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.detections.ground_truth import GroundTruth

ROOT = Path(__file__).resolve().parents[2]
FILES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.glob("mmdetpre/**/*.py")}
EXAMPLES = sorted(name for name, text in FILES.items() if ">>> " in text)
# Examples on data sets, checkpoints or work dirs that a test would first have to make: each is the call of a function
# whose own tests make them.
MOST_SKIPPED = 49
# The functions that mmcv's operators call, with the names and the order of mmcv's compiled module.
OF_MMCV = "torchvision_ops.py"


def module_of(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def functions(file: str) -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """Name, definition and docstring of the public functions and methods; ``__init__`` is described by its class."""

    def walk(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, ast.FunctionDef, str]]:
        for child in node.body:
            if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.FunctionDef) and child.name == "__init__" and isinstance(node, ast.ClassDef):
                yield f"{prefix}__init__", child, ast.get_docstring(child) or ast.get_docstring(node) or ""
            elif isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
                yield f"{prefix}{child.name}", child, ast.get_docstring(child) or ""

    return walk(ast.parse(FILES[file]), "")


def named_arguments(doc: str) -> set[str]:
    section = re.search(r"^Args:\n((?: {4,}.*\n|\n)*)", doc + "\n", re.MULTILINE)
    entries = re.findall(r"^ {4}([*\w][*\w, ]*):", section[1], re.MULTILINE) if section else []
    return {name.strip(" *") for entry in entries for name in entry.split(",")}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Synthetic files by the names that the examples give them, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for folder in ("configs", "tools"):
        Path(folder).symlink_to(ROOT / folder)
    for folder in ("annotations", "Annotations", "my_folder/cat", "my_folder/dog", "work_dirs/a", "work_dirs/run"):
        Path(folder).mkdir(parents=True)
    Path("train.txt").write_text("cat/1.jpg\n")
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "bicycle"}]
    for part, number in (("train2017", 1), ("val2017", 2)):
        image = {"id": number, "file_name": f"{number}.jpg", "width": 8, "height": 8}
        box = {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}
        content = {"images": [image], "annotations": [box], "categories": categories}
        Path(f"annotations/instances_{part}.json").write_text(json.dumps(content))
    Path("Annotations/2007_000027.xml").write_text(
        "<annotation><size><width>486</width><height>500</height><depth>3</depth></size><object><name>person</name>"
        "<bndbox><xmin>174</xmin><ymin>101</ymin><xmax>349</xmax><ymax>351</ymax></bndbox></object></annotation>"
    )
    Path("validation-annotations-bbox.csv").write_text(
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
        "0001eeaf4aed83f9,xclick,/m/0k4j,1,0.25,0.75,0.5,1,0,0,0,0,0\n"
    )
    Path("validation-annotations-human-imagelabels-boxable.csv").write_text(
        "ImageID,Source,LabelName,Confidence\n0001eeaf4aed83f9,verification,/m/0k4j,1\n"
    )
    scipy.io.savemat("setid.mat", {"trnid": np.array([[6765, 6755, 6768]])})
    rng = np.random.default_rng(0)
    for i, name in enumerate(
        ("photo", *(f"my_folder/{name}" for name in ("cat/1", "cat/2", "cat/3", "dog/1", "dog/2")))
    ):
        assert cv2.imwrite(f"{name}.jpg", rng.integers(0, 256, (300 + i, 320, 3), np.uint8))
    truth = GroundTruth([0], [[0, 0, 9, 9]], [0], [False])
    Detections(("cat",), ("1",), [0], [[0, 0, 9, 9]], [0.5], [0], truth=truth).save("work_dirs/a/detections.npz")
    for run in "ab":
        write_features(f"features/{run}", {"fc2": np.eye(3, 2, dtype=np.float32)}, images=["1.jpg", "2.jpg", "3.jpg"])
    torch.save({"state_dict": {"conv1.weight": torch.zeros(1)}}, "work_dirs/run/epoch_12.pth")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("file", EXAMPLES)
def test_examples_run(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if file == "mmdetpre/config_files.py" and not (ROOT / "mmdetpre" / ".mim").exists():
        pytest.skip("finds the configs of an installed package, and this one is not installed")
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "backend", "Agg")
    module = importlib.import_module(module_of(file))
    init_default_scope("mmdet")  # as the examples of detectors need, in whatever order tests run
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # mmengine logs to where examples print
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False)
    report = io.StringIO()
    tests = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert tests, f"{file} holds examples that doctest does not find"
    for test in tests:
        runner.run(test, out=report.write)
    assert runner.failures == 0, report.getvalue()


def test_few_examples_are_skipped() -> None:
    assert sum(text.count("# doctest: +SKIP") for text in FILES.values()) <= MOST_SKIPPED


def test_every_public_function_has_a_docstring() -> None:
    lacking = [f"{file}: {name}" for file in FILES for name, _, doc in functions(file) if not doc]
    assert not lacking


def test_functions_of_three_parameters_name_all_of_them() -> None:
    lacking = []
    for file in FILES:
        if file.endswith(f"/{OF_MMCV}"):
            continue
        for name, function, doc in functions(file):
            arguments = function.args
            parameters = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            own = [parameter for parameter in parameters if parameter not in ("self", "cls")]
            unnamed = [parameter for parameter in own if parameter not in named_arguments(doc)]
            if len(own) >= 3 and unnamed:
                lacking.append(f"{file}: {name}: {', '.join(unnamed)}")
    assert not lacking


def test_no_docstring_names_a_parameter_that_is_not_there() -> None:
    wrong = []
    for file in FILES:
        for name, function, doc in functions(file):
            arguments = function.args
            if name.endswith("__init__") and arguments.kwarg:
                continue  # the class describes what it passes on as well
            given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            unknown = named_arguments(doc) - {argument.arg for argument in given if argument}
            wrong += [f"{file}: {name}: {', '.join(sorted(unknown))}"] if unknown else []
    assert not wrong
