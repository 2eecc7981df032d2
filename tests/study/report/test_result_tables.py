"""Tables 2 to 7 from the records: means, spreads, differences, and what is missing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import t

from mmdetpre.paper.tables import TABLES, with_figures
from mmdetpre.paper.values import VALUES
from mmdetpre.study.records import Outcome, read_outcome
from mmdetpre.study.report.contents import read_report
from mmdetpre.study.report.result_tables import ResultTable, result_tables


def tables_of(out: Path) -> dict[tuple[str, str, str], ResultTable]:
    return {(t.number, t.group, t.own): t for t in result_tables(read_outcome(out), TABLES)}


@pytest.fixture(scope="module")
def tables(shared_study) -> dict[tuple[str, str, str], ResultTable]:
    return tables_of(shared_study.out)


def test_which_tables_there_are(tables) -> None:
    assert list(tables) == [
        ("2", "", ""),
        ("2", "", "own_det"),
        ("3", "", ""),
        ("3", "flags", ""),
        ("4", "", ""),
        ("5", "", ""),
        ("6", "", ""),
        ("7", "coco", ""),
        ("7", "openimages", ""),
        ("coco_finetuning", "", ""),
        ("pretraining", "", ""),
    ]


def test_mean_spread_and_difference_by_hand(tables) -> None:
    table = tables["2", "", ""]
    assert list(table.rows) == ["scratch", "imagenet_cls", "coco", "openimages", "dcn_v1", "dcn_v2", "imagenet_loc"]
    assert [(c.key, c.title, c.in_paper, c.reference) for c in table.columns] == [
        ("ap50", "mAP at IoU 0.5", True, "imagenet_cls"),
        ("ap70", "mAP at IoU 0.7", True, "imagenet_cls"),
    ]
    coco = table.entries["coco", "ap50"]  # 62, 64, 66 against 50, 52, 54: variances 4 and 4, 4 degrees of freedom
    assert (coco.spread.mean, coco.spread.deviation, coco.spread.count) == (64, 2, 3)
    assert [(v.run, v.seed, v.value) for v in coco.values] == [
        (f"voc_detection/coco/seed{seed}", seed, 62.0 + 2 * seed) for seed in range(3)
    ]
    half = t.ppf(0.975, 4) * math.sqrt(8 / 3)
    assert coco.difference.value == 12
    assert (coco.difference.low, coco.difference.high) == (pytest.approx(12 - half), pytest.approx(12 + half))
    assert table.entries["imagenet_cls", "ap50"].difference is None
    scratch = table.entries["scratch", "ap50"]  # its third seed failed
    assert (scratch.spread.mean, scratch.spread.count, scratch.missing) == (30.5, 2, ("voc_detection/scratch/seed2",))
    assert scratch.difference.counts == (2, 3) and scratch.difference.value == -21.5


def test_missing_cells_say_why(tables) -> None:
    gone = tables["2", "", ""].entries["openimages", "ap50"]
    assert (gone.values, gone.spread, gone.difference, gone.state) == ((), None, None, "not run")
    assert gone.missing == tuple(f"voc_detection/openimages/seed{seed}" for seed in range(3))
    assert tables["7", "coco", ""].entries["conv_proj", "caltech256"].state == "not measured"
    assert tables["pretraining", "", ""].entries["openimages", "AP50"].state == "failed"


def test_a_pretraining_and_its_test_are_no_two_seeds(fake_study) -> None:
    fake_study.planned("pretraining_test/coco", "pretraining", "coco", 0, "pretraining/coco")
    before = tables_of(fake_study.out)["pretraining", "", ""].entries["coco", "AP50"]
    assert (before.state, before.missing) == ("", ())
    fake_study.record("pretraining_test/coco", {("pretraining", "coco", "test_map"): 44.0})
    table = tables_of(fake_study.out)["pretraining", "", ""]
    for column in ("AP50", "test_map"):
        assert len(table.entries["coco", column].values) == 1 and table.entries["coco", column].missing == ()


def test_the_papers_figures(tables) -> None:
    table = tables["2", "", ""]
    assert table.entries["openimages", "ap70"].paper == 81.1
    assert table.entries["scratch", "ap70"].why_no_paper == "not in the paper's table"
    assert table.notes == ("VOC's 11-point metric.",)
    assert tables["3", "flags", ""].notes == ("VOC's 11-point metric.", "Occlusion: flag of the annotations.")
    assert (table.entries["dcn_v2", "ap70"].paper, table.entries["dcn_v2", "ap70"].state) == (
        73.5,
        "quoted by the paper",
    )
    assert tables["4", "", ""].entries["coco", "miou"].why_no_paper == "not in the paper's table"
    assert [c.in_paper for c in tables["4", "", ""].columns] == [True, False, False]
    assert tables["7", "openimages", ""].entries["fc1", "caltech256"].paper == 71.6
    assert tables["7", "coco", ""].columns[0].in_paper is False


def test_every_figure_of_the_paper_stands_in_a_table_whatever_the_study_did(empty_study, shared_study) -> None:
    for study in (empty_study, shared_study):
        found = {
            (t.number, row, column): entry.paper
            for t in tables_of(study.out).values()
            for (row, column), entry in t.entries.items()
            if entry.paper is not None
        }
        assert found == {
            (number, row, column): value
            for number, rows in VALUES.items()
            for row, cells in rows.items()
            for column, value in cells.items()
        }


def test_levels_that_nobody_annotated_are_a_table_of_their_own(tables, fake_study) -> None:
    paper, flags = tables["3", "", ""], tables["3", "flags", ""]
    assert [(c.key, c.in_paper) for c in paper.columns] == [("low", True), ("medium", True)]
    assert paper.entries["imagenet_cls", "low"].values == () and paper.entries["imagenet_cls", "low"].paper == 14.7
    assert flags.title.startswith("PASCAL VOC: objects that the detectors miss, by the flag of occlusion in the annot")
    assert flags.label == "As table 3" and paper.label == "Table 3"
    assert [(c.key, c.title, c.in_paper) for c in flags.columns] == [
        ("visible", "visible objects missed", False),
        ("occluded", "occluded objects missed", False),
    ]
    old = {("3", "coco", "visible"): 7.0}  # a record of before there were groups, and of no flag
    fake_study.record("own_det/coco/seed1", {("3", "coco", "own_det.visible"): 8.0})
    fake_study.record("voc_detection/coco/seed1", old)
    found = tables_of(fake_study.out)
    assert found["3", "covered", ""].entries["coco", "visible"].spread.mean == 7
    assert found["3", "covered", "own_det"].title.startswith("Kangaroos: objects that the detectors miss, by how much")
    levels = {("3", "coco", level): value for level, value in (("low", 6.0), ("medium", 7.0))}
    fake_study.record("voc_detection/coco/seed1", levels)
    table = tables_of(fake_study.out)["3", "", ""]
    assert [(c.key, c.in_paper) for c in table.columns] == [("low", True), ("medium", True)]
    assert table.entries["coco", "low"].spread.mean == 6


def test_own_scores_of_the_multi_scale_test_beside_the_papers(fake_study) -> None:
    fake_study.record(
        "pretraining/coco", {("pretraining", "coco", "test_map"): 44.0, ("pretraining", "coco", "bbox_mAP"): 40.0}
    )
    table = tables_of(fake_study.out)["pretraining", "", ""]
    assert (table.entries["coco", "test_map"].spread.mean, table.entries["coco", "test_map"].paper) == (44.0, 46.1)
    assert table.entries["coco", "bbox_mAP"].paper is None and table.entries["imagenet_loc", "test_ap50"].paper == 37.4


def test_fine_tuning_on_coco(fake_study) -> None:
    fake_study.plan["tasks"] = fake_study.plan["tasks"] | {
        "coco_detection": {"kind": "detection", "title": "COCO", "table": "coco_finetuning"}
    }
    fake_study.planned("coco_detection/openimages/seed0", "coco_detection", "openimages", 0)
    table = tables_of(fake_study.out)["coco_finetuning", "", ""]
    assert [(c.key, c.in_paper) for c in table.columns] == [("map", False), ("ap50", True), ("ap75", True)]
    assert table.entries["openimages", "ap50"].state == "not run" and table.label == "In the text"
    fake_study.record("coco_detection/openimages/seed0", {("coco_finetuning", "openimages", "ap50"): 60.0})
    table = tables_of(fake_study.out)["coco_finetuning", "", ""]
    assert (table.entries["openimages", "ap50"].spread.mean, table.entries["openimages", "ap50"].paper) == (60, 68.2)


def test_custom_data_gets_a_table_of_the_same_form(tables) -> None:
    table = tables["2", "", "own_det"]
    assert table.title == "Kangaroos: detection, mAP in %"
    assert [(c.key, c.title, c.in_paper) for c in table.columns] == [("ap50", "mAP at IoU 0.5", False)]
    coco = table.entries["coco", "ap50"]
    assert (coco.spread.mean, coco.spread.deviation) == (42.0, None)
    assert (coco.difference.value, coco.difference.low, coco.difference.why_no_interval) == (12.0, None, "one seed")
    assert all(entry.paper is None for entry in table.entries.values()) and table.notes == ()


def test_columns_of_the_study_stand_before_those_of_the_paper_alone(empty_study) -> None:
    empty_study.plan["tasks"] = {"mine": {"kind": "classification", "title": "Mine", "table": "5"}}
    empty_study.planned("mine/coco/seed0", "mine", "coco", 0)
    empty_study.record("mine/coco/seed0", {("5", "coco", "mine"): 40.0})
    table = tables_of(empty_study.out)["5", "", ""]
    assert [column.key for column in table.columns] == ["mine", "caltech256", "sun397", "flowers102"]


def test_less_is_better_only_in_table_3(tables) -> None:
    assert [key[0] for key, table in tables.items() if table.lower_is_better] == ["3", "3"]
    assert tables["3", "flags", ""].entries["coco", "visible"].difference.value == -10


def test_probes_keep_the_interval_of_their_test_images(tables) -> None:
    entry = tables["6", "", ""].entries["coco", "caltech256"]
    assert [(v.seed, v.value, v.low, v.high) for v in entry.values] == [(None, 53.0, 47.0, 58.5)]
    assert entry.difference.value == -2 and entry.difference.low is None


def test_layers_of_one_detector_are_not_compared(tables) -> None:
    table = tables["7", "coco", ""]
    assert table.title.endswith(": COCO") and table.columns[0].reference == ""
    assert list(table.rows)[0] == "conv5_pooled" and list(table.rows)[-1] == "fc2"
    assert all(entry.difference is None for entry in table.entries.values())


def test_layers_of_two_detectors_are_compared_layer_by_layer(fake_study) -> None:
    fake_study.record("layers/caltech256/openimages", {("7", "fc1", "caltech256", "openimages"): 50.0})
    tables = tables_of(fake_study.out)
    assert tables["7", "openimages", ""].columns[0].reference == "coco"
    assert tables["7", "openimages", ""].entries["fc1", "caltech256"].difference.value == pytest.approx(50 - 37.6)
    assert tables["7", "coco", ""].entries["fc1", "caltech256"].difference is None


def test_figures_of_the_paper_from_a_file(shared_study, tmp_path: Path) -> None:
    paper = tmp_path / "paper.json"
    paper.write_text(json.dumps({"2": {"imagenet_loc": {"ap50": 12.5}, "coco": {"ap50": 34.5}}}))
    table = result_tables(read_outcome(shared_study.out), with_figures(paper))[0]
    assert table.entries["coco", "ap50"].paper == 34.5
    other = table.entries["imagenet_loc", "ap50"]  # a row of the paper that the study does not have
    assert (other.paper, other.state, table.rows["imagenet_loc"]) == (12.5, "not in this study", "ImageNet-LOC")


def test_without_the_reference_the_first_start_that_has_a_value_is_compared_with(fake_study) -> None:
    for seed in range(3):
        (fake_study.out / f"records/voc_segmentation/imagenet_cls/seed{seed}.json").unlink()
    table = tables_of(fake_study.out)["4", "", ""]
    assert {c.reference for c in table.columns} == {"scratch"}
    assert table.entries["coco", "miou"].difference.value == 21
    assert table.entries["imagenet_cls", "miou"].state == "not run"


def test_planned_tables_are_there_before_any_run(empty_study) -> None:
    for task in ("voc_detection", "own_det", "caltech256", "caltech256_layers"):
        empty_study.planned(f"{task}/coco", task, "coco", 0)
    tables = tables_of(empty_study.out)
    assert [c.key for c in tables["2", "", ""].columns] == ["ap50", "ap70"]
    assert {entry.state for entry in tables["2", "", "own_det"].entries.values()} == {"not run"}
    assert tables["2", "", "own_det"].columns[0].in_paper is False
    assert tables["5", "", ""].entries["coco", "caltech256"].state == "not run"
    assert list(tables["7", "coco", ""].rows)[0] == "conv5_pooled"
    assert {entry.state for entry in tables["3", "", ""].entries.values()} == {"not in this study"}
    assert ("3", "", "own_det") not in tables  # it has no annotated levels
    assert [c.key for c in tables["4", "", ""].columns] == ["miou", "trimap", "anti_trimap"]
    assert tables["2", "", ""].entries["openimages", "ap70"].state == "not in this study"


def test_tasks_that_claim_the_same_cells_are_kept_apart(empty_study) -> None:
    empty_study.plan["tasks"] = {
        "voc_detection": {"kind": "detection", "title": "VOC", "table": "2"},
        "voc_again": {"kind": "detection", "title": "VOC again", "table": "2"},
        "flowers102": {"kind": "classification", "title": "Flowers", "table": "5"},
        "few_flowers": {"kind": "classification", "title": "few Flowers", "table": "5"},
    }
    for number, (task, column) in enumerate(
        [("voc_detection", "ap50"), ("voc_again", "ap50"), ("flowers102", "flowers102"), ("few_flowers", "flowers102")]
    ):
        table = "2" if number < 2 else "5"
        empty_study.planned(f"{task}/coco/seed0", task, "coco", 0)
        empty_study.record(f"{task}/coco/seed0", {(table, "coco", column): 10.0 * (number + 1)})
    tables = tables_of(empty_study.out)
    assert tables["2", "", ""].entries["coco", "ap50"].spread.mean == 10
    assert tables["2", "", "voc_again"].entries["coco", "ap50"].spread.mean == 20
    assert tables["5", "", ""].entries["coco", "flowers102"].spread.mean == 30
    assert tables["5", "", ""].entries["coco", "few_flowers"].spread.mean == 40
    assert tables["5", "", ""].columns[1].title == "few Flowers"


def problems_after_tables(out: Path) -> tuple[Outcome, list[ResultTable]]:
    outcome = read_outcome(out)
    return outcome, result_tables(outcome, TABLES)


def test_two_values_for_one_seed_and_unknown_tables_are_named(fake_study) -> None:
    fake_study.planned("voc_detection/coco/again", "voc_detection", "coco", 0)
    fake_study.record("voc_detection/coco/again", {("2", "coco", "ap50"): 99.0, ("9", "coco", "x"): 1.0})
    outcome, tables = problems_after_tables(fake_study.out)
    assert tables[0].entries["coco", "ap50"].spread.mean == 64
    assert outcome.problems == [
        "voc_detection/coco/seed0 and voc_detection/coco/again both give table 2, coco, ap50: the first is shown.",
        "Numbers for table '9' are not shown: there is 2, 3, 4, 5, 6, 7, coco_finetuning, pretraining.",
    ]


def test_user_rows_and_columns_are_shown_under_their_keys(fake_study) -> None:
    fake_study.record("voc_detection/coco/seed0", {("2", "coco", "ap50"): 62.0, ("2", "coco", "ap90"): 5.0})
    table = tables_of(fake_study.out)["2", "", ""]
    assert [(c.key, c.title, c.in_paper) for c in table.columns][-1] == ("ap90", "ap90", False)
    assert table.entries["imagenet_cls", "ap90"].state == "not measured"


@pytest.fixture
def frozen_study(empty_study: Any) -> Any:
    """A detection whose backbone is trained as a whole, in its last stage (nothing has run), and not at all."""
    first = {"kind": "detection", "title": "Kangaroos", "data": "own", "table": "2"}
    parts = {"own_det": None, "own_det_last_stage": 1, "own_det_frozen": 0}
    empty_study.plan["tasks"] = {
        key: first | ({} if number is None else {"trainable": number, "rows_of": "own_det"})
        for key, number in parts.items()
    }
    scores = {"own_det": {"scratch": 20.0, "imagenet_cls": 40.0, "coco": 60.0},
              "own_det_frozen": {"imagenet_cls": 50.0, "coco": 52.0}}  # fmt: skip
    for key in parts:
        for init in ("scratch", "imagenet_cls", "coco") if key == "own_det" else ("imagenet_cls", "coco"):
            for seed in (0, 1):
                empty_study.planned(run := f"{key}/{init}/seed{seed}", key, init, seed)
                if key in scores:
                    value = scores[key][init] + seed
                    empty_study.record(
                        run, {("2", init, "own_det.ap50"): value, ("2", init, "own_det.ap70"): value / 2}
                    )
    return empty_study


def test_what_is_trained_makes_rows_of_one_table(frozen_study: Any) -> None:
    report = read_report(frozen_study.out)
    (table,) = [table for table in report.tables if table.own == "own_det" and table.number == "2"]
    titles = ["from scratch", "ImageNet-CLS", "ImageNet-CLS, last stage trained", "ImageNet-CLS, frozen"]
    assert list(table.rows.values()) == [*titles, *(one.replace("ImageNet-CLS", "COCO") for one in titles[1:])]
    assert table.entries["coco@0", "ap50"].spread.mean == 52.5 and table.entries["coco", "ap50"].spread.mean == 60.5
    assert table.entries["coco@1", "ap50"].state == "not run"
    assert table.entries["coco@1", "ap50"].missing == ("own_det_last_stage/coco/seed0", "own_det_last_stage/coco/seed1")
    assert table.entries["coco@0", "ap50"].difference.value == pytest.approx(12.0), "to ImageNet-CLS, fine-tuned"
    (answer,) = report.answers
    assert [effect.init for effect in answer.effects] == list(table.rows)
    told = [sentence.split(" (")[0] for sentence in answer.sentences]
    assert told[0].startswith("On Kangaroos, COCO gives 40.0 points more") and "training from scratch" in told[0]
    assert told[1].startswith("On Kangaroos, COCO gives 20.0 points more") and told[1].endswith("than ImageNet-CLS")
    assert told[2].startswith("On Kangaroos, COCO, frozen gives 8.0 points less") and told[2].endswith(
        "COCO, fine-tuned"
    )


def test_a_plan_that_nothing_ran_of_shows_the_rows(frozen_study: Any) -> None:
    for record in frozen_study.out.glob("records/**/*.json"):
        record.unlink()
    report = read_report(frozen_study.out)
    (table,) = [table for table in report.tables if table.own == "own_det" and table.number == "2"]
    assert len(table.rows) == 7 and {entry.state for entry in table.entries.values()} == {"not run"}
    assert [answer.task for answer in report.answers] == ["own_det"]
