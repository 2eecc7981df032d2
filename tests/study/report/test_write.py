"""The three files of a report, from the folder of a study."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mmdetpre.study.report.write import write_report


def test_three_files(shared_study) -> None:
    path = write_report(shared_study.out)
    assert path == shared_study.out / "report" / "index.html"
    assert sorted(file.name for file in path.parent.iterdir()) == ["index.html", "report.json", "tables.md"]
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    write_report(str(shared_study.out))
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_json_holds_every_cell_with_its_statistics(shared_study) -> None:
    content = json.loads((write_report(shared_study.out).parent / "report.json").read_text(encoding="utf-8"))
    assert content["format"] == "mmdetpre.study.report/1" and content["reference"] == "imagenet_cls"
    table = content["tables"][0]
    cell = next(c for c in table["cells"] if (c["row"], c["column"]) == ("coco", "ap50"))
    assert (cell["mean"], cell["deviation"], cell["count"], cell["paper"]) == (64.0, 2.0, 3, 86.8)
    assert [value["run"] for value in cell["values"]] == [f"voc_detection/coco/seed{seed}" for seed in range(3)]
    assert cell["difference"]["value"] == 12.0 and cell["difference"]["counts"] == [3, 3]
    assert cell["difference"]["low"] == pytest.approx(7.466, abs=1e-3)
    gone = next(c for c in table["cells"] if (c["row"], c["column"]) == ("openimages", "ap70"))
    assert (gone["mean"], gone["state"], gone["paper"], gone["difference"]) == (None, "not run", 81.1, None)
    assert gone["missing_runs"] == [f"voc_detection/openimages/seed{seed}" for seed in range(3)]
    assert content["answers"][0]["verdicts"]["coco"] == "helps"
    run = content["runs"]["voc_detection/coco/seed0"]
    assert run["checkpoint"]["sha256"] == "ab" * 32 and run["load"]["verdict"] == "complete" and run["state"] == "done"
    failed = content["runs"]["pretraining/openimages"]
    assert failed["state"] == "failed" and failed["exit"] == 1 and "FileNotFoundError" in failed["error"]
    assert [figure["state"] for figure in content["figures"]] == [
        "",
        "not in this study",
        "not in this study",
        "",
        "failed",
        "picture gone",
        "not run",
        "not in this study",
        "not in this study",
    ]
    assert content["figures"][0]["image"] == "figures/figure_1.png"
    assert content["problems"] == ["figures/6 names the picture 'figures/figure_6.png', which is gone: run it again."]


def test_table_1_is_counted_beside_the_papers_sizes(shared_study) -> None:
    content = json.loads((write_report(shared_study.out).parent / "report.json").read_text(encoding="utf-8"))
    rows = {row["key"]: row for row in content["data"]}
    assert list(rows) == [
        *("voc", "caltech256", "openimages", "imagenet_cls", "imagenet_loc", "coco", "sun397", "flowers102"),
        "voc_segmentation",
    ]
    assert rows["openimages"]["sizes"]["train_objects"] == 14610229
    assert rows["openimages"]["paper"]["train_objects"] == "14.6M"
    assert rows["openimages"]["sizes"]["test_images"] is None and rows["openimages"]["roles"] == ["pre-training"]
    assert rows["caltech256"]["paper"]["test_images"] == "15.2K"
    assert rows["caltech256"]["roles"] == ["classification", "linear", "layers"]
    assert rows["voc"]["paper"]["test_objects"] == "12.0K" and rows["sun397"]["sizes"] == {}


def test_data_of_a_pretraining_and_of_two_tasks_on_the_same_images(empty_study) -> None:
    def entry(key: str, title: str, role: str, images: int = 100) -> dict:
        train = {"images": images, "objects": None}
        return {
            "key": key,
            "title": title,
            "roles": [role],
            "classes": 5,
            "train": train,
            "test": None,
            "root": "data/c",
        }

    entries = [
        entry("pretraining_openimages", "OpenImages (pre-training)", "pretraining", 900),
        entry("caltech256", "Caltech", "caltech256"),
        entry("caltech256_linear", "Caltech", "caltech256_linear"),
        entry("other", "Other", "own_det", 7),
    ]
    empty_study.put("data.json", {"format": "mmdetpre.study.data/1", "data": entries})
    content = json.loads((write_report(empty_study.out).parent / "report.json").read_text(encoding="utf-8"))
    found = [(row["key"], row["roles"], (row["paper"] or {}).get("title")) for row in content["data"]][:3]
    assert found == [
        ("pretraining_openimages", ["pre-training"], "OpenImagesV4"),
        ("caltech256", ["classification", "linear"], "Caltech-256"),
        ("other", ["detection"], None),
    ]


def test_tables_in_markdown(shared_study) -> None:
    lines = (write_report(shared_study.out).parent / "tables.md").read_text(encoding="utf-8").splitlines()
    for line in (
        "# A study that nobody ran",
        "| Caltech-256 | 257 | 257 | 15,420 | 15.4K | — | — | 15,187 | 15.2K | — | — |",
        "**Table 2**: Detection on PASCAL VOC, mAP in %",
        "|  | mAP at IoU 0.5 | paper | to ImageNet-CLS | mAP at IoU 0.7 | paper | to ImageNet-CLS |",
        "| COCO | 64.0 ± 2.0 (3 seeds) | 86.8 | +12.0 [7.5, 16.5] | 49.0 ± 2.0 (3 seeds) | 80.7 | +12.0 [7.5, 16.5] |",
        "| from scratch | 30.5 ± 0.7 (2 of 3 seeds) | — | −21.5 [−25.8, −17.2] | 15.5 ± 0.7 (2 of 3 seeds) | — | −21.5"
        " [−25.8, −17.2] |",
        "| OpenImagesV4 | — (not run) | 86.8 | — | — (not run) | 81.1 | — |",
        "| DCNv2 (quoted baseline) | — (quoted by the paper) | 84.9 | — | — (quoted by the paper) | 73.5 | — |",
        "**As table 2**: Kangaroos: detection, mAP in %",
        "| COCO | 42.0 (1 of 3 seeds) | +12.0 (no interval) |",
        "**As table 3**: PASCAL VOC: objects that the detectors miss, by the flag of occlusion in the annotations,"
        " share in % (lower is better)",
        "| OpenImagesV4 | — (not in this study) | 10.1 | — (not in this study) | 10.8 |",
        "| COCO | 53.0 [47.0, 58.5] | — | −2.0 (no interval) | — (not in this study) | — | — (not in this study) | — |",
        "| Conv5 (pooled) | 53.2 [47.6, 58.8] |",
        "| ImageNet-CLS | — (not measured) | — | — (not measured) | — | 61.0 | — (not measured) |",
        "| OpenImagesV4 | — (failed) | 45.0 | — (failed) | — | — (failed) | — (failed) |",
    ):
        assert line in lines
    widths = {
        line.count("|") for line in lines[lines.index("**Table 4**: Segmentation of PASCAL VOC, mIoU in %") :][2:7]
    }
    assert widths == {9}  # of the paper is mIoU alone


def test_figures_of_the_paper_can_be_filled_in(shared_study, tmp_path: Path) -> None:
    paper = tmp_path / "paper.json"
    paper.write_text('{"4": {"coco": {"miou": 76.5}}}')
    text = (write_report(shared_study.out, paper).parent / "tables.md").read_text(encoding="utf-8")
    assert "| COCO | 63.0 ± 2.6 (3 seeds) | 76.5 | +1.0" in text
    with pytest.raises(FileNotFoundError, match="no file .* with figures"):
        write_report(shared_study.out, tmp_path / "none.json")
    write_report(shared_study.out)


def test_no_study_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="study.json"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_jinja_the_package_to_install_is_named(shared_study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "mmdetpre.study.report.page", raising=False)
    with pytest.raises(ValueError, match=r"pip install 'mmdetpre\[study\]'"):
        write_report(shared_study.out)


def test_a_study_that_has_just_begun(empty_study) -> None:
    empty_study.planned("voc_detection/coco/seed0", "voc_detection", "coco", 0)
    path = write_report(empty_study.out)
    assert "no run has finished" in path.read_text(encoding="utf-8")
    assert "There is no data.json" in (path.parent / "tables.md").read_text(encoding="utf-8")


def test_a_study_without_anything(empty_study) -> None:
    empty_study.put("study.json", empty_study.plan | {"tasks": {}, "starts": {}, "reference": None, "seeds": []})
    path = write_report(empty_study.out)
    assert "has no task" in path.read_text(encoding="utf-8")


def test_damage_is_named_on_the_page_and_the_rest_is_shown(fake_study) -> None:
    fake_study.put("records/voc_detection/coco/seed0.json", "{")
    fake_study.record("voc_detection/coco/seed7")
    path = write_report(fake_study.out)
    page, tables = path.read_text(encoding="utf-8"), (path.parent / "tables.md").read_text(encoding="utf-8")
    for text in (page, tables):
        assert "records/voc_detection/coco/seed0.json is damaged" in text
        assert "records/voc_detection/coco/seed7.json is of a run that is not in the plan" in text
    assert "| COCO | 65.0 ± 1.4 (2 of 3 seeds) |" in tables
    assert "its record is damaged" in page


def test_records_with_nothing_but_what_must_be_there(empty_study) -> None:
    run = "voc_detection/coco/seed0"
    empty_study.planned(run, "voc_detection", "coco", 0)
    cell = {"table": "2", "row": "coco", "column": "ap50", "value": 0.0}
    empty_study.put(f"records/{run}.json", {"format": "mmdetpre.study.run/1", "run": run, "cells": [cell]})
    empty_study.planned("figures/x", "figures")
    empty_study.put("records/figures/x.json", {"format": "mmdetpre.study.run/1", "run": "figures/x"})
    empty_study.planned("figures/2", "figures")
    empty_study.put("failed/figures/2.json", {"format": "mmdetpre.study.failure/1", "run": "figures/2"})
    path = write_report(empty_study.out)
    assert "| COCO | 0.0 (1 seed) | 86.8 | reference |" in (path.parent / "tables.md").read_text(encoding="utf-8")
    assert "The failure names no error." in path.read_text(encoding="utf-8")


def test_pictures_of_other_kinds(fake_study) -> None:
    figure = {"number": 4, "title": "t", "image": "figures/figure_4.svg"}
    fake_study.put("figures/figure_4.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>')
    fake_study.record("figures/4", figure=figure)
    fake_study.put("figures/figure_1.pdf", "x")
    fake_study.record("figures/1", figure={"number": "1", "image": "figures/figure_1.pdf"})
    path = write_report(fake_study.out)
    assert "data:image/svg+xml;base64," in path.read_text(encoding="utf-8")
    assert "names the picture &#39;figures/figure_1.pdf&#39;: a page shows .png" in path.read_text(encoding="utf-8")
