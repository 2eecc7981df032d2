"""A new kind of task or figure is one row: it goes through the file, the plan, the workflow, a run and the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from mmdetpre.study.figures import FIGURES, GAINS, Figure, numbers
from mmdetpre.study.kinds import KINDS, Kind, function, rules
from mmdetpre.study.plan import make_plan, plan_table, write_plan
from mmdetpre.study.runs import figure as figure_module
from mmdetpre.study.runs.run import run_job
from mmdetpre.study.runs.run_folder import Job
from mmdetpre.study.spec import Study, read_study
from mmdetpre.study.workflow import run_study

POSE = Kind(
    "train:train_and_test",
    "pose",
    title="pose estimation",
    toolbox="mmpretrain",
    table="pose",
    quantity="keypoints",
    cells="cells:classification_cells",
    priority=7,
)
CLOUD = Figure("A cloud of words", "one per class.", "linear", "analysis_tools/cloud.py", "words", ".txt", of_two=True)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study with a task of a new kind, and a new figure."""
    monkeypatch.setitem(KINDS, "pose", POSE)
    monkeypatch.setitem(FIGURES, 10, CLOUD)
    monkeypatch.setattr(figure_module, "words", lambda job: ["--words", job.settings["title"]], raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pose.py").write_text("custom_imports = None\ntest_evaluator = dict(type='PCK')\n")
    content = {
        "name": "new",
        "out": "out",
        "seeds": [0],
        "inits": {"coco": {"checkpoint": "coco.pth"}, "mine": {"checkpoint": "mine.pth", "title": "My weights"}},
        "tasks": {
            "people": {"kind": "pose", "title": "People", "config": "pose.py"},
            "animals": {"kind": "linear", "title": "Animals", "data_config": "pose.py"},
        },
        "figures": [10],
    }
    Path("study.yaml").write_text(json.dumps(content))
    return read_study("study.yaml")


def command(job: Job, *words: str | Path) -> None:
    """Leaves what `mim train`, `mim test` and the tool of the figure leave."""
    text = list(map(str, words))
    job.commands.append(text)
    if "--plot" in text:
        Image.new("RGB", (4, 4)).save(text[text.index("--plot") + 1])
        Path(text[text.index("--out") + 1]).write_text(text[text.index("--words") + 1])
    elif text[1] == "train":
        (job.folder / "epoch_1.pth").write_bytes(b"")
    else:
        stamp = Path(text[text.index("--work-dir") + 1], "20260101_000001")
        stamp.mkdir(parents=True)
        (stamp / "20260101_000001.json").write_text('{"accuracy/top1": 61.5}')


def test_a_new_kind_is_a_row(study: Study, capfd: pytest.CaptureFixture[str], monkeypatch) -> None:
    assert study.tasks["people"].kind == "pose"
    plan = make_plan(study)
    assert [run.id for run in plan.values() if run.kind == "pose"] == ["people/coco/seed0", "people/mine/seed0"]
    assert plan["people/mine/seed0"].settings["toolbox"] == "mmpretrain" and "pose.py" in plan_table(plan)
    assert rules(4)["pose"] == {"kinds": ["pose"], "gpus": 4, "priority": 7}
    assert run_study("study.yaml", cores=1, dry_run=True) == 0
    counts = dict(line.split() for line in capfd.readouterr().out.splitlines() if line.startswith(("pose ", "probe ")))
    assert counts == {"pose": "2", "probe": "2"}

    monkeypatch.setattr(Job, "command", command)
    monkeypatch.setattr("mmdetpre.study.runs.train.last_checkpoint", lambda folder: folder / "epoch_1.pth")
    for name in ("coco", "mine"):
        assert run_job(Path("out"), f"people/{name}/seed0") == 0
    from mmdetpre.study.report.write import write_report

    page = write_report("out").read_text()
    tables = Path("out/report/tables.md").read_text()
    assert "pose estimation" in page and "**In the text**: pose estimation, in %" in tables
    assert "On People, My weights and coco are level in keypoints" in tables
    assert "| My weights | 61.5 (1 seed) |" in tables


def test_a_kind_names_functions_that_there_are() -> None:
    for kind in KINDS.values():
        assert all(callable(function(name)) for name in (kind.work, kind.cells) if name)


def test_a_new_figure_is_a_row(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    assert study.figures == (10,)
    with pytest.raises(ValueError, match="there is no figure 11, choose from 1 to 10 and images"):
        content = json.loads(Path("study.yaml").read_text()) | {"figures": [11]}
        Path("other.yaml").write_text(json.dumps(content))
        read_study("other.yaml")
    plan = make_plan(study)
    assert plan["figures/10"].needs == ["animals/coco", "animals/mine"] and plan["figures/10"].kind == "figure"
    write_plan(study, plan)
    monkeypatch.setattr(Job, "command", command)
    assert run_job(Path("out"), "figures/10") == 0
    assert Path("out/figures/figure_10.txt").read_text() == "Animals"
    from mmdetpre.study.report.write import write_report

    page = write_report("out").read_text()
    assert "<b>Figure 10.</b> A cloud of words. Animals: one per class." in page


def test_every_figure_names_a_kind_and_its_arguments() -> None:
    assert numbers(FIGURES) == "1 to 9"
    pairs = {number: figure.paper_pair for number, figure in FIGURES.items() if figure.paper_pair}
    assert pairs == {2: ("imagenet_cls", "openimages"), 3: ("imagenet_cls", "imagenet_loc")}, "as the captions say"
    for figure in (*FIGURES.values(), *GAINS.values()):
        assert figure.kind in KINDS and callable(function(f"figure:{figure.arguments}"))
