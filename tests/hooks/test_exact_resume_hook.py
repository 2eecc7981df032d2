"""Training that is interrupted in mid-epoch goes on as if it had not been."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import Runner, get_priority

from mmdetpre.datasets import ChipBatchSampler, ChipDataset, ChipMiningSampler
from mmdetpre.hooks import ExactResumeHook

LANES = dict(
    train_dataloader__batch_sampler=dict(type="mmdetpre.ChipBatchSampler", lanes=2, window=3),
    train_dataloader__batch_size=2,
    train_dataloader__dataset__dataset__max_images=7,
    train_cfg=dict(max_epochs=1, val_interval=10),
)


class LossRecorder(Hook):
    """Keeps (iteration, loss) and stops the run by an exception after a given iteration."""

    def __init__(self, stop_after=None):
        self.losses, self.stop_after = {}, stop_after

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses[runner.iter] = float(outputs["loss"].detach())
        if self.stop_after is not None and runner.iter + 1 == self.stop_after:
            raise KeyboardInterrupt


def train(cfg, stop_after=None):
    recorder = LossRecorder(stop_after)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(recorder, "LOWEST")
    try:
        runner.train()
    except KeyboardInterrupt:
        assert stop_after is not None
    return recorder.losses


def shortened(config_of_sample, folder, **options):
    settings = dict(
        experiment_name=f"{folder.parent.name}_{folder.name}",
        train_dataloader__batch_size=4,
        train_dataloader__dataset__dataset__max_images=12,
        train_cfg=dict(max_epochs=2, val_interval=10),
        default_hooks__checkpoint=dict(by_epoch=False, interval=2, max_keep_ckpts=20),
    )
    return config_of_sample(folder, **settings | options)


@pytest.fixture
def short(config_of_sample, tmp_path):
    """Function that gives the config of a short run in a folder of this name."""
    return lambda name, **options: shortened(config_of_sample, tmp_path / name, **options)


@pytest.fixture(scope="module")
def whole(config_of_sample, tmp_path_factory):
    """Losses of a run that was not interrupted, without worker processes."""
    return train(shortened(config_of_sample, tmp_path_factory.mktemp("resume") / "whole"))


@pytest.fixture(scope="module")
def whole_in_lanes(config_of_sample, tmp_path_factory):
    """The same in lanes, with two worker processes."""
    folder = tmp_path_factory.mktemp("resume") / "lanes"
    return train(shortened(config_of_sample, folder, train_dataloader__num_workers=2, **LANES))


@pytest.mark.slow
def test_resume_in_mid_epoch_repeats_the_losses(short, whole):
    assert len(whole) > 12
    middle = 3
    interrupted = train(short("broken"), stop_after=middle)
    assert list(interrupted) == list(range(middle))
    resumed = train(short("broken", resume=True))
    assert min(resumed) == 2, "the run should go on behind the checkpoint of iteration 2"
    assert max(resumed) == max(whole)
    for iteration, loss in resumed.items():
        assert loss == pytest.approx(whole[iteration], abs=1e-5), f"iteration {iteration}"


@pytest.mark.slow
def test_resume_in_the_second_epoch_with_workers(short, whole):
    last = max(whole)
    stop = (last + 1) // 2 + 3
    train(short("broken"), stop_after=stop)
    resumed = train(short("broken", resume=True, train_dataloader__num_workers=1))
    assert min(resumed) >= stop - 2
    for iteration, loss in resumed.items():
        assert loss == pytest.approx(whole[iteration], abs=1e-5), f"iteration {iteration}"


@pytest.mark.slow
def test_losses_are_equal_to_the_bit_for_any_workers_and_in_lanes(short, whole_in_lanes):
    runs = [train(short(f"run_{workers}", train_dataloader__num_workers=workers, **LANES)) for workers in (0, 3)]
    assert len(runs[0]) > 3 and runs[0] == whole_in_lanes == runs[1]
    assert "3 workers do not divide the 2 lanes" in next(Path(short("run_3").work_dir).rglob("*.log")).read_text()


@pytest.mark.slow
def test_resume_in_lanes_with_other_workers_repeats_the_losses(short, whole_in_lanes):
    whole = whole_in_lanes
    middle = 3
    train(short("broken", **LANES), stop_after=middle)
    resumed = train(short("broken", resume=True, train_dataloader__num_workers=2, **LANES))
    assert min(resumed) == 2 and max(resumed) == max(whole)
    assert resumed == {iteration: whole[iteration] for iteration in resumed}


@pytest.fixture
def sampler(sample_config):
    init_default_scope("mmdet")
    cfg = sample_config().train_dataloader.dataset
    return ChipMiningSampler(ChipDataset(cfg.dataset, cfg.chips, cfg.pipeline), seed=3)


def runner_of(sampler, batches=None, workers=0, warnings=None):
    """As much of a runner as the hook looks at."""
    batches = batches or SimpleNamespace(batch_size=4)
    loader = SimpleNamespace(sampler=sampler, batch_sampler=batches, num_workers=workers)
    if isinstance(batches, ChipBatchSampler):
        loader.sampler = object()  # as torch has it beside a batch sampler
    logger = SimpleNamespace(warning=warnings.append if warnings is not None else None)
    return SimpleNamespace(train_dataloader=loader, epoch=0, iter=0, _resume=True, logger=logger)


def position_after(iterations, runner):
    checkpoint = dict(meta=dict(epoch=0, iter=iterations))
    hook = ExactResumeHook()
    hook.before_train_epoch(runner)
    hook.before_save_checkpoint(runner, checkpoint)
    return checkpoint["chip_sampler"]


@pytest.mark.parametrize(("iterations", "beyond"), [(2, False), (1000, True)])
def test_a_checkpoint_counts_no_more_chips_than_the_epoch_has(sampler, iterations, beyond):
    seen = len(sampler.table) if beyond else 4 * iterations
    assert position_after(iterations, runner_of(sampler)) == dict(epoch=0, chips_seen=seen, seed=3)


def test_a_checkpoint_names_how_its_epoch_was_dealt_out(sampler):
    saved = position_after(2, runner_of(sampler, ChipBatchSampler(sampler, 4, lanes=2, window=5)))
    layout = dict(lanes=2, window=5, batch_size=4, ranks=1)
    assert saved == dict(epoch=0, chips_seen=8, seed=3, layout=layout)
    other = ChipMiningSampler(sampler.dataset, seed=4)
    batches = ChipBatchSampler(other, 6, lanes=8)
    runner = runner_of(other, batches)
    ExactResumeHook().after_load_checkpoint(runner, dict(chip_sampler=saved))
    assert (other.seed, other.start, batches.layout._asdict()) == (3, 8, layout)
    assert position_after(1, runner) == saved | dict(chips_seen=14)


def test_a_checkpoint_without_lanes_is_finished_without(sampler):
    saved = position_after(2, runner_of(sampler))
    batches = ChipBatchSampler(sampler, 4)
    ExactResumeHook().after_load_checkpoint(runner_of(sampler, batches), dict(chip_sampler=saved))
    assert batches.layout is None and sampler.start == 8
    assert "layout" not in position_after(1, runner_of(sampler, batches))
    sampler.set_epoch(1)
    assert batches.layout is not None


def test_an_epoch_in_lanes_begins_anew_where_the_config_has_none(sampler, monkeypatch):
    saved = position_after(2, runner_of(sampler, ChipBatchSampler(sampler, 4)))
    said = []
    monkeypatch.setattr("mmdetpre.hooks.exact_resume_hook.print_log", lambda text, **_: said.append(text))
    ExactResumeHook().after_load_checkpoint(runner_of(sampler), dict(chip_sampler=saved))
    assert sampler.start == 0 and "starts over" in said[0]


@pytest.mark.parametrize(("workers", "count"), [(0, 0), (1, 0), (2, 0), (4, 0), (3, 1), (8, 1)])
def test_workers_that_do_not_divide_the_lanes_are_named_once(sampler, workers, count):
    said = []
    ExactResumeHook().before_train(runner_of(sampler, ChipBatchSampler(sampler, 4, lanes=4), workers, said))
    assert len(said) == count and all(f"{workers} workers do not divide the 4 lanes" in text for text in said)
    ExactResumeHook().before_train(runner_of(sampler, None, 3, said))
    assert len(said) == count


def test_random_numbers_of_an_iteration_depend_on_seed_iteration_and_rank_alone(monkeypatch):
    def numbers(seed, iteration, rank):
        monkeypatch.setattr("mmdetpre.hooks.exact_resume_hook.get_rank", lambda: rank)
        torch.rand(3)  # what came before does not count
        HOOKS.build(dict(type="mmdetpre.ExactResumeHook")).before_train_iter(
            SimpleNamespace(seed=seed, iter=iteration), 0
        )
        return tuple(torch.rand(4).tolist())

    cases = [(seed, iteration, rank) for seed in (0, 1) for iteration in (0, 7) for rank in (0, 1)]
    first = [numbers(*case) for case in cases]
    assert first == [numbers(*case) for case in cases] and len(set(first)) == len(cases)


def test_configs_build_it_before_other_hooks():
    hook = HOOKS.build(dict(type="mmdetpre.ExactResumeHook"))
    assert type(hook).__name__ == "ExactResumeHook" and get_priority(hook.priority) < get_priority("NORMAL")
