"""Runs that make proposals go on where they stopped; a detector takes those of its own run and start, and no others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdetpre.datasets.proposals.table import Proposals
from mmdetpre.datasets.proposals.writer import ProposalsWriter, begin_proposals, finish_proposals, write_origin
from mmdetpre.study.layout import config_path, job_path, work_dir
from mmdetpre.study.runs.run import run_job
from mmdetpre.study.runs.run_folder import Job, RunFailed

MAKES, TRAINS, TESTS = "proposals/det/coco/seed0", "det/coco/seed0", "pretraining_test/coco"


class Mim:
    """Stands in for `mim`: leaves what trainings and tests leave, and stops where it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[list[str]] = []
        self.stop_in = ""
        self.box = 0.0
        monkeypatch.setattr(Job, "command", lambda job, *words: self.command(*map(str, words)))

    def command(self, *words: str) -> None:
        self.calls.append(list(words))
        folder = Path(words[words.index("--work-dir") + 1])
        network = "/proposals/" in str(folder)
        if words[1] == "train":
            folder.mkdir(parents=True, exist_ok=True)
            weights = {"state_dict": {"w": torch.full((1,), self.box)}, "meta": {"call": len(self.calls)}}
            torch.save(weights if network else {}, folder / "epoch_1.pth")
            (folder / "last_checkpoint").write_text(str(folder / "epoch_1.pth"))
            (folder / ".proposals.killed.part").mkdir(exist_ok=True)
        if self.stop_in == words[1]:
            raise RunFailed("$ mim (exit 1)\nRuntimeError: stopped")
        if words[1] == "test":
            result = folder / "20260101_000000" / "20260101_000000.json"
            result.parent.mkdir(parents=True, exist_ok=True)
            if network:
                write_proposals(folder.parent / "proposals", self.box)
                values = {"proposals/images": 1, "proposals/proposals_per_image": 2, "proposals/recall@300": 0.75}
            else:
                values = {"coco/bbox_mAP": 0.25, "coco/bbox_mAP_50": 0.5, "coco/bbox_mAP_75": -1.0}
            result.write_text(json.dumps(values))

    @property
    def done(self) -> list[str]:
        """What was done since it was last asked."""
        done = [("propose" if "/proposals/" in str(call) else "detect") + " " + call[1] for call in self.calls]
        self.calls.clear()
        return done


def write_proposals(out: Path, box: float) -> None:
    part = begin_proposals(out, overwrite=True)
    writer = ProposalsWriter(part)
    boxes = np.array([[0, 0, 9, 9], [box, 0, 20, 20]], np.float32)
    entry = writer.add("a.jpg", (32, 32), boxes, np.array([0.9, 0.5], np.float32))
    writer.close()
    finish_proposals(part, out, [entry], overwrite=True)


