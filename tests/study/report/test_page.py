"""The page as a document: well formed, self-contained, every link of it leads somewhere."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mmdetpre.paper.tables import TABLES
from mmdetpre.study.records import read_outcome
from mmdetpre.study.report.conclusions import answers
from mmdetpre.study.report.page import Chart, anchor, chart
from mmdetpre.study.report.result_tables import result_tables
from mmdetpre.study.report.why_not_run import why_not_run
from mmdetpre.study.report.write import write_report

VOID = {"meta", "link", "img", "br", "hr", "input"}
FLOW_ONLY = {"p", "div", "ul", "table", "pre", "dl", "section", "figure", "details", "h2", "h3"}  # not inside <p>


class Document(HTMLParser):
    """Checks nesting while it reads, and keeps tags, ids, links and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.tables: list[list[list[tuple[str, int]]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>"
        assert not (tag in FLOW_ONLY and "p" in self.open), f"<{tag}> inside <p>"
        assert not (tag == "a" and "a" in self.open), "a link in a link"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append((tag, int(dict(attrs).get("colspan") or 1)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]


@pytest.fixture(scope="module")
def page(shared_study) -> str:
    return write_report(shared_study.out).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def document(page: str) -> Document:
    return Document(page)


def test_tables_without_a_run_come_last_and_closed(page: str) -> None:
    closed = page.index("Tables of the paper that this study has no run for")
    last = page.index('id="paper-text"')
    for name, of_paper_alone in (("2", False), ("2-2", False), ("3", True), ("3-2", False), ("7-2", False)):
        at = page.index(f'id="table-{name}"')
        assert closed < at < last if of_paper_alone else at < closed, name


def test_it_is_a_whole_document(page: str, document: Document) -> None:
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">\n')
    tags = [tag for tag, _ in document.tags]
    assert [tags.count(tag) for tag in ("html", "head", "title", "body", "h1", "main", "style", "script")] == [
        *[1] * 7,
        0,
    ]
    assert [attrs["id"] for tag, attrs in document.tags if tag == "section"] == [
        "answer",
        "gains",
        "tables",
        "figures",
        "missing",
        "pretraining",
        "provenance",
    ]


def test_ids_are_unique_and_every_link_leads_to_one(document: Document, shared_study) -> None:
    text_of_numbers = (shared_study.out / "report" / "report.json").read_text(encoding="utf-8")
    ids = document.values("id")
    assert len(ids) == len(set(ids)) and not any(re.search(r"\s", value) for value in ids)
    links = document.values("href")
    assert len(links) > 100 and all(link[1:] in ids for link in links if link.startswith("#"))
    (numbers,) = {link for link in links if not link.startswith("#")} - {"data:,"}
    assert base64.b64decode(numbers.removeprefix("data:application/json;base64,")).decode() + "\n" == text_of_numbers
    assert set(document.values("aria-labelledby")) <= set(ids)
    assert sum(value.startswith("run-") for value in ids) == 62


def test_it_needs_nothing_from_elsewhere(page: str, document: Document) -> None:
    assert all(source.startswith("data:image/png;base64,") for source in document.values("src"))
    assert len(document.values("src")) == 2 and all(document.values("alt"))
    assert not re.search(r"https?://|@import|url\(|@font-face", page)


def test_rows_of_a_table_are_equally_wide(document: Document) -> None:
    assert len(document.tables) == 16
    for table in document.tables:
        body = {sum(span for _, span in row) for row in table if row[0][0] == "th" and any(c == "td" for c, _ in row)}
        heads = [sum(span for _, span in row) for row in table if all(cell == "th" for cell, _ in row)]
        (width,) = body
        assert heads in ([width], [width, width - 1])  # the first head of two reaches over both rows


def test_every_number_links_to_its_runs(page: str) -> None:
    row = page[page.index('id="table-2"') :]
    row = row[row.index('<tr><th scope="row">COCO') :]
    cell = row[row.index("<td") : row.index("</td>")]
    assert "<b>64.0</b>" in cell and "± 2.0" in cell
    assert re.findall(r'href="#run-([^"]*)"', cell) == [f"voc_detection/coco/seed{seed}" for seed in range(3)]


def test_empty_cells_are_dashes_that_say_why(page: str) -> None:
    for why in ("not run", "failed", "not measured", "not in the paper&#39;s table", "quoted by the paper"):
        assert f'title="{why}">—' in page
    assert "<b>0.0</b>" not in page and "nan" not in Document(page).text and ">None<" not in page


def test_what_a_run_was_made_of_is_told(document: Document) -> None:
    text = " ".join("".join(document.text).split())
    for told in (
        "configs/det/sniper_voc_sample.py",
        "c0ffee" * 8,
        "train_cfg.max_epochs=2",
        "mim train mmdet 'a config.py'",
        "ab" * 32,
        "coco-digest",
        "backbone verdictcomplete",
        "mmdetpre 0.1.0, torch 2.11.0",
        "Operatorstorchvision 0.26.0",
        "The trimap is 10 pixels wide.",
        "Table 2, coco, ap50: 62.0",
        "Table 6, coco, caltech256: 53.0 [47.0, 58.5]",
    ):
        assert told in text


def test_what_failed_and_how_to_go_on(document: Document, shared_study) -> None:
    text = " ".join("".join(document.text).split())
    out = shared_study.out
    assert "35 of 62 finished; 3 failed and 24 not run" in text
    assert "pretraining/openimages failed (exit 1)" in text
    assert "FileNotFoundError: data/OpenImages is not there & <empty>" in text
    assert f"{out}/logs/pretraining/openimages.log" in text
    assert f"mim run mmdetpre run_job {out} pretraining/openimages" in text
    assert "mmdetpre study run studies/fake.yaml" in text
    assert "14 runs not made: waiting for pretraining/openimages (failed)" in text
    assert "10 runs not made: the study was stopped, or is still running" in text
    assert "figure_6.png', which is gone" in text


def test_what_an_interval_covers_is_said_once(document: Document) -> None:
    text = " ".join("".join(document.text).split())
    assert text.count("no interval says what another pre-training run would give") == 1


def test_text_of_users_is_text(empty_study) -> None:
    evil = '<script>alert("1")</script> & "x"'
    empty_study.plan |= {"title": evil, "starts": {'a "b"/ü&': {"title": evil}}, "reference": 'a "b"/ü&'}
    empty_study.plan["tasks"] = {"voc_detection": {"kind": evil, "title": evil, "table": "2"}}
    run = 'voc_detection/a "b"/ü&/seed0'
    empty_study.planned(run, "voc_detection", 'a "b"/ü&', 0)
    empty_study.record(run, {("2", 'a "b"/ü&', evil): 5.0}, notes=[evil], config=evil, commands=[[evil]])
    page = write_report(empty_study.out).read_text(encoding="utf-8")
    document = Document(page)
    assert "<script" not in page and "script" not in {tag for tag, _ in document.tags}
    assert anchor(run) in document.values("id") and f"#{anchor(run)}" in document.values("href")


def test_failures_further_up_are_named(empty_study) -> None:
    empty_study.planned("pretraining/coco", "pretraining", "coco")
    empty_study.planned("voc_detection/coco/seed0", "voc_detection", "coco", 0, "pretraining/coco")
    empty_study.planned("voc_detection/scratch/seed0", "voc_detection", "scratch", 0)
    empty_study.planned("figures/1", "figures", None, None, "voc_detection/coco/seed0", "voc_detection/scratch/seed0")
    outcome = read_outcome(empty_study.out)
    assert {why_not_run(outcome, run) for run in outcome.runs.values()} == {
        "the study was stopped, or is still running"
    }
    empty_study.failure("pretraining/coco")
    outcome = read_outcome(empty_study.out)
    assert why_not_run(outcome, outcome.runs["figures/1"]) == "waiting for pretraining/coco (failed)"
    assert why_not_run(outcome, outcome.runs["voc_detection/scratch/seed0"]).startswith("the study was stopped")


def test_a_bad_verdict_stands_out(fake_study) -> None:
    load = {"verdict": "incomplete", "digest": "coco-digest", "source": "b.pth"}
    fake_study.record("voc_detection/coco/seed0", {("2", "coco", "ap50"): 62.0}, load=load)
    assert '<dd class="bad">incomplete</dd>' in write_report(fake_study.out).read_text(encoding="utf-8")


def test_all_runs_finished(empty_study) -> None:
    empty_study.planned("voc_detection/coco/seed0", "voc_detection", "coco", 0)
    empty_study.record("voc_detection/coco/seed0", {("2", "coco", "ap50"): 62.0})
    page = write_report(empty_study.out).read_text(encoding="utf-8")
    Document(page)
    assert "None: every run of the plan has finished (1)." in page and "mmdetpre study run" not in page
    assert "There is no data.json" in page and ">Missing runs</a>" in page, "for there is something to say"
    empty_study.put("data.json", {"format": "mmdetpre.study.data/1", "data": []})
    assert ">Missing runs</a>" not in write_report(empty_study.out).read_text(encoding="utf-8")


def chart_of(out: Path, task: str) -> Chart:
    outcome = read_outcome(out)
    found = answers(outcome, result_tables(outcome, TABLES))
    found_chart = chart(next(answer for answer in found if answer.task == task))
    assert found_chart is not None
    return found_chart


def test_places_in_the_chart(shared_study) -> None:
    found = chart_of(shared_study.out, "voc_detection")  # from zero (scratch) to 37.5 (COCO)
    rows = found.rows
    assert list(rows) == ["imagenet_cls", "coco"] and found.intervals
    assert found.zero == pytest.approx(100 * 0.04 / 1.08, abs=0.01)
    assert rows["coco"].left + rows["coco"].width == pytest.approx(100 - 100 * 0.04 / 1.08, abs=0.02)
    per_point = (rows["coco"].dot - found.zero) / 33
    assert per_point == pytest.approx((rows["imagenet_cls"].dot - found.zero) / 21, rel=1e-2)
    alone = chart_of(shared_study.out, "own_det")
    assert not alone.intervals and all(mark.width is None for mark in alone.rows.values())


def test_what_is_not_compared_has_no_chart(shared_study) -> None:
    outcome = read_outcome(shared_study.out)
    found = {answer.task: answer for answer in answers(outcome, result_tables(outcome, TABLES))}
    assert chart(found["caltech256_layers"]) is None
