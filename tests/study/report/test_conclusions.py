"""Plain sentences: what they say, and what they must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmdetpre.paper.tables import TABLES
from mmdetpre.study.records import read_outcome
from mmdetpre.study.report.conclusions import Answer, answers
from mmdetpre.study.report.result_tables import result_tables


def answers_of(out: Path) -> dict[str, Answer]:
    outcome = read_outcome(out)
    return {answer.task: answer for answer in answers(outcome, result_tables(outcome, TABLES))}


@pytest.fixture
def detection(empty_study):
    """Function that gives the sentences of a study with one task and these values by init."""

    def make(values: dict[str, list[float]], column: str = "ap50", table: str = "2", **plan: Any) -> tuple[str, ...]:
        empty_study.plan |= plan
        for init, numbers in values.items():
            for seed, value in enumerate(numbers):
                run = f"voc_detection/{init}/seed{seed}"
                empty_study.planned(run, "voc_detection", init, seed)
                empty_study.record(run, {(table, init, column): value})
        return answers_of(empty_study.out)["voc_detection"].sentences

    return make


def test_sentences_of_a_whole_study(shared_study) -> None:
    found = answers_of(shared_study.out)
    assert list(found) == list(shared_study.plan["tasks"])
    assert found["voc_detection"].sentences == (
        "On PASCAL VOC, COCO gives 33.5 points more mAP at IoU 0.5 than training from scratch (95 % interval 29.2 to"
        " 37.8, 3 and 2 seeds): it helps.",
        "On PASCAL VOC, COCO gives 12.0 points more mAP at IoU 0.5 than ImageNet-CLS (95 % interval 7.5 to 16.5, 3"
        " seeds): it helps.",
        "On PASCAL VOC, COCO misses 10.0 points fewer of the visible objects than ImageNet-CLS (95 % interval 7.7 to"
        " 12.3, 3 seeds): it helps.",
    )
    assert found["own_det"].sentences == (
        "On Kangaroos, COCO gives 32.0 points more mAP at IoU 0.5 than training from scratch (one seed: no interval).",
        "On Kangaroos, COCO gives 12.0 points more mAP at IoU 0.5 than ImageNet-CLS (one seed: no interval).",
    )
    assert found["voc_segmentation"].sentences == (
        "On PASCAL VOC, COCO gives 21.0 points more mIoU than training from scratch (95 % interval 15.5 to 26.5, 3"
        " seeds): it helps.",
        "On PASCAL VOC, there is no clear difference between COCO and ImageNet-CLS in mIoU (1.0 point more, 95 %"
        " interval −4.5 to 6.5, 3 seeds).",
    )
    assert found["caltech256"].sentences == (
        "On Caltech-256, COCO gives 7.0 points less accuracy after fine-tuning than ImageNet-CLS (95 % interval 4.7 to"
        " 9.3, 3 seeds): it hurts.",
    )
    assert found["caltech256_linear"].sentences == (
        "On Caltech-256, ImageNet-CLS gives 15.0 points more accuracy of a linear classifier than training from scratch"
        " (one run each: no interval).",
        "On Caltech-256, COCO gives 2.0 points less accuracy of a linear classifier than ImageNet-CLS (one run each: no"
        " interval).",
    )
    assert found["caltech256_layers"].sentences == (
        "On Caltech-256, Conv5 (pooled) has the highest accuracy of 3 layers of COCO (53.2 %, 95 % interval over the"
        " test images 47.6 to 58.8).",
    )


def test_a_word_for_every_init(shared_study) -> None:
    answer = answers_of(shared_study.out)["voc_detection"]
    assert {effect.init: effect.verdict for effect in answer.effects} == {
        "scratch": "reference",
        "imagenet_cls": "helps",
        "coco": "helps",
        "openimages": "not run",
    }
    assert (answer.reference, answer.quantity, answer.kind) == ("scratch", "mAP at IoU 0.5", "detection")
    words = {effect.init: effect.verdict for effect in answers_of(shared_study.out)["voc_segmentation"].effects}
    assert words == {"scratch": "reference", "imagenet_cls": "helps", "coco": "helps", "openimages": "not run"}


def test_less_can_be_better_and_worse(detection, empty_study) -> None:
    (sentence,) = detection({"imagenet_cls": [30, 31, 32], "coco": [40, 41, 42]}, "low", "3")
    assert sentence == (
        "On PASCAL VOC, COCO misses 10.0 points more of the objects of low occlusion than ImageNet-CLS (95 % interval"
        " 7.7 to 12.3, 3 seeds): it hurts."
    )
    answer = answers_of(empty_study.out)["voc_detection"]
    assert [(effect.init, effect.verdict) for effect in answer.effects] == [
        ("imagenet_cls", "reference"),
        ("coco", "hurts"),
    ]
    assert answer.quantity == "low occlusion, missed"


def test_of_several_starts_the_best_is_named(detection) -> None:
    values = {"scratch": [20, 21, 22], "imagenet_cls": [50, 51, 52], "coco": [60, 61, 62], "openimages": [70, 71, 72]}
    over_scratch, over_classification = detection(values)
    assert "OpenImagesV4 gives 50.0 points more mAP at IoU 0.5 than training from scratch" in over_scratch
    assert "OpenImagesV4 gives 20.0 points more mAP at IoU 0.5 than ImageNet-CLS" in over_classification
    assert over_scratch.endswith("it helps.") and over_classification.endswith("it helps.")


def test_of_several_starts_the_best_is_the_one_that_misses_least(detection) -> None:
    (sentence,) = detection({"imagenet_cls": [50, 51], "coco": [40, 41], "openimages": [45, 46]}, "visible", "3")
    assert "COCO misses 10.0 points fewer of the objects that no box overlaps" in sentence


def test_a_clear_gain_goes_before_a_greater_one_that_is_not(detection) -> None:
    (sentence,) = detection({"imagenet_cls": [50, 51, 52], "coco": [40, 60, 95], "openimages": [60, 61, 62]})
    assert "OpenImagesV4 gives 10.0 points more" in sentence and sentence.endswith("it helps.")


def test_level_without_an_interval(detection) -> None:
    (sentence,) = detection({"imagenet_cls": [50], "coco": [50]})
    assert sentence == "On PASCAL VOC, COCO and ImageNet-CLS are level in mAP at IoU 0.5 (one seed: no interval)."


def test_no_difference_in_what_is_missed(detection) -> None:
    (sentence,) = detection({"imagenet_cls": [30, 35, 40], "coco": [29, 34, 39]}, "visible", "3")
    assert sentence.startswith(
        "On PASCAL VOC, there is no clear difference between COCO and ImageNet-CLS in the missed share of the objects"
        " that no box overlaps (1.0 point fewer, 95 % interval"
    )


def test_seeds_that_agree_and_uneven_seeds(detection) -> None:
    (sentence,) = detection({"imagenet_cls": [50, 50], "coco": [60, 60]})
    assert sentence.endswith("(2 seeds, the seeds do not differ at all: no interval).") and "helps" not in sentence


def test_one_side_with_one_seed(detection) -> None:
    (sentence,) = detection({"imagenet_cls": [50, 51, 52], "coco": [60]})
    assert sentence.endswith("(1 and 3 seeds, one side has one seed: no interval).")


def test_another_reference(detection) -> None:
    values = {"coco": [60, 61, 62], "openimages": [50, 51, 52]}
    (sentence,) = detection(values, reference="coco")
    assert "OpenImagesV4 gives 10.0 points less mAP at IoU 0.5 than COCO" in sentence and sentence.endswith("it hurts.")


@pytest.mark.parametrize("reference", ["scratch", "coco", "imagenet_cls"])
def test_scratch_is_compared_with_first_whatever_the_reference(detection, reference: str) -> None:
    values = {"scratch": [20, 21, 22], "coco": [60, 61, 62]}
    (sentence,) = detection(values, reference=reference)
    assert "COCO gives 40.0 points more mAP at IoU 0.5 than training from scratch" in sentence
    _, between = detection(values | {"openimages": [63, 64, 65]}, reference=reference)
    assert "OpenImagesV4 gives 3.0 points more mAP at IoU 0.5 than COCO" in between


def test_only_one_start_has_a_result(detection, empty_study) -> None:
    (sentence,) = detection({"coco": [60, 61]})
    assert sentence == "On PASCAL VOC, only COCO has a result for mAP at IoU 0.5: there is nothing to compare."
    assert [effect.verdict for effect in answers_of(empty_study.out)["voc_detection"].effects] == ["only result"]


def test_nothing_has_finished(empty_study) -> None:
    empty_study.planned("voc_detection/coco/seed0", "voc_detection", "coco", 0)
    empty_study.planned("voc_detection/coco/seed1", "voc_detection", "coco", 1)
    empty_study.failure("voc_detection/coco/seed0")
    found = answers_of(empty_study.out)
    assert found["voc_detection"].sentences == (
        "On PASCAL VOC (detection), no run has finished: 1 failed and 1 not run.",
    )
    assert found["own_det"].sentences == ("On Kangaroos (detection), no run has finished: none planned.",)


def test_a_run_without_numbers(empty_study) -> None:
    empty_study.planned("voc_detection/coco/seed0", "voc_detection", "coco", 0)
    empty_study.record("voc_detection/coco/seed0")
    (sentence,) = answers_of(empty_study.out)["voc_detection"].sentences
    assert sentence == "On PASCAL VOC, the runs that finished gave no number."
