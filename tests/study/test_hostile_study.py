"""A study whose names, records and folders are hostile: its report is written, and nothing in it is live."""

from __future__ import annotations

import html.parser
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmdetpre.study.records import DAMAGED, DONE, read_outcome
from mmdetpre.study.report.write import write_report
from mmdetpre.study.workflow import _only_one

RUN = "voc_detection/coco/seed0"
LIVE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "a | b \\| c",
    "`code` **bold** <!-- hidden",
    "{{ 7 * 7 }} {% raw %}",
    "</style></title><svg/onload=alert(1)>",
    "&lt;script&gt; http://evil.example www.evil.example",
    "two\nlines\n\n# head\n\n* item",
    "\x1b[31mred\x07\u202eevil",
]


class Page(html.parser.HTMLParser):
    """What a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.live: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            refers = name in ("href", "src", "action", "data") and not re.match(r"#|data:", value or "")
            if name.startswith("on") or refers:
                self.live.append(f"{tag} {name}={value}")


def hostile(fake_study: Any, text: str) -> None:
    plan = fake_study.plan
    plan["title"] = plan["name"] = text
    for key in plan["starts"]:
        plan["starts"][key]["title"] = f"{key} {text}"
    plan["tasks"] = {key: task | {"title": f"{key} {text}"} for key, task in plan["tasks"].items()}
    fake_study.put("study.json", plan)
    path = fake_study.out / "records" / f"{RUN}.json"
    record = json.loads(path.read_text())
    for key in ("device", "config", "log", "finished"):
        record[key] = text
    record |= {"notes": [text], "commands": [["echo", text]], "options": {text: text}, "versions": {text: text}}
    record["load"] |= {"verdict": text, "source": text, "digest": text}
    record["checkpoint"] = {"file": text, "sha256": text}
    record["parts"].append({"by": "class", "name": text, "measure": "AP at IoU 0.5", "value": 1.0})
    path.write_text(json.dumps(record))
    fake_study.put("configs/voc_detection/coco/seed0.py", f"key = {{'a': {text!r}, {text!r}: 1}}\n")
    fake_study.failure("voc_detection/scratch/seed2", text)
    figure = {"number": text, "title": text, "caption": text, "image": text, "data": text}
    fake_study.record("figures/1", figure=figure)
    data = json.loads((fake_study.out / "data.json").read_text())
    for entry in data["data"]:
        entry |= {"title": text, "root": text, "config": text, "roles": [text]}
    fake_study.put("data.json", data)


@pytest.fixture
def plain_tags(fake_study: Any) -> set[str]:
    return set(Page(write_report(fake_study.out).read_text()).tags)


@pytest.mark.parametrize("text", LIVE)
def test_nothing_of_a_hostile_study_is_live(text: str, fake_study: Any, plain_tags: set[str]) -> None:
    hostile(fake_study, text)
    page = write_report(fake_study.out).read_text()
    found = Page(page)
    assert not found.live and set(found.tags) <= plain_tags | {"ul", "li"}, found.live
    tables = (fake_study.out / "report" / "tables.md").read_text()
    assert not any(letter in tables for letter in "\x1b\x07\u202e")
    assert not re.search(r"(?<!\\)<(?!br)", tables) and not re.search(r"(?<!\\)!?\[[^]]*(?<!\\)\]\(", tables)
    markdown_it = pytest.importorskip("markdown_it")
    shown = Page(markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").render(tables))
    allowed = {"h1", "p", "ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert set(shown.tags) <= allowed and shown.tags.count("h1") == 1 and not shown.live
    json.loads((fake_study.out / "report" / "report.json").read_text())


DAMAGE: dict[str, Any] = {
    "seconds": ["x", [], {}, True, 1e999, 10**400, -(10**30)],
    "cells": [{}, "x", 5, [1], [None], [[]], [{}], [{"table": 2, "row": "a", "column": "b"}]],
    "parts": [{}, "x", 5, [1], [{}], [{"by": "class", "name": "a"}], [{"by": 2, "name": "a", "measure": "b"}]],
    "commands": [{}, "x", [5], [[5]], [None], ["mim"]],
    "notes": ["x", {}, [5], [["a"]], [{}]],
    "figure": [5, "x", [], {"title": "a"}, {"number": "1", "title": 5}, {"number": "1", "image": ["a"]}],
    "checkpoint": [5, "x", [1], {"file": 5}],
    "load": [5, "x", [1], {"digest": [1]}, {"verdict": {}}],
    "config": [5, ["a"], {}],
    "device": [5, ["a"], {}, "\ud800"],
    "finished": [5, ["a"]],
    "options": ["\ud800", {"a": 1e999}, {"a": [10**30]}],
    "versions": [{"\ud800": 1}],
    "log": [5, []],
    "run": [5, None, [], "other"],
    "format": [5, None, [], "mmdetpre.study.run/2"],
}
VALUES = ["39", True, [], {}, 1e999, -1e999, 1e300, 10**300, 2e6]


@pytest.mark.parametrize("key,value", [(key, value) for key, values in DAMAGE.items() for value in values])
def test_a_record_of_another_type_is_a_damaged_run(key: str, value: Any, fake_study: Any) -> None:
    path = fake_study.out / "records" / f"{RUN}.json"
    record = json.loads(path.read_text()) | {key: value}
    if value in ({}, []) and key in ("load", "figure", "cells", "parts", "commands", "notes"):
        pytest.skip("empty is as good as nothing")
    path.write_text(json.dumps(record))
    reported(fake_study)


@pytest.mark.parametrize("key", ["value", "low", "high"])
@pytest.mark.parametrize("value", VALUES)
def test_a_number_that_none_can_be_is_a_damaged_run(key: str, value: Any, fake_study: Any) -> None:
    path = fake_study.out / "records" / f"{RUN}.json"
    record = json.loads(path.read_text())
    record["cells"][0][key] = value
    path.write_text(json.dumps(record))
    reported(fake_study)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 100, b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"null", b"{" + b" " * 10_000_000 + b"}",
     b'{"format": "mmdetpre.study.run/1", "run": "' + RUN.encode() + b'", "x": ' + b"[" * 70 + b"]" * 70 + b"}",
     b'{"format": "mmdetpre.study.run/1", "seconds": ' + b"9" * 10_000 + b"}"],
    ids=range(9),
)  # fmt: skip
def test_a_cut_empty_or_deep_record_is_a_damaged_run(content: bytes, fake_study: Any) -> None:
    (fake_study.out / "records" / f"{RUN}.json").write_bytes(content)
    reported(fake_study)


def test_a_folder_a_pipe_and_a_link_are_damaged_runs(fake_study: Any, tmp_path: Path) -> None:
    path = fake_study.out / "records" / f"{RUN}.json"
    text = path.read_text()
    path.unlink()
    path.mkdir()
    reported(fake_study)
    path.rmdir()
    os.mkfifo(path)
    os.set_blocking(os.open(path, os.O_RDWR | os.O_NONBLOCK), False)
    reported(fake_study)
    path.unlink()
    (tmp_path / "elsewhere.json").write_text(text)
    path.symlink_to(tmp_path / "elsewhere.json")
    assert "a link out of the study's folder" in reported(fake_study)


def reported(fake_study: Any) -> str:
    outcome = read_outcome(fake_study.out)
    assert outcome.runs[RUN].state == DAMAGED and outcome.runs["voc_detection/coco/seed1"].state == DONE
    (problem,) = (problem for problem in outcome.problems if RUN in problem)
    assert problem.startswith(f"records/{RUN}.json is damaged (")
    page = write_report(fake_study.out).read_text()
    assert "64.0" in page or "65.0" in page
    return problem


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_records_never_stop_the_report(fake_study: Any, data: Any) -> None:
    fake_study.record(
        RUN, {("2", "coco", "ap50"): 64.0}, figure={"number": "1", "title": "a", "image": "figures/figure_1.png"}
    )
    paths = [fake_study.out / "records" / f"{RUN}.json", fake_study.out / "data.json"]
    keep = [path.read_bytes() for path in paths]
    for path, text in zip(paths, keep, strict=True):
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(text)))
            text = (
                text[:at]
                + data.draw(st.binary(max_size=3) | st.sampled_from([b"[", b"{}", b"1e999", b'"', b"null,", b"-"]))
                + (text[at + data.draw(st.integers(0, 6)) :])
            )
        path.write_bytes(text)
    write_report(fake_study.out)
    for path, text in zip(paths, keep, strict=True):
        path.write_bytes(text)


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/passwd", "figures/../../secret.png", "link.png", "a\x00b.png", "x" * 5000]
)
def test_a_figure_outside_the_folder_is_not_shown(name: str, fake_study: Any) -> None:
    fake_study.picture("../secret.png")
    (fake_study.out / "link.png").symlink_to(fake_study.out.parent / "secret.png")
    fake_study.record("figures/1", figure={"number": "1", "title": "t", "image": name})
    page = write_report(fake_study.out).read_text()
    outcome = json.loads((fake_study.out / "report" / "report.json").read_text())
    (figure,) = (figure for figure in outcome["figures"] if figure["number"] == "1")
    assert figure["image"] is None and "Figure 1." in page
    assert any("figures/1 names the picture" in problem for problem in outcome["problems"])


def test_a_report_of_somebody_else_is_left_alone(fake_study: Any) -> None:
    page = fake_study.put("report/index.html", "my own page")
    with pytest.raises(FileExistsError, match=r"report/index.html is not as mmdetpre wrote it: it is your own"):
        write_report(fake_study.out)
    assert page.read_text() == "my own page" and [path.name for path in page.parent.iterdir()] == ["index.html"]
    page.unlink()
    write_report(fake_study.out)
    write_report(fake_study.out)


def test_a_folder_of_the_users_own_becomes_no_study(tmp_path: Path, fake_study: Any) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    with (
        pytest.raises(FileExistsError, match=r"mine holds files that no study wrote \(thesis.tex\)"),
        _only_one(tmp_path / "mine"),
    ):
        pass
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="is a file"), _only_one(tmp_path / "file"):
        pass
    with _only_one(tmp_path / "new"):
        (tmp_path / "new" / "jobs").mkdir()
    with _only_one(tmp_path / "new"):  # killed before there was a plan
        pass
    with _only_one(fake_study.out):  # of an earlier version
        pass
    fake_study.put("report/index.html", "my own page")
    with pytest.raises(FileExistsError, match="it is your own"), _only_one(fake_study.out):
        pass
