"""The sentence on the size of the pre-training data: what was counted, and no more than the results say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdetpre.paper.tables import TABLES
from mmdetpre.study.records import read_outcome
from mmdetpre.study.report.pretraining_size import size_sentences
from mmdetpre.study.report.result_tables import result_tables
from mmdetpre.study.report.write import write_report


def data(study: Any, **boxes: int | None) -> None:
    entries = [
        {
            "key": f"pretraining_{init}",
            "title": init,
            "roles": ["pretraining"],
            "train": {"images": 10, "objects": count},
        }
        for init, count in boxes.items()
    ]
    entries.append({"key": "voc_detection", "train": {"images": 10, "objects": 99_000_000}})
    study.put("data.json", {"format": "mmdetpre.study.data/1", "data": entries})


def sentences(out: Path) -> list[str]:
    outcome = read_outcome(out)
    return size_sentences(outcome, result_tables(outcome, TABLES))


def test_two_pretrainings_above_a_million_are_compared(empty_study) -> None:
    data(empty_study, openimages=14_610_229, coco=1_060_000, imagenet_cls=None)
    assert sentences(empty_study.out)[1].endswith("COCO and OpenImagesV4 have no results to compare yet.")
    for init, ap, accuracy in (("coco", 64.0, 80.0), ("openimages", 64.5, 77.5)):
        for task, cells in (
            ("voc_detection", {("2", init, "ap50"): ap, ("2", init, "ap70"): ap - 20}),
            ("caltech256", {("5", init, "caltech256"): accuracy}),
        ):
            empty_study.planned(f"{task}/{init}/seed0", task, init, 0)
            empty_study.record(f"{task}/{init}/seed0", cells)
    assert sentences(empty_study.out) == [
        "Boxes of the pre-trainings: COCO 1,060,000 and OpenImagesV4 14,610,229.",
        "The paper finds pre-trainings on more than a million boxes within 1 % of each other. Here COCO and"
        " OpenImagesV4 are apart by 0.5 points on PASCAL VOC detection, mAP at IoU 0.5; 2.5 points on Caltech-256.",
    ]
    page = write_report(empty_study.out)
    assert "within 1 % of each other" in page.read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "are apart by 0.5 points" in page.with_name("tables.md").read_text()


def test_small_studies_do_not_say_it(empty_study) -> None:
    data(empty_study, coco=4_694, openimages=2_000_000)
    assert sentences(empty_study.out)[1].endswith(
        "this study cannot say it. OpenImagesV4 alone has more than a million."
    )
    data(empty_study, coco=4_694)
    assert sentences(empty_study.out)[1].endswith("this study cannot say it. None of these has more than a million.")
    data(empty_study, imagenet_cls=None)
    assert sentences(empty_study.out) == []
