"""LoadBackboneHook and ExportBackboneHook in runs of all three toolboxes."""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmdet.structures import DetDataSample
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from torch.utils.data import DataLoader, Dataset

import mmdetpre  # noqa: F401
from mmdetpre.transfer import BackboneNotLoaded, read_checkpoint, write_backbone
from mmdetpre.transfer.toolboxes import build_in_toolbox

BACKBONE = dict(depth=18, base_channels=4, stem_channels=4, norm_eval=False, zero_init_residual=False)
MEAN_STD = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def model_of(toolbox: str) -> tuple[dict, dict]:
    """Model and other entries of the smallest config of a toolbox."""
    if toolbox == "mmdet":
        head = dict(
            type="FCOSHead",
            num_classes=2,
            in_channels=8,
            feat_channels=8,
            stacked_convs=1,
            strides=[8],
            regress_ranges=((-1, 1e8),),
            norm_cfg=None,
        )
        model = dict(
            type="FCOS",
            data_preprocessor=dict(type="DetDataPreprocessor", bgr_to_rgb=True, **MEAN_STD),
            backbone=dict(type="ResNet", out_indices=(1,), frozen_stages=1, **BACKBONE),
            neck=dict(type="ChannelMapper", in_channels=[8], out_channels=8),
            bbox_head=head,
        )
        return model, dict(default_scope="mmdet")
    if toolbox == "mmseg":
        model = dict(
            type="EncoderDecoder",
            data_preprocessor=dict(type="SegDataPreProcessor", bgr_to_rgb=True, size=(32, 32), **MEAN_STD),
            backbone=dict(type="ResNet", **BACKBONE),
            decode_head=dict(type="FCNHead", in_channels=32, in_index=3, channels=4, num_convs=1, num_classes=2),
        )
        return model, dict(default_scope="mmseg")
    model = dict(
        type="ImageClassifier",
        backbone=dict(type="ResNet", **BACKBONE),
        neck=dict(type="GlobalAveragePooling"),
        head=dict(type="LinearClsHead", num_classes=2, in_channels=32),
    )
    return model, dict(default_scope="mmpretrain", data_preprocessor=dict(to_rgb=True, num_classes=2, **MEAN_STD))


class Pictures(Dataset):
    """Four pictures of noise, with the annotation a toolbox wants."""

    metainfo = dict(classes=("a", "b"))

    def __init__(self, toolbox: str) -> None:
        self.toolbox = toolbox

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict:
        inputs = torch.randint(0, 255, (3, 32, 32), dtype=torch.uint8)
        if self.toolbox == "mmdet":
            sample = DetDataSample(metainfo=dict(img_shape=(32, 32), batch_input_shape=(32, 32)))
            boxes = dict(bboxes=torch.tensor([[2.0, 2.0, 30.0, 30.0]]), labels=torch.tensor([1]))
            sample.gt_instances, sample.ignored_instances = (
                InstanceData(**boxes),
                InstanceData(bboxes=torch.zeros(0, 4)),
            )
        elif self.toolbox == "mmseg":
            sample = SegDataSample(metainfo=dict(img_shape=(32, 32)))
            sample.gt_sem_seg = PixelData(data=torch.ones(1, 32, 32, dtype=torch.long))
        else:
            sample = DataSample().set_gt_label(1)
        return dict(inputs=inputs, data_samples=sample)


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Runner]:
    """Function that trains two iterations of a toolbox's smallest model with hooks."""

    number = itertools.count()

    def train(toolbox: str, hooks: list, name: str = "run", change: Callable = lambda cfg: None, **options) -> Runner:
        model, rest = model_of(toolbox)
        loader = DataLoader(Pictures(toolbox), batch_size=2, collate_fn=pseudo_collate)
        cfg = (
            dict(
                model=model,
                work_dir=str(tmp_path / name),
                train_dataloader=loader,
                train_cfg=dict(by_epoch=True, max_epochs=1),
                optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.01)),
                default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1)),
                custom_hooks=hooks,
                # mmengine takes two runs of one name within a second for one.
                experiment_name=f"{tmp_path.name}_{name}_{toolbox}_{next(number)}",
                **rest,
            )
            | options
        )
        change(cfg)
        given = {key: value for key, value in cfg.items() if key not in ("data_preprocessor", *KEYS)}
        runner = Runner(**given, cfg=_plain(cfg))
        if "data_preprocessor" in rest:
            assert runner.cfg.data_preprocessor
        runner.train()
        return runner

    return train


