from __future__ import annotations

import json

import pytest

from mmdetpre.transfer.load_report import STATISTICS, VERDICTS, LoadReport, stage_of


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("conv1.weight", "stem"),
        ("bn1.running_mean", "stem"),
        ("stem.3.weight", "stem"),
        ("backbone.conv1.weight", "stem"),
        ("layer3.22.bn1.weight", "layer3"),
        ("backbone.bottom_up.res5.0.conv1.norm.bias", "layer4"),
        ("bbox_head.fc_cls.weight", "other"),
    ],
)
def test_stages(name: str, stage: str) -> None:
    assert stage_of(name) == stage


def test_text_and_json_account_for_everything() -> None:
    report = LoadReport(
        "a.pth",
        "mmdet.ResNet (ResNet-50)",
        verdict="incomplete",
        reasons=["wrong depth"],
        matched=["conv1.weight", "layer1.0.conv1.weight"],
        missing=[f"layer4.{i}.conv1.weight" for i in range(8)],
        unexpected=["layer5.0.conv1.weight"],
        expected=[("fc.weight", "a head"), ("fc.bias", "a head")],
        shape_clashes=[("layer2.0.conv1.weight", (8, 8, 1, 1), (16, 8, 1, 1))],
        conversions=[("conv1.weight", "float16", "float32")],
        not_finite=["bn1.bias"],
        statistics="partial",
        preprocessing={"file": "not known"},
    )
    text = str(report)
    rows = {
        line.split()[0]: line.split()[1:]
        for line in text.splitlines()
        if line.startswith(("  layer", "  all", "  stem"))
    }
    assert rows["all"] == ["2", "8", "1", "1", "2"] and rows["layer4"] == ["0", "8", "0", "0", "0"]
    for part in (
        "INCOMPLETE",
        "! wrong depth",
        "nothing was loaded",
        "(2 more in the JSON)",
        "expected, 2: a head",
        "converted, 1: float16 to float32",
        "[8, 8, 1, 1] -> [16, 8, 1, 1]",
        STATISTICS["partial"],
    ):
        assert part in text
    assert json.loads(report.to_json())["missing"][7] == "layer4.7.conv1.weight"
    assert not report.good


def test_good_verdicts() -> None:
    assert [verdict for verdict in VERDICTS if LoadReport("", "", verdict=verdict).good] == ["complete", "expected"]