@pytest.fixture
def mim(monkeypatch: pytest.MonkeyPatch) -> Mim:
    return Mim(monkeypatch)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A study of one detector, the network of its proposals and its pre-training, which is done."""
    out = tmp_path / "out"
    weights(out, 1.0)
    (out / "study.json").write_text(json.dumps({"threads": 1, "launch": []}))
    plan(out, MAKES, "proposals")
    plan(out, TRAINS, "detection", proposals=MAKES, table="coco_finetuning", own_table=False)
    plan(out, TESTS, "pretraining_test", tested="pretraining/coco", tta=True)
    return out


def weights(out: Path, value: float) -> Path:
    path = work_dir(out, "pretraining/coco") / "backbone_final.pth"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": {"conv1.weight": torch.full((1,), value)}}, path)
    torch.save({}, path.with_name("epoch_1.pth"))
    path.with_name("last_checkpoint").write_text("epoch_1.pth")
    return path


def plan(out: Path, run: str, kind: str, digest: str = "a", **settings) -> None:
    settings = {"toolbox": "mmdet", "config_digest": digest, "options": {}, "tta": True, "column": "det"} | settings
    content = dict(id=run, task="det", kind=kind, start="coco", seed=0, needs=[], settings=settings)
    config = f"backbone_init = {{'checkpoint': {str(work_dir(out, 'pretraining/coco') / 'backbone_final.pth')!r}}}\n"
    for path, text in ((job_path(out, run), json.dumps(content)), (config_path(out, run), config)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def failure(out: Path, run: str = TRAINS) -> str:
    return json.loads((out / "failed" / f"{run}.json").read_text())["error"]


def test_proposals_say_what_made_them(out: Path, mim: Mim) -> None:
    assert run_job(out, MAKES) == 0 and mim.calls[-1][-1] == "--tta"
    record = json.loads((out / "records" / f"{MAKES}.json").read_text())
    assert record["cells"] == [] and record["notes"] == ["1 images, 2 proposals each; recalled objects: 75 % by 300."]
    origin = dict(Proposals.open(work_dir(out, MAKES) / "proposals").origin)
    assert record["checkpoint"]["file"].endswith("epoch_1.pth")
    assert len(origin.pop("checkpoint")) == len(origin.pop("backbone")) == 64
    assert origin == {"run": MAKES, "start": "coco", "seed": 0}


def test_an_interrupted_run_goes_on(out: Path, mim: Mim) -> None:
    mim.stop_in = "train"
    assert run_job(out, MAKES) == 1
    mim.stop_in = "test"
    assert run_job(out, MAKES) == 1 and "--resume" in mim.calls[1]
    mim.stop_in = ""
    assert run_job(out, MAKES) == 0
    assert mim.done == ["propose train", "propose train", "propose test", "propose test"]
    assert not list(work_dir(out, MAKES).glob(".*.part")), "of the test that was stopped"
    assert run_job(out, TRAINS) == 0
    cells = json.loads((out / "records" / f"{TRAINS}.json").read_text())["cells"]
    assert {(cell["table"], cell["column"]): cell["value"] for cell in cells} == {
        ("coco_finetuning", "map"): 25.0, ("coco_finetuning", "ap50"): 50.0, ("coco_finetuning", "ap75"): None,
    }  # fmt: skip


def test_a_detector_is_trained_anew_only_by_another_network(out: Path, mim: Mim) -> None:
    assert run_job(out, MAKES) == run_job(out, TRAINS) == 0
    _ = mim.done
    assert run_job(out, MAKES) == run_job(out, TRAINS) == 0  # the test of the network alone is repeated
    assert mim.done == ["propose test", "detect test"]
    shutil.rmtree(work_dir(out, MAKES))  # the same weights in another file
    assert run_job(out, MAKES) == run_job(out, TRAINS) == 0
    assert mim.done == ["propose train", "propose test", "detect test"]
    plan(out, MAKES, "proposals", digest="b")
    mim.box = 3.0
    assert run_job(out, MAKES) == run_job(out, TRAINS) == 0
    assert mim.done == ["propose train", "propose test", "detect train", "detect test"]
    assert (work_dir(out, MAKES).with_name("seed0.old1") / "proposals" / "meta.json").exists()
    assert work_dir(out, TRAINS).with_name("seed0.old1").exists()


def test_proposals_of_another_start_are_refused(out: Path, mim: Mim) -> None:
    assert run_job(out, TRAINS) == 1
    assert f"are not in {work_dir(out, MAKES)}/proposals. Make them: mim run mmdetpre run_job" in failure(out)
    assert run_job(out, MAKES) == run_job(out, TRAINS) == 0
    before = sorted(path for path in work_dir(out, TRAINS).rglob("*"))

    folder = work_dir(out, MAKES) / "proposals"
    own = dict(Proposals.open(folder).origin)
    write_origin(folder, own | {"run": "proposals/det/openimages/seed0", "start": "openimages"})
    assert run_job(out, TRAINS) == 1
    assert "are of the run proposals/det/openimages/seed0 (init openimages, seed 0)" in failure(out)
    assert f"{TRAINS} needs those of {MAKES}, from its own weights" in failure(out)
    write_origin(folder, own)
    assert run_job(out, TRAINS) == 0

    weights(out, 2.0)  # the pre-training was made again, the proposals were not
    assert run_job(out, TRAINS) == 1 and f"from the weights {own['backbone'][:12]}." in failure(out)
    assert sorted(path for path in work_dir(out, TRAINS).rglob("*")) == before, "nothing is moved aside for them"
    assert run_job(out, MAKES) == run_job(out, TRAINS) == 0
    assert work_dir(out, TRAINS).with_name("seed0.old1").exists()


def test_a_pretraining_is_scored_by_a_test_of_its_own(out: Path, mim: Mim) -> None:
    assert run_job(out, TESTS) == 0
    (call,) = mim.calls
    assert call[1] == "test" and call[-1] == "--tta" and str(config_path(out, "pretraining/coco")) in call
    assert call[call.index("--checkpoint") + 1] == str(work_dir(out, "pretraining/coco") / "epoch_1.pth")
    record = json.loads((out / "records" / f"{TESTS}.json").read_text())
    (cell,) = record["cells"]
    assert (cell["table"], cell["row"], cell["column"], cell["value"]) == ("pretraining", "coco", "test_map", 25.0)
    assert record["notes"] == ["Tested at all scales."]


def test_a_transfer_that_is_a_pretraining_is_tested_only(out: Path, mim: Mim) -> None:
    plan(out, TRAINS, "detection", tested="pretraining/coco", table="coco_finetuning", own_table=False)
    config_path(out, "pretraining/coco").parent.mkdir(parents=True, exist_ok=True)
    config_path(out, "pretraining/coco").write_text("test_evaluator = dict(type='mmdetpre.VOCIoUMetric')\n")
    assert run_job(out, TRAINS) == 0
    (call,) = mim.calls
    assert call[1] == "test" and call[-1] == "--tta" and str(config_path(out, "pretraining/coco")) in call
    record = json.loads((out / "records" / f"{TRAINS}.json").read_text())
    assert record["checkpoint"]["file"] == str(work_dir(out, "pretraining/coco") / "epoch_1.pth")
    assert ("coco_finetuning", "map", 25.0) in {(c["table"], c["column"], c["value"]) for c in record["cells"]}
    assert record["notes"] == ["Its training is the run pretraining/coco."]