def _plain(cfg: dict) -> dict:
    objects = ("train_dataloader", "val_dataloader", "val_evaluator", "custom_hooks")
    return {key: value for key, value in cfg.items() if key not in objects}


@pytest.fixture
def backbone_file(tmp_path: Path) -> Path:
    backbone = build_in_toolbox("mmdet", dict(type="ResNet", init_cfg=None, **BACKBONE))
    generator = torch.Generator().manual_seed(0)
    for name, tensor in backbone.state_dict().items():
        if "num_batches" not in name:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.2)
    path = tmp_path / "given.pth"
    write_backbone(path, backbone.state_dict())
    return path


def load(path: Path, **options) -> dict:
    return dict(type="mmdetpre.LoadBackboneHook", checkpoint=str(path), **options)


def reports(work_dir: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(work_dir.glob("backbone_load_*.json"))]


class AtFirstIteration(Hook):
    """Keeps the first convolution as it is right before the first iteration."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if batch_idx == 0:
            self.weight = runner.model.backbone.conv1.weight.detach().clone()


def test_one_file_goes_through_the_three_toolboxes(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    """Each toolbox loads what the one before exported, with hooks only."""
    path = backbone_file
    for toolbox in ("mmdet", "mmseg", "mmpretrain"):
        first = AtFirstIteration()
        export = dict(type="mmdetpre.ExportBackboneHook", source_dataset=f"noise of {toolbox}")
        run(toolbox, [load(path), export, first], name=toolbox)
        work_dir = tmp_path / toolbox
        (report,) = reports(work_dir)
        checkpoint = read_checkpoint(path)
        assert report["verdict"] == "complete" and report["loaded"]
        assert report["digest"] == checkpoint.backbone_metadata["digest"]
        assert torch.equal(first.weight, checkpoint.tensors["conv1.weight"])
        path = work_dir / "backbone_final.pth"
        told = read_checkpoint(path).backbone_metadata
        assert told["toolbox"] == toolbox and told["source_dataset"] == f"noise of {toolbox}"
        assert (told["epoch"], told["iter"]) == (1, 2)
        assert told["preprocessing"] == dict(MEAN_STD, channel_order="rgb", style="pytorch")
        assert told["digest"] != report["digest"], "training should have changed the weights"


def test_a_bad_file_stops_the_run_with_a_report(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    kept = {k: v for k, v in read_checkpoint(backbone_file).tensors.items() if "running_" not in k}
    torch.save(kept, tmp_path / "bad.pth")
    with pytest.raises(BackboneNotLoaded, match="running_mean"):
        run("mmpretrain", [load(tmp_path / "bad.pth")])
    (report,) = reports(tmp_path / "run")
    assert report["verdict"] == "incomplete" and not report["loaded"]
    run("mmpretrain", [load(tmp_path / "bad.pth", policy="warn")], name="warned")
    (report,) = reports(tmp_path / "warned")
    assert report["verdict"] == "incomplete" and report["loaded"]


def test_other_preprocessing_stops_the_run(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    def caffe(cfg: dict) -> None:
        cfg["model"]["data_preprocessor"]["bgr_to_rgb"] = False

    path = tmp_path / "rgb.pth"
    torch.save(torch.load(backbone_file) | {"meta": {"cfg": f"model = {model_of('mmdet')[0]!r}"}}, path)
    with pytest.raises(BackboneNotLoaded, match="channel order: file rgb, model bgr"):
        run("mmdet", [load(path)], change=caffe)
    run("mmdet", [load(path, check_preprocessing=False)], change=caffe, name="told")


class Overwriter(Hook):
    """Writes to the backbone after it was loaded."""

    priority = "LOWEST"

    def before_train(self, runner) -> None:
        runner.model.backbone.layer4[1].bn2.running_mean[1] += 1e-3


def test_what_overwrites_the_backbone_is_noticed(run: Callable, backbone_file: Path, caplog) -> None:
    with pytest.raises(RuntimeError, match="was overwritten between loading and the first iteration"):
        run("mmpretrain", [load(backbone_file), Overwriter()])


def test_load_from_and_the_hook_contradict_each_other(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    run("mmpretrain", [], name="before")
    checkpoint = str(tmp_path / "before" / "epoch_1.pth")
    with pytest.raises(RuntimeError, match="Remove one of the two"):
        run("mmpretrain", [load(backbone_file)], load_from=checkpoint)


class Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage() + "\n"


class Listen(Hook):
    """Keeps what the runner logs."""

    priority = "VERY_HIGH"

    def before_run(self, runner) -> None:
        self.messages = Messages()
        runner.logger.addHandler(self.messages)


def test_a_resumed_run_keeps_its_own_weights(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    run("mmpretrain", [load(backbone_file)])
    trained = read_checkpoint(tmp_path / "run" / "epoch_1.pth").tensors["backbone.conv1.weight"]
    first, listen = AtFirstIteration(), Listen()
    more = dict(train_cfg=dict(by_epoch=True, max_epochs=2), resume=True)
    run("mmpretrain", [load(backbone_file), first, listen], **more)
    assert torch.equal(first.weight, trained)
    assert "the run resumes" in listen.messages.text
    assert len(reports(tmp_path / "run")) == 1


def test_resume_without_a_checkpoint_loads(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    run("mmpretrain", [load(backbone_file)], resume=True)
    assert reports(tmp_path / "run")[0]["loaded"]


KEYS = ("backbone_init", "backbone_inits", "backbone_start")
LOAD = dict(type="mmdetpre.LoadBackboneHook")


def test_the_config_names_the_start(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    start = dict(checkpoint=str(backbone_file))
    for toolbox in ("mmdet", "mmseg", "mmpretrain"):
        first = AtFirstIteration()
        run(toolbox, [LOAD, first], name=toolbox, backbone_init=start)
        (report,) = reports(tmp_path / toolbox)
        assert report["verdict"] == "complete" and report["source"] == str(backbone_file)
        assert torch.equal(first.weight, read_checkpoint(backbone_file).tensors["conv1.weight"])
    listen = Listen()
    more = dict(train_cfg=dict(by_epoch=True, max_epochs=2), resume=True, backbone_init=start)
    run("mmdet", [LOAD, listen], name="mmdet", **more)
    assert "the run resumes" in listen.messages.text and len(reports(tmp_path / "mmdet")) == 1
    with pytest.raises(ValueError, match="remove one of the two"):
        run("mmdet", [load(backbone_file)], name="both", backbone_init=dict(checkpoint="other.pth"))
    with pytest.raises(ValueError, match="backbone_init has file"):
        run("mmdet", [LOAD], name="typo", backbone_init=dict(file=str(backbone_file)))
    with pytest.raises(BackboneNotLoaded, match="is not there"):
        run("mmdet", [LOAD], name="none", backbone_init=dict(checkpoint=str(tmp_path / "none.pth")))


def test_a_name_chooses_and_a_run_from_other_weights_is_not_gone_over(
    run: Callable, backbone_file: Path, tmp_path: Path
) -> None:
    table = dict(scratch=dict(checkpoint=None), mine=dict(checkpoint=str(backbone_file)), frozen="take frozen.py")
    run("mmdet", [LOAD], backbone_inits=table, backbone_init="mine")
    (report,) = reports(tmp_path / "run")
    assert report["init"] == "mine" and report["source"] == str(backbone_file)
    other = shutil.copy(backbone_file, tmp_path / "other.pth")
    with pytest.raises(RuntimeError, match="came from .*: give --work-dir a folder of its own"):
        run("mmdet", [LOAD], backbone_init=dict(checkpoint=str(other)))
    table["coco"] = dict(checkpoint="work_dirs/sniper_coco/backbone_final.pth")
    with pytest.raises(FileNotFoundError, match="the training of the config sniper_coco leaves it. Run that first"):
        run("mmdet", [LOAD], name="coco", backbone_inits=table, backbone_init="coco")
    for name, message in (("theirs", "choose one of scratch, mine, coco, or a file"), ("frozen", "take frozen.py")):
        with pytest.raises(ValueError, match=message):
            run("mmdet", [LOAD], name=name, backbone_inits=table, backbone_init=dict(name=name))


def test_the_old_key_is_still_read(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    listen = Listen()
    run("mmdet", [LOAD, listen], backbone_start=dict(checkpoint=str(backbone_file)))
    assert reports(tmp_path / "run")[0]["loaded"]
    assert "key backbone_start is now backbone_init: rename it" in listen.messages.text


@pytest.mark.parametrize(
    "how", ["no start", "no checkpoint", "init_cfg", "whole model's init_cfg", "load_from", "no backbone"]
)
def test_without_a_start_the_hook_only_tells(run: Callable, backbone_file: Path, tmp_path: Path, how: str) -> None:
    def change(cfg: dict) -> None:
        init_cfg = dict(type="Pretrained", checkpoint=str(backbone_file))
        if how == "init_cfg":
            cfg["model"]["backbone"]["init_cfg"] = init_cfg
        elif how == "whole model's init_cfg":
            cfg["model"]["init_cfg"] = init_cfg

    listen, options, hook = Listen(), {}, LOAD
    if how == "no checkpoint":
        options = dict(backbone_init=dict(checkpoint=None))
    elif how == "load_from":
        run("mmdet", [], name="before")
        options = dict(load_from=str(tmp_path / "before" / "epoch_1.pth"))
    elif how == "no backbone":
        hook = dict(LOAD, backbone="student")
    run("mmdet", [hook, listen], change=change, **options)
    assert reports(tmp_path / "run") == []
    text = listen.messages.text
    tells = {
        "init_cfg": "initialization: the backbone's init_cfg.",
        "whole model's init_cfg": "initialization: the model's init_cfg.",
        "no backbone": "has no part 'student'",
        "load_from": "epoch_1.pth.",
    }
    assert tells.get(how, "backbone_init has no checkpoint; initialization: from scratch.") in text
    # The stem and first stage of this detector are frozen.
    assert ("stem, layer1 will stay as initialized: frozen random weights" in text) is (
        how in ("no start", "no checkpoint")
    )
    assert text.count("Training of the backbone:") == (how != "no backbone")


def test_freezing_is_logged(run: Callable, backbone_file: Path) -> None:
    listen = Listen()
    run("mmdet", [load(backbone_file), listen])
    lines = [line.split() for line in listen.messages.text.splitlines()]
    states = {line[0]: " ".join(line[1:]) for line in lines if line and line[0] in ("stem", "layer1", "layer2")}
    assert states["layer1"].startswith("frozen") and states["layer1"].endswith("statistics frozen")
    assert states["layer2"].startswith("trained") and states["layer2"].endswith("statistics updated")


def test_export_of_best_and_averaged_weights(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    class Best(Hook):
        """As CheckpointHook(save_best=...) leaves it."""

        def before_train(self, runner) -> None:
            runner.message_hub.update_info("best_ckpt", str(tmp_path / "run" / "epoch_1.pth"))

    ema = dict(type="EMAHook", momentum=0.5)
    run("mmpretrain", [load(backbone_file), ema, Best(), dict(type="mmdetpre.ExportBackboneHook")])
    saved = read_checkpoint(tmp_path / "run" / "epoch_1.pth")
    assert saved.averaged
    final = read_checkpoint(tmp_path / "run" / "backbone_final.pth")
    best = read_checkpoint(tmp_path / "run" / "backbone_best.pth")
    assert final.backbone_metadata["weights"] == best.backbone_metadata["weights"] == "averaged by EMAHook"
    assert final.backbone_metadata["digest"] == best.backbone_metadata["digest"]
    assert torch.equal(final.tensors["conv1.weight"], saved.tensors["backbone.conv1.weight"])
    assert "Pictures" not in str(best.backbone_metadata.get("config"))


class Falling(BaseMetric):
    """Two metrics: one is best after the first epoch, the other after the second."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict:
        self.epoch += 1
        return {"falling": 1 / self.epoch, "rising": self.epoch}


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("metrics", [["falling"], ["falling", "rising"]])
def test_the_best_checkpoint_of_a_run_is_exported(
    run: Callable, backbone_file: Path, tmp_path: Path, metrics: list, averaged: bool
) -> None:
    keep = dict(
        type="CheckpointHook", interval=1, save_best=metrics if len(metrics) > 1 else metrics[0], rule="greater"
    )
    more = dict(
        default_hooks=dict(checkpoint=keep),
        train_cfg=dict(by_epoch=True, max_epochs=2, val_interval=1),
        val_cfg=dict(),
        val_dataloader=DataLoader(Pictures("mmpretrain"), batch_size=2, collate_fn=pseudo_collate),
        val_evaluator=[Falling()],
    )
    hooks = [load(backbone_file), dict(type="mmdetpre.ExportBackboneHook")]
    run("mmpretrain", [*hooks, dict(type="EMAHook", momentum=0.5)] if averaged else hooks, **more)
    folder = tmp_path / "run"
    final = read_checkpoint(folder / "backbone_final.pth")
    endings = {"falling": ("", "_falling")[len(metrics) > 1], "rising": "_rising"}
    found = {path.name for path in folder.glob("backbone_best*")}
    assert found == {f"backbone_best{endings[name]}.pth" for name in metrics}
    for name in metrics:
        best = read_checkpoint(folder / f"backbone_best{endings[name]}.pth")
        kept = read_checkpoint(folder / f"best_{name}_epoch_{1 if name == 'falling' else 2}.pth")
        assert Path(best.backbone_metadata["checkpoint"]).name == Path(kept.source).name
        assert all(torch.equal(tensor, kept.tensors[f"backbone.{key}"]) for key, tensor in best.tensors.items())
        assert best.backbone_metadata["epoch"] == (1 if name == "falling" else 2)
        same = best.backbone_metadata["digest"] == final.backbone_metadata["digest"]
        assert same is (name == "rising"), "the last epoch is the best of the rising metric only"
        assert best.backbone_metadata["preprocessing"] == final.backbone_metadata["preprocessing"]
        assert best.backbone_metadata.get("weights") == ("averaged by EMAHook" if averaged else None)
    # Files of any metric are found before the next training, not after it.
    (folder / "backbone_final.pth").unlink()
    with pytest.raises(FileExistsError, match="backbone_best"):
        run("mmpretrain", hooks, **more)


