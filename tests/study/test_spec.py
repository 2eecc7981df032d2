"""The file of a study, and each way in which it can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mmdetpre.study.spec import Task, read_study

DETECTOR = {"kind": "detection", "config": "configs/det/sniper_voc_sample.py", "inits": ["coco"]}
GOOD = {
    "name": "mine",
    "out": "work_dirs/mine",
    "seeds": [0, 1],
    "inits": {
        "scratch": {"title": "from scratch"},
        "coco": {"title": "COCO", "toolbox": "mmdet", "config": "configs/det/sniper_coco_sample.py"},
        "own": {"checkpoint": "weights/own.pth"},
    },
    "tasks": {
        "voc_detection": {
            "kind": "detection",
            "config": "configs/det/sniper_voc_sample.py",
            "scratch_config": "configs/det/sniper_voc_sample.py",
            "inits": ["scratch", "coco"],
        }
    },
}


def write(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.mark.parametrize("name", ["sample", "paper"])
def test_the_shipped_studies_are_read(repository: Path, name: str) -> None:
    study = read_study(repository / "tools" / "study" / f"{name}.yaml")
    assert list(study.inits) == ["scratch", "imagenet_cls", "imagenet_loc", "coco", "openimages"]
    assert {task.kind for task in study.tasks.values()} == {
        "detection", "segmentation", "classification", "linear", "layers"
    }  # fmt: skip
    assert (study.reference, study.contrast, study.figures) == ("imagenet_cls", "openimages", (*range(1, 10), "images"))
    assert study.pair_of(3) == ("imagenet_cls", "imagenet_loc")
    assert {study.pair_of(number) for number in (2, 5, 6, 9)} == {("imagenet_cls", "openimages")}


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    study = read_study(write(tmp_path / "study.yaml", GOOD))
    assert (study.title, study.reference, study.contrast, study.threads) == ("mine", "coco", "own", 1)
    assert (study.launcher, study.gpus, study.mim_arguments) == ("none", 1, ())
    assert study.inits["coco"].pretrained_here and not study.inits["own"].pretrained_here
    assert study.inits["own"].title == "own"


def test_a_config_beside_the_file_wins(tmp_path: Path) -> None:
    (tmp_path / "configs" / "det").mkdir(parents=True)
    own = tmp_path / "configs" / "det" / "sniper_voc_sample.py"
    own.write_text("model = None\n")
    study = read_study(write(tmp_path / "study.yaml", GOOD))
    config, coco = study.tasks["voc_detection"].configs["coco"], study.inits["coco"].config
    assert config == ("configs/det/sniper_voc_sample.py", own.resolve())
    assert coco is not None and coco.path.parts[-3:] == ("configs", "det", "sniper_coco_sample.py")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": []}, "seeds is \\[\\]"),
        ({"seeds": [0, 0]}, "is there twice"),
        ({"seeds": 3}, "seeds is 3: give a list"),
        ({"sead": 1}, "unknown key 'sead'.*seeds"),
        ({"reference": "imagenet"}, "reference is 'imagenet', which is not one of its inits: scratch, coco, own"),
        ({"figures": [1, 12]}, "no figure 12"),
        ({"photos": "no"}, "photos is 'no', expected true or false"),
        ({"tracker": "comet"}, "tracker is 'comet': choose one of tensorboard, wandb, mlflow, or remove it"),
        ({"threads": 0}, "threads is 0"),
        ({"launch": {"launcher": "ssh"}}, "launcher is 'ssh': choose one of none, pytorch, slurm"),
        ({"launch": {"gpu": 2}}, "unknown key 'gpu'"),
        ({"inits": {}}, "inits is {}"),
        ({"inits": {"a b": None}}, "not a plain name"),
        ({"inits": {"scratch": {"checkpoint": "a.pth"}}}, "no weights at all"),
        ({"inits": {"coco": {"title": "COCO"}}}, "neither a config .* nor a checkpoint"),
        ({"inits": {"coco": {"config": "configs/det/sniper_coco_sample.py"}}}, "toolbox None"),
        (
            {"tasks": {"t": {"kind": "linear", "data_config": "configs/cls/caltech256.py", "proposals": {}}}},
            "task t has proposals, which only a detector that the study trains can use",
        ),
        (
            {"inits": {"own": {"checkpoint": "a.pth", "proposals": {"config": "configs/det/rpn_voc.py"}}}},
            "init own has proposals, which only a detector",
        ),
        ({"tasks": {"t": DETECTOR | {"proposals": {}}}}, "task t: proposals lacks the key 'config'"),
        ({"tasks": {"t": DETECTOR | {"proposals": {"config": "a.py", "by": "seed"}}}}, "unknown key 'by'.*per"),
        ({"tasks": {"t": DETECTOR | {"proposals": {"config": "a.py", "per": "run"}}}}, "per is 'run': .*seed, init"),
        ({"tasks": {"proposals": DETECTOR}}, "'proposals' is what the study calls runs of its own"),
        ({"tasks": {"t": {"kind": "pose"}}}, "kind 'pose': choose one of detection, segmentation"),
        ({"tasks": {"t": {"kind": "detection"}}}, "has no config"),
        ({"tasks": {"t": {"kind": "linear", "config": "a.py"}}}, "has no data_config"),
        ({"tasks": {"t": {"config": "a.py"}}}, "lacks the key 'kind'"),
        (
            {"tasks": {"t": {"kind": "linear", "data_config": "configs/cls/caltech256.py", "inits": ["x"]}}},
            "names the init 'x'",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_study(write(tmp_path / "study.yaml", GOOD | change))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file .*`mmdetpre study init`"):
        read_study(tmp_path / "none.yaml")
    tasks = {"t": {"kind": "linear", "data_config": "configs/none.py"}}
    with pytest.raises(FileNotFoundError, match="configs/none.py, which is not there"):
        read_study(write(tmp_path / "study.yaml", GOOD | {"tasks": tasks}))
    tasks = {"t": {"kind": "detection", "config": "configs/det/sniper_voc_from_{init}_none.py", "inits": ["coco"]}}
    with pytest.raises(FileNotFoundError, match="sniper_voc_from_coco_none.py"):
        read_study(write(tmp_path / "study.yaml", GOOD | {"tasks": tasks}))
    tasks = {"t": DETECTOR | {"proposals": {"config": "configs/det/rpn_none.py"}}}
    with pytest.raises(FileNotFoundError, match="configs/det/rpn_none.py, which is not there"):
        read_study(write(tmp_path / "study.yaml", GOOD | {"tasks": tasks}))


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "is not valid YAML"), ("- 1", "holds no settings"), ("", "no settings")]
)
def test_no_yaml(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_study(path)


def inits(*keys: str) -> dict[str, object]:
    return {"inits": {key: {"checkpoint": f"{key}.pth"} for key in keys}}


def test_figures_of_two_starts_show_the_papers_pairs_or_those_that_are_named(tmp_path: Path) -> None:
    def pairs(contrast: object, *keys: str) -> dict[int, tuple[str, str]]:
        task = GOOD["tasks"]["voc_detection"] | {"inits": ["imagenet_cls"]}
        content = GOOD | inits(*keys) | {"tasks": {"voc_detection": task}}
        content |= {"reference": "imagenet_cls"} | ({} if contrast is None else {"contrast": contrast})
        study = read_study(write(tmp_path / "study.yaml", content))
        return {number: study.pair_of(number) for number in (2, 3, 9)}

    all_four = ("imagenet_cls", "imagenet_loc", "coco", "openimages")
    cls, loc, coco, openimages = all_four
    assert pairs(None, *all_four) == {2: (cls, openimages), 3: (cls, loc), 9: (cls, openimages)}
    assert pairs(None, cls, coco) == {2: (cls, coco), 3: (cls, coco), 9: (cls, coco)}
    assert pairs("coco", *all_four) == {2: (cls, coco), 3: (cls, coco), 9: (cls, coco)}
    own = {"default": "coco", 9: "imagenet_loc", 2: ["openimages", "coco"]}
    assert pairs(own, *all_four) == {2: (openimages, coco), 3: (cls, loc), 9: (cls, loc)}


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ({1: "own"}, "1 is not a figure of two inits: those are 2, 3, 5, 6, 9, and 'default'"),
        ({"three": "own"}, "'three' is not a figure of two inits"),
        ({3: ["own"]}, "figure 3 has .'own'.: give an init, or a list of two"),
        ({3: ["own", "own"]}, "figure 3 has .*: give an init, or a list of two"),
        ({3: ["own", "mine"]}, "contrast: figure 3 names 'mine', which is not one of its inits: scratch, coco, own"),
        ({"default": "mine"}, "contrast is 'mine', which is not one of its inits"),
    ],
)
def test_pairs_that_there_are_not(contrast: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_study(write(tmp_path / "study.yaml", GOOD | {"contrast": contrast}))


def test_parts_of_the_labels_are_tasks_of_their_own(tmp_path: Path) -> None:
    task = {"kind": "classification", "config": "configs/cls/caltech256_sample.py", "fractions": [1.0, 0.1, 0.005]}
    study = read_study(write(tmp_path / "s.yaml", GOOD | {"tasks": {"caltech256": task}}))
    assert list(study.tasks) == ["caltech256_0_5pct", "caltech256_10pct", "caltech256"]
    tenth, whole = study.tasks["caltech256_10pct"], study.tasks["caltech256"]
    assert tenth.options == {"label_fraction": 0.1} and whole.options == {}
    assert (tenth.fraction, tenth.whole, tenth.column) == (0.1, "caltech256", "caltech256_10pct")
    assert tenth.title == "caltech256, 10 % of the labels" and tenth.configs == whole.configs


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ([], "give a list of numbers above 0 up to 1"),
        ([0.1, 0], "give a list of numbers above 0 up to 1"),
        ([True], "give a list of numbers above 0 up to 1"),
        ("a tenth", "give a list of numbers above 0 up to 1"),
        ([0.1, 0.1], "a number is there twice"),
    ],
)
def test_other_fractions_are_refused(tmp_path: Path, fractions: object, message: str) -> None:
    task = {"kind": "classification", "config": "configs/cls/caltech256_sample.py", "fractions": fractions}
    with pytest.raises(ValueError, match=message):
        read_study(write(tmp_path / "s.yaml", GOOD | {"tasks": {"caltech256": task}}))


def trained(tmp_path: Path, stages: object, **changes: object) -> dict[str, Task]:
    task = {"kind": "classification", "config": "configs/cls/caltech256_sample.py", "trainable_stages": stages}
    return dict(read_study(write(tmp_path / "s.yaml", GOOD | {"tasks": {"c": task | changes}})).tasks)


def test_what_is_trained_are_tasks_that_share_their_tables(tmp_path: Path) -> None:
    tasks = trained(tmp_path, [0, "all", 2], fractions=[0.1, 1.0])
    assert list(tasks) == ["c_10pct", "c_10pct_last_2_stages", "c_10pct_frozen", "c", "c_last_2_stages", "c_frozen"]
    frozen = tasks["c_10pct_frozen"]
    assert frozen.options == {"label_fraction": 0.1, "trainable_stages": 0} and tasks["c"].options == {}
    assert (frozen.trainable, frozen.rows_of, frozen.whole, frozen.title) == (
        0,
        "c_10pct",
        "c",
        "c, 10 % of the labels",
    )
    assert frozen.inits == ("coco", "own") and tasks["c"].inits == ("scratch", "coco", "own")
    assert (tasks["c"].trainable, tasks["c"].rows_of, tasks["c"].column) == (None, "", frozen.whole)
    alone = trained(tmp_path, 0)
    assert list(alone) == ["c_frozen"] and alone["c_frozen"].rows_of == ""


@pytest.mark.parametrize(
    ("stages", "changes", "message"),
    [
        ([], {}, r"trainable_stages is \[\]: give a list .*: all, or a number of last stages from 0 \(none\) to 4"),
        ([5], {}, r"trainable_stages is \[5\]: give a list"),
        (["head"], {}, r"trainable_stages is \['head'\]: give a list"),
        ([True], {}, r"trainable_stages is \[True\]: give a list"),
        ([0, 0], {}, "one is there twice"),
        ([0], {"inits": ["scratch"]}, "task c is trained from scratch alone, where trainable_stages can only be all"),
        (
            [0],
            {"kind": "linear", "data_config": "configs/cls/caltech256.py"},
            "is of kind linear, whose backbone is fr",
        ),
    ],
)
def test_other_stages_are_refused(tmp_path: Path, stages: object, changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trained(tmp_path, stages, **changes)
