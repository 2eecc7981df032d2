"""What differs between the configs of a task's initializations."""

from __future__ import annotations

import os

from mmdetpre.study.records import read_outcome
from mmdetpre.study.report.config_table import config_tables


def test_only_what_differs_and_no_paths_of_the_runs(shared_study) -> None:
    (table,) = config_tables(read_outcome(shared_study.out))
    assert (table.task, table.inits) == ("voc_detection", ("scratch", "imagenet_cls", "coco"))
    assert table.runs[0] == "voc_detection/scratch/seed0"
    assert dict(table.rows) == {
        "backbone_init": ("not set", "{'checkpoint': 'imagenet_cls.pth'}", "{'checkpoint': 'coco.pth'}")
    }


def test_configs_that_cannot_be_read_are_named(fake_study, tmp_path) -> None:
    fake_study.put("configs/voc_detection/coco/seed0.py", "model = dict(")
    link = fake_study.out / "configs/voc_detection/scratch/seed0.py"
    link.unlink()
    (tmp_path / "secret.py").write_text("password = 1")
    os.symlink(tmp_path / "secret.py", link)
    outcome = read_outcome(fake_study.out)
    assert config_tables(outcome) == []
    assert outcome.problems == [
        f"configs/voc_detection/{init}/seed0.py cannot be read: what differs from it is not shown."
        for init in ("scratch", "coco")
    ]
