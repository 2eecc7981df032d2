"""Tables 5 to 7 from probe results and work dirs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from mmdetpre.analysis.probes.scores import ProbeResult
from mmdetpre.paper.tables import with_figures
from mmdetpre.results.transfer_tables import TransferTables, markdown, read_cells
from mmdetpre.utils.results import read_results, write_results


def result(path: Path, layer: str = "fc1", init: str = "OpenImages", probe: str = "linear", **change: Any) -> Path:
    scores = {
        "accuracy": 0.8, "accuracy_interval": [0.75, 0.84], "balanced_accuracy": 0.7,
        "balanced_accuracy_interval": [0.6, 0.8], **change,
    }  # fmt: skip
    features = {"path": "features", "images": 9, "digest": "0"}
    head = {
        "probe": probe, "layer": layer, "initialisation": init, "data": "Caltech-256", "backbone_digest": None,
        "classes": [], "train": features, "test": features, "values": 4, "notes": [],
    }  # fmt: skip
    of_probe: dict[str, Any] = {
        "knn": {"neighbours": 5, "metric": "l2", "weighted": False, "per_class": {},
                "sweep": {"neighbours": [5], "left_out_accuracy": [0.5]}},
        "linear": {"accuracy_spread": 0.0, "balanced_accuracy_spread": 0.0, "seeds": [],
                   "sweep": {"strengths": [], "validation_accuracy": [], "validation": 0.2}},
    }  # fmt: skip
    write_results(path, [ProbeResult.from_dict({**head, **scores, **of_probe[probe]})])
    return path


def work_dir(root: Path, config: str, metrics: dict[str, float], test: dict[str, float] | None = None) -> Path:
    folder = root / config / "20260101_000000" / "vis_data"
    folder.mkdir(parents=True)
    (folder / "config.py").write_text("")
    (root / config / f"{config}.py").write_text("")
    (folder / "scalars.json").write_text(
        f"{json.dumps({'loss': 1.0, 'step': 1})}\n{json.dumps({**metrics, 'step': 2})}\n"
    )
    if test:
        path = root / config / "test" / "20260102_000000"
        path.mkdir(parents=True)
        (path / "20260102_000000.json").write_text(json.dumps(test))
    return root / config


def test_probes_and_runs_become_tables(tmp_path: Path) -> None:
    probes, runs = tmp_path / "probes", tmp_path / "runs"
    result(probes / "a.json", "conv5_pooled")
    result(probes / "below" / "b.json")
    result(probes / "c.json", probe="knn", accuracy=0.6, accuracy_interval=[0.5, 0.7])
    (probes / "settings.json").write_text('{"no": "result"}')
    work_dir(runs, "caltech256_from_openimages", {"accuracy/top1": 85.25}, {"accuracy/top1": 86.0})
    work_dir(runs, "caltech256", {"accuracy/top1": 70.0})
    work_dir(runs, "sun397_linear_from_coco_sample", {"accuracy/top1": 40.0})
    work_dir(runs, "sniper_voc", {"pascal_voc/mAP": 0.5})
    found_tables = read_cells([probes, runs])
    cells, skipped = found_tables.cells, found_tables.skipped
    found = {(c.table, c.group, c.row, c.column): c.value for c in cells}
    assert found == {
        ("6", "stored features, linear", "openimages", "caltech256"): pytest.approx(80),
        ("7", "OpenImages, linear", "conv5_pooled", "caltech256"): pytest.approx(80),
        ("7", "OpenImages, linear", "fc1", "caltech256"): pytest.approx(80),
        ("7", "OpenImages, k-NN", "fc1", "caltech256"): pytest.approx(60),
        ("5", "", "openimages", "caltech256"): 86.0,
        ("5", "", "scratch", "caltech256"): 70.0,
        ("6", "trained as a config", "coco", "sun397_sample"): 40.0,
    }
    assert len(skipped) == 1 and "sniper_voc has no accuracy/top1" in skipped[0]

    (tmp_path / "paper.json").write_text('{"5": {"openimages": {"caltech256": 12.5}}}')
    text = markdown(cells, with_figures(tmp_path / "paper.json"))
    for line in (
        "**Table 5**: Classification, fine-tuned, accuracy in %",
        "|  | Caltech-256 | paper |",
        "| OpenImagesV4 | 86.0 | 12.5 |",
        "| scratch | 70.0 | — |",
        "| Conv5 (pooled) | 80.0 [75.0, 84.0] | 76.7 |",
        "| ConvProj 4x4 | — | 72.4 |",
        "| ImageNet-CLS | — | 86.3 |",
        "|  | sun397_sample |",
        "| COCO | 40.0 |",
        "**Table 7**: Classification on layers of the detector, accuracy in % (OpenImages, k-NN)",
    ):
        assert line in text.splitlines()
    order = [line for line in text.splitlines() if line.startswith("**")]
    assert [line[8] for line in order] == ["5", "6", "6", "7", "7"]


def test_empty_cells_are_dashes(tmp_path: Path) -> None:
    files = [result(tmp_path / "a.json", data="SUN-397"), result(tmp_path / "b.json", "fc2")]
    text = markdown(read_cells(files).cells).splitlines()
    assert "| FC1 | — | 71.6 | 80.0 [75.0, 84.0] |" in text
    assert "| FC2 | 80.0 [75.0, 84.0] | 70.0 | — |" in text


def test_layers_of_another_detector_have_no_figures_of_the_paper(tmp_path: Path) -> None:
    cells = read_cells([result(tmp_path / "a.json", init="COCO"), result(tmp_path / "b.json", init="epoch_14")]).cells
    coco, mine = markdown(cells).split("\n\n**")
    assert "| FC1 | 80.0 [75.0, 84.0] |" in coco.splitlines() and "paper" not in coco
    assert "| FC1 | 80.0 [75.0, 84.0] | 71.6 |" in mine and "a linear classifier on its OpenImages detector" in mine
    assert [cell.paper for cell in cells] == [None, 71.6]


def test_names_and_metric_can_be_chosen(tmp_path: Path) -> None:
    file = result(tmp_path / "a.json", "conv5_pooled", "epoch_14", data="256_ObjectCategories")
    rename = {"epoch_14": "OpenImages", "256_ObjectCategories": "Caltech-256"}
    cells = read_cells([file], "balanced_accuracy", rename).cells
    assert {(c.table, c.group, c.row, c.column) for c in cells} == {
        ("6", "stored features, linear, balanced accuracy", "openimages", "caltech256"),
        ("7", "OpenImages, linear, balanced accuracy", "conv5_pooled", "caltech256"),
    }
    assert all((c.value, c.low, c.high) == pytest.approx((70, 60, 80)) for c in cells)
    with pytest.raises(ValueError, match="'top5' is unknown: choose one of accuracy"):
        read_cells([file], "top5")


def test_two_results_for_one_cell_are_refused(tmp_path: Path) -> None:
    files = [result(tmp_path / name) for name in ("a.json", "b.json")]
    with pytest.raises(ValueError, match=r"a.json and .*b.json both belong in table 7, fc1, caltech256: leave one out"):
        read_cells(files)


def test_nothing_to_show_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no result in .*: give files of linear_probe.py"):
        read_cells([tmp_path])
    work_dir(tmp_path, "sniper_voc", {"pascal_voc/mAP": 0.5})
    with pytest.raises(FileNotFoundError, match="Skipped: .*sniper_voc has no accuracy/top1"):
        read_cells([tmp_path])
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_cells([tmp_path / "nowhere.json"])


def test_tables_are_written_and_read(tmp_path: Path) -> None:
    tables = read_cells([result(tmp_path / "a.json")])
    write_results(tmp_path / "new" / "tables.json", [tables])
    assert read_results(tmp_path / "new" / "tables.json", TransferTables, "transfer_tables.py") == [tables]
    assert str(tables) == markdown(tables.cells)
    write_results(tmp_path / "tables.csv", [tables])
    (read,) = json.loads((tmp_path / "new" / "tables.json").read_text())["cells"]
    for row in (read, *csv.DictReader((tmp_path / "tables.csv").read_text().splitlines())):
        assert row["table"] == "7" and float(row["value"]) == 80 and float(row["paper"]) == 71.6
