"""The runs of a study: all of the paper's tables, and files that change only where something changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdetpre.study.data_check import data_sources
from mmdetpre.study.layout import config_path, job_path, work_dir
from mmdetpre.study.plan import _read, make_plan, plan_table, write_plan
from mmdetpre.study.spec import read_study

INITS = ("imagenet_cls", "imagenet_loc", "coco", "openimages")
DATA = ("caltech256", "sun397", "flowers102")


@pytest.fixture(scope="module")
def paper(repository: Path):
    return make_plan(read_study(repository / "tools" / "study" / "paper.yaml"))


def test_the_paper_has_every_run_of_its_tables(paper) -> None:
    rows = ("scratch", *INITS)
    wanted = {f"pretraining/{init}" for init in INITS[1:]}  # classification: torchvision's weights
    wanted |= {f"pretraining_test/{init}" for init in INITS[1:]}  # 45, 46.1 and 37.4
    wanted |= {"proposals/pretraining/coco"}  # negative chips: COCO and VOC, not OpenImages and ImageNet-LOC
    wanted |= {f"proposals/voc_detection/{init}/seed0" for init in rows}
    for init in ("imagenet_cls", "openimages"):  # section 4.1
        wanted |= {f"coco_detection/{init}/seed0"}
    wanted |= {"proposals/coco_detection/openimages/seed0"}  # from ImageNet-CLS it is the pre-training on COCO
    for task in ("voc_detection", "voc_segmentation", *DATA):  # Tables 2 and 3, 4, 5
        wanted |= {f"{task}/{init}/seed0" for init in rows}
    wanted |= {f"{data}_linear/{init}" for data in DATA for init in INITS}  # Table 6
    wanted |= {f"{data}_layers/{init}" for data in DATA for init in ("coco", "openimages")}  # Table 7
    wanted |= {f"figures/{number}" for number in range(1, 10)}
    for task in ("voc_detection", "voc_segmentation", *DATA):
        wanted |= {f"figures/images/{task}/{init}" for init in INITS}
    wanted |= {f"figures/images/{data}_linear/{init}" for data in DATA for init in INITS[1:]}  # over ImageNet-CLS
    assert set(paper) == wanted
    assert f"{len(wanted)} runs" in plan_table(paper)


def test_from_scratch_the_paper_freezes_nothing(paper) -> None:
    for task, detector in {"voc_detection": True, "proposals/voc_detection": True, "voc_segmentation": False}.items():
        frozen = {
            init: paper[f"{task}/{init}/seed0"].config["model"]["backbone"]["frozen_stages"]
            for init in ("scratch", *INITS)
        }
        assert frozen == {init: 1 for init in INITS} | {"scratch": -1}, task
        assert paper[f"{task}/scratch/seed0"].config.get("sync_bn") == (None if detector else "torch")


def test_nothing_is_trained_twice(paper) -> None:
    run = paper["coco_detection/imagenet_cls/seed0"]
    assert (run.settings["tested"], run.needs, run.config) == ("pretraining/coco", ["pretraining/coco"], None)
    assert run.settings["tta"] and "proposals" not in run.settings
    assert "sniper_coco.py, test   after pretraining/coco" in plan_table(paper)
    assert [r.id for r in paper.values() if "tested" in r.settings and r.kind == "detection"] == [run.id]


OF_COCO = "    inits: [imagenet_cls, openimages]\n"
NETWORK = "{ config: configs/det/rpn_coco.py"


@pytest.mark.parametrize(
    "change",
    [
        (OF_COCO, f"{OF_COCO}    seeds: [1]\n"),
        (OF_COCO, f"{OF_COCO}    options: {{ train_cfg.max_epochs: 3 }}\n"),
        (f"{NETWORK} }}\n", f"{NETWORK}, options: {{ train_cfg.max_epochs: 3 }} }}\n"),
    ],
)
def test_what_differs_in_a_value_is_trained(repository: Path, tmp_path: Path, change: tuple[str, str]) -> None:
    _, plan = planned(repository, tmp_path, change, "paper")
    (run,) = [run for run in plan.values() if run.task == "coco_detection" and run.init == "imagenet_cls"]
    assert "tested" not in run.settings and run.config is not None and run.settings["proposals"] in plan


def test_each_run_comes_after_those_that_it_needs(paper) -> None:
    seen: set[str] = set()
    for run in paper.values():
        assert seen.issuperset(run.needs), run.id
        seen.add(run.id)


def test_a_transfer_starts_from_what_the_pretraining_leaves(repository: Path, tmp_path: Path) -> None:
    study, plan = planned(repository, tmp_path)
    write_plan(study, plan)
    cfg = Config.fromfile(config_path(study.out, "voc_detection/coco/seed1"), import_custom_modules=False)
    assert cfg.backbone_init.checkpoint == str(work_dir(study.out, "pretraining/coco") / "backbone_final.pth")
    assert cfg.randomness.seed == 1
    results = str(work_dir(study.out, "voc_detection/coco/seed1") / "test" / "results")
    assert (cfg.test_evaluator.outfile_prefix, cfg.test_evaluator.overwrite) == (results, True)
    assert cfg.train_cfg.val_begin == 1000
    scratch = Config.fromfile(config_path(study.out, "voc_detection/scratch/seed0"), import_custom_modules=False)
    assert not (scratch.get("backbone_init") or {}).get("checkpoint")


def test_the_resolved_config_is_the_shipped_one(repository: Path, tmp_path: Path) -> None:
    """Tuples stay tuples, nothing is lost: only what the study sets is different."""
    study, plan = planned(repository, tmp_path)
    write_plan(study, plan)
    written = Config.fromfile(config_path(study.out, "pretraining/openimages"), import_custom_modules=False).to_dict()
    shipped = Config.fromfile(repository / "configs/det/sniper_openimages_sample.py", import_custom_modules=False)
    expected = shipped.to_dict() | {"randomness": {"seed": 0}, "backbone_init": {"checkpoint": None}}
    del expected["backbone_inits"]  # one is chosen
    assert written == expected


def test_files_change_only_where_something_changed(repository: Path, tmp_path: Path) -> None:
    study, plan = planned(repository, tmp_path)
    write_plan(study, plan)
    before = times(study.out)
    write_plan(*planned(repository, tmp_path))
    assert times(study.out) == before

    write_plan(*planned(repository, tmp_path, ("train_cfg.val_begin: 1000000", "train_cfg.max_iters: 30")))
    changed = {path for path, time in times(study.out).items() if before.get(path) != time}
    assert changed == {
        path
        for run in plan.values()
        if run.kind == "segmentation"
        for path in (job_path(study.out, run.id), config_path(study.out, run.id))
    }

    write_plan(*planned(repository, tmp_path))
    before = times(study.out)
    write_plan(*planned(repository, tmp_path, ("seeds: [0, 1, 2]", "seeds: [0, 1, 2, 3]")))
    after = times(study.out)
    assert {path for path in before if after[path] != before[path]} == {study.out / "study.json"}
    assert {path.stem for path in after.keys() - before.keys()} == {"seed3"}


def test_options_that_do_not_fit_are_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="train_dataloader.9.*do not fit.*deeplab_voc_sample"):
        planned(repository, tmp_path, ("train_cfg.val_begin: 1000000", "custom_hooks.9.type: A, train_dataloader.9: 1"))


@pytest.mark.parametrize(
    ("text", "told"), [("a = dict(", "SyntaxError: .*never closed"), ("a = b", "NameError: .*'b' is not defined")]
)
def test_a_config_that_is_no_python_is_named_with_its_fault(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ValueError, match=rf"{tmp_path / 'mine.py'} cannot be read as a config: {told}"):
        _read(tmp_path / "mine.py")


def of_one_detector(folder: Path, config: str, key: str = "det", **task):
    """Plan of a study of one detector from scratch."""
    task = {"kind": "detection", "config": "x", "scratch_config": f"configs/det/{config}.py"} | task
    text = {
        "name": "a", "out": str(folder / "out"), "seeds": [3, 4], "inits": {"scratch": None}, "tasks": {key: task},
    }  # fmt: skip
    path = folder / "study.yaml"
    path.write_text(json.dumps(text))
    study = read_study(path)
    return study, make_plan(study)


@pytest.mark.parametrize(("key", "table", "own"), [("det", "2", True), ("coco_detection", "coco_finetuning", False)])
def test_a_detector_may_have_any_metric(tmp_path: Path, key: str, table: str, own: bool) -> None:
    study, plan = of_one_detector(tmp_path, "sniper_coco_sample", key)
    settings = plan[f"{key}/scratch/seed3"].settings
    assert (settings["table"], settings["own_table"]) == (table, own)
    assert not any(run.kind == "figure" for run in plan.values()), "its detections are not kept for Figures 1 and 2"
    write_plan(study, plan)
    assert json.loads((study.out / "study.json").read_text())["tasks"][key]["table"] == table
    voc = of_one_detector(tmp_path, "sniper_voc_sample")[1]["det/scratch/seed3"].settings
    assert "table" not in voc and voc["own_table"] is True


def test_annotated_occlusion_needs_the_metric_that_keeps_detections(tmp_path: Path) -> None:
    (tmp_path / "levels").mkdir()
    with pytest.raises(ValueError, match="task det has occlusion, .*VOCIoUMetric writes: .*sniper_coco_sample.py"):
        of_one_detector(tmp_path, "sniper_coco_sample", occlusion="levels")


@pytest.mark.parametrize("config", ["rpn_voc_sample", "sniper_coco_test_dev_sample"])
def test_a_detector_whose_test_measures_nothing(tmp_path: Path, config: str) -> None:
    with pytest.raises(ValueError, match="no test_evaluator that measures, such as mmdetpre.VOCIoUMetric or Coco"):
        of_one_detector(tmp_path, config)


def test_negative_chips_have_a_network_for_each_run_or_init(tmp_path: Path) -> None:
    for per, made in (("seed", ("/seed3", "/seed4")), ("init", ("", ""))):
        proposals = {"config": "configs/det/rpn_voc_sample.py", "per": per, "options": {"train_cfg.max_epochs": 1}}
        options = {"train_dataloader.dataset.dataset.indices": 7}
        study, plan = of_one_detector(tmp_path, "sniper_voc_sample", proposals=proposals, options=options)
        assert [run.id for run in plan.values() if run.kind == "proposals"] == [
            f"proposals/det/scratch{seed}" for seed in dict.fromkeys(made)
        ]
        write_plan(study, plan)
        for seed, name in zip((3, 4), made, strict=True):
            run, network = plan[f"det/scratch/seed{seed}"], f"proposals/det/scratch{name}"
            assert run.needs == [network] and run.settings["proposals"] == network
            detector = Config.fromfile(config_path(study.out, run.id), import_custom_modules=False)
            rpn = Config.fromfile(config_path(study.out, network), import_custom_modules=False)
            folder = str(work_dir(study.out, network) / "proposals")
            assert detector.train_dataloader.dataset.proposals == rpn.test_evaluator.out_dir == folder
            assert rpn.train_cfg.max_epochs == 1 and rpn.randomness.seed == (seed if per == "seed" else 3)
            for part in (detector.train_dataloader, rpn.train_dataloader):
                assert part.dataset.dataset.indices == rpn.test_dataloader.dataset.indices == 7


def test_the_network_of_an_init_has_that_of_its_detector(repository: Path, tmp_path: Path) -> None:
    study, plan = planned(repository, tmp_path)
    write_plan(study, plan)
    network, detector = (
        Config.fromfile(config_path(study.out, name), import_custom_modules=False)
        for name in ("proposals/voc_detection/coco", "voc_detection/coco/seed2")
    )
    assert network.backbone_init == detector.backbone_init
    assert network.backbone_init.checkpoint == str(work_dir(study.out, "pretraining/coco") / "backbone_final.pth")
    assert plan["proposals/voc_detection/coco"].needs == ["pretraining/coco"]
    assert plan["pretraining/coco"].needs == ["proposals/pretraining/coco"]


def test_proposals_twice(tmp_path: Path) -> None:
    options = {"train_dataloader.dataset.proposals": "work_dirs/proposals/voc"}
    proposals = {"config": "configs/det/rpn_voc_sample.py"}
    with pytest.raises(ValueError, match="det/scratch/seed3 has proposals from the study and from its config"):
        of_one_detector(tmp_path, "sniper_voc_sample", options=options, proposals=proposals)
    with pytest.raises(ValueError, match="cannot make the proposals of det/scratch/seed3: its test_evaluator is not"):
        of_one_detector(tmp_path, "sniper_voc_sample", proposals={"config": "configs/det/sniper_voc_sample.py"})


def test_what_is_trained_goes_into_configs_and_the_rows_of_one_table(repository: Path, tmp_path: Path) -> None:
    study, plan = planned(
        repository, tmp_path, ("  voc_detection:\n", "  voc_detection:\n    trainable_stages: [all, 0]\n")
    )
    write_plan(study, plan)
    whole, frozen = (plan[f"{key}/coco/seed0"] for key in ("voc_detection", "voc_detection_frozen"))
    assert "voc_detection_frozen/scratch/seed0" not in plan
    assert (whole.settings["own_table"], frozen.settings["own_table"]) == (False, False)
    assert "rows_of" not in whole.settings and frozen.settings["rows_of"] == "voc_detection"
    configs = [Config.fromfile(config_path(study.out, run.id)) for run in (whole, frozen)]
    assert [config.get("trainable_stages") for config in configs] == [None, 0]
    network = plan[frozen.settings["proposals"]].config
    assert network is not None and network["trainable_stages"] == 0, "the proposals are those of such a backbone"
    facts = json.loads((study.out / "study.json").read_text())["tasks"]
    assert "trainable" not in facts["voc_detection"]
    assert (facts["voc_detection_frozen"]["trainable"], facts["voc_detection_frozen"]["rows_of"]) == (
        0,
        "voc_detection",
    )
    assert [source.key for source in data_sources(study)].count("voc_detection_frozen") == 0


def test_a_task_without_runs(tmp_path: Path) -> None:
    text = {
        "name": "a", "out": str(tmp_path / "out"), "seeds": [0], "inits": {"scratch": None},
        "tasks": {"cls": {"kind": "linear", "data_config": "configs/cls/caltech256_sample.py"}},
    }  # fmt: skip
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps(text))
    with pytest.raises(ValueError, match="task cls has no run"):
        make_plan(read_study(path))


def planned(repository: Path, folder: Path, replace: tuple[str, str] | None = None, name: str = "sample"):
    text = (repository / "tools" / "study" / f"{name}.yaml").read_text()
    text = text.replace(f"work_dirs/study_{name}", str(folder / "out"))
    if replace:
        assert replace[0] in text
        text = text.replace(*replace)
    path = folder / "study.yaml"
    path.write_text(text)
    study = read_study(path)
    return study, make_plan(study)


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_figure_waits_for_the_features_whose_images_it_shows(repository: Path, tmp_path: Path) -> None:
    """Also where the first initialization is not one of the two that are compared."""
    study, plan = planned(repository, tmp_path, ("reference: imagenet_cls", "reference: coco"))
    for number in range(5, 10):
        run = plan[f"figures/{number}"]
        assert run.settings["images"] in {str(work_dir(study.out, need) / "test") for need in run.needs}


def test_images_show_each_initialization_beside_scratch(paper) -> None:
    run = paper["figures/images/voc_segmentation/coco"]
    assert list(run.settings["runs"].values()) == run.needs == [
        f"voc_segmentation/{init}/seed0" for init in ("scratch", "coco")
    ]  # fmt: skip
    assert (run.settings["number"], run.settings["kind"], run.settings["init"]) == ("images", "segmentation", "coco")


def test_figures_of_the_paper(paper) -> None:
    pair = {number: list(paper[f"figures/{number}"].settings["runs"].values()) for number in (2, 3, 5, 6, 9)}
    assert pair[3] == ["voc_segmentation/imagenet_cls/seed0", "voc_segmentation/imagenet_loc/seed0"]
    assert pair[2] == ["voc_detection/imagenet_cls/seed0", "voc_detection/openimages/seed0"]
    assert [next(iter(paper[f"figures/{k}"].settings["runs"].values())) for k in (1, 4)] == [
        "voc_detection/imagenet_cls/seed0", "voc_segmentation/imagenet_cls/seed0",
    ], "the reference, which Figure 1 shows differences to"  # fmt: skip
    assert pair[9] == pair[5] == ["caltech256_linear/imagenet_cls", "caltech256_linear/openimages"]


def test_a_pair_without_a_run_is_named(repository: Path, tmp_path: Path) -> None:
    change = ("3: imagenet_loc }", "3: imagenet_loc, 9: [imagenet_cls, scratch] }")
    with pytest.raises(ValueError, match="figure 9 is to show .* but the task caltech256_linear has no run of scratch"):
        planned(repository, tmp_path, change)