@pytest.mark.parametrize("obstacle", ["existing", "unwritable", "ending"])
def test_export_finds_obstacles_before_training(run: Callable, tmp_path: Path, obstacle: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "backbone_best.pth").write_text("mine")
    options, error = {
        "existing": ({}, FileExistsError),
        "unwritable": ({"name": str(tmp_path / "file" / "backbone")}, NotADirectoryError),
        "ending": ({"file_format": "onnx"}, ValueError),
    }[obstacle]
    with pytest.raises(error):
        run("mmpretrain", [dict(type="mmdetpre.ExportBackboneHook", **options)])
    assert not (tmp_path / "run" / "epoch_1.pth").exists(), "found before training, not after it"
    assert (tmp_path / "run" / "backbone_best.pth").read_text() == "mine"
    if obstacle == "existing":
        run("mmpretrain", [dict(type="mmdetpre.ExportBackboneHook", overwrite=True)])
        assert read_checkpoint(tmp_path / "run" / "backbone_final.pth").backbone_metadata


@pytest.mark.parametrize("obstacle", ["unwritable", "ending", "no backbone", "disk"])
def test_export_that_only_warns_never_stops_a_run(
    run: Callable, tmp_path: Path, obstacle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    options, said = {
        "unwritable": ({"name": str(tmp_path / "file" / "backbone")}, "is a file, not a folder"),
        "ending": ({"file_format": "onnx"}, "ends in '.onnx'"),
        "no backbone": ({"backbone": "student.backbone"}, "it has backbone"),
        "disk": ({}, "No space left"),
    }[obstacle]
    if obstacle == "disk":

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("mmdetpre.hooks.export_backbone_hook.write_backbone", full)
    listen = Listen()
    run("mmpretrain", [dict(type="mmdetpre.ExportBackboneHook", policy="warn", **options), listen])
    assert said in listen.messages.text and "no backbone is exported" in listen.messages.text
    assert (tmp_path / "run" / "epoch_1.pth").exists() and (tmp_path / "file").read_text() == "mine"
    assert not list((tmp_path / "run").glob("backbone_*"))
    with pytest.raises(ValueError, match="'error', 'warn'"):
        HOOKS.build(dict(type="mmdetpre.ExportBackboneHook", policy="quiet"))


def test_export_over_an_earlier_run_is_told_before_training(run: Callable, tmp_path: Path) -> None:
    hook = dict(type="mmdetpre.ExportBackboneHook", overwrite=True)
    run("mmdet", [hook], randomness=dict(seed=0))
    before = read_checkpoint(tmp_path / "run" / "backbone_final.pth").backbone_metadata["digest"]
    listen = Listen()
    run("mmdet", [hook, listen], randomness=dict(seed=1))
    text = listen.messages.text
    assert "backbone_final.pth stands from before" in text and "backbone_best.pth stands" not in text
    assert text.index("stands from before") < text.index("Backbone after training")
    assert read_checkpoint(tmp_path / "run" / "backbone_final.pth").backbone_metadata["digest"] != before


def test_export_never_replaces_what_the_run_starts_from(run: Callable, backbone_file: Path, tmp_path: Path) -> None:
    start = tmp_path / "run" / "backbone_final.pth"
    start.parent.mkdir()
    start.write_bytes(backbone_file.read_bytes())
    for policy in ("error", "warn"):
        hooks = [load(start), dict(type="mmdetpre.ExportBackboneHook", overwrite=True, policy=policy), Listen()]
        if policy == "error":
            with pytest.raises(ValueError, match="is what this run is initialized from"):
                run("mmdet", hooks)
        else:
            run("mmdet", hooks)
            assert "no backbone is exported" in hooks[-1].messages.text
        assert start.read_bytes() == backbone_file.read_bytes()


def test_a_model_without_a_backbone_lists_its_parts(run: Callable, backbone_file: Path) -> None:
    with pytest.raises(ValueError, match="it has backbone. Say which"):
        run("mmpretrain", [load(backbone_file, backbone="student.backbone")])


def _rank(rank: int, address: str, paths: list[str], work_dir: str, queue) -> None:
    """One of two processes: loads into a wrapped model as the Runner would have it."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    model = torch.nn.Module()
    model.backbone = build_in_toolbox("mmdet", dict(type="ResNet", init_cfg=None, **BACKBONE))
    wrapped = MMDistributedDataParallel(model)
    logger = logging.getLogger(f"rank {rank}")
    runner = SimpleNamespace(model=wrapped, cfg={}, work_dir=work_dir, timestamp="now", logger=logger, _resume=False)
    hook = HOOKS.build(load(paths[rank]))
    try:
        hook.before_train(runner)
        hook.before_train_iter(runner, 0)
        queue.put((rank, hook.report.digest, ""))
    except RuntimeError as error:
        queue.put((rank, "", str(error)))
    dist.barrier()
    dist.destroy_process_group()


def run_ranks(address: str, paths: list[str], work_dir: Path) -> dict[int, tuple[str, str]]:
    work_dir.mkdir()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    ranks = [context.Process(target=_rank, args=(r, address, paths, str(work_dir), queue)) for r in (0, 1)]
    for process in ranks:
        process.start()
    results = [queue.get(timeout=120) for _ in ranks]
    for process in ranks:
        process.join(timeout=60)
    return {rank: rest for rank, *rest in results}


def test_every_rank_loads_and_one_reports(backbone_file: Path, tmp_path: Path) -> None:
    found = run_ranks(f"file://{tmp_path}/store", [str(backbone_file)] * 2, tmp_path / "run")
    digest = read_checkpoint(backbone_file).backbone_metadata["digest"]
    assert found == {0: [digest, ""], 1: [digest, ""]}
    assert len(reports(tmp_path / "run")) == 1


def test_ranks_with_different_files_stop(backbone_file: Path, tmp_path: Path) -> None:
    tensors = read_checkpoint(backbone_file).tensors
    write_backbone(tmp_path / "other.pth", tensors | {"conv1.weight": tensors["conv1.weight"] * 2})
    paths = [str(backbone_file), str(tmp_path / "other.pth")]
    found = run_ranks(f"file://{tmp_path}/store", paths, tmp_path / "run")
    assert all("2 different backbones" in message for _, message in found.values())


@pytest.mark.parametrize("toolbox", ["mmdet", "mmseg", "mmpretrain"])
def test_registered_in_every_toolbox(toolbox: str, backbone_file: Path) -> None:
    from importlib import import_module

    hooks = import_module(f"{toolbox}.registry").HOOKS
    for kind in ("LoadBackboneHook", "ExportBackboneHook"):
        assert hooks.get(f"mmdetpre.{kind}").__name__ == kind
    with pytest.raises(ValueError, match="'error', 'warn'"):
        hooks.build(load(backbone_file, policy="strict"))
