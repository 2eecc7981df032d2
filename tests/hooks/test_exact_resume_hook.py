"""Training that is interrupted in mid-epoch goes on as if it had not been."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import Runner, get_priority

from mmdetpre.datasets import ChipDataset, ChipMiningSampler


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


@pytest.fixture
def short(sample_config, tmp_path):
    def make(name, **options):
        return sample_config(
            work_dir=str(tmp_path / name),
            experiment_name=f"{tmp_path.name}_{name}",
            train_dataloader__batch_size=4,
            train_dataloader__dataset__dataset__max_images=12,
            train_cfg=dict(max_epochs=2, val_interval=10),
            default_hooks__checkpoint=dict(by_epoch=False, interval=2, max_keep_ckpts=20),
            **options,
        )

    return make


@pytest.mark.slow
def test_resume_in_mid_epoch_repeats_the_losses(short):
    whole = train(short("whole"))
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
def test_resume_in_the_second_epoch_with_workers(short):
    whole = train(short("whole", train_dataloader__num_workers=1))
    last = max(whole)
    stop = (last + 1) // 2 + 3
    train(short("broken"), stop_after=stop)
    resumed = train(short("broken", resume=True, train_dataloader__num_workers=1))
    assert min(resumed) >= stop - 2
    for iteration, loss in resumed.items():
        assert loss == pytest.approx(whole[iteration], abs=1e-5), f"iteration {iteration}"


@pytest.mark.parametrize(("iterations", "beyond"), [(2, False), (1000, True)])
def test_a_checkpoint_counts_no_more_chips_than_the_epoch_has(sample_config, iterations, beyond):
    init_default_scope("mmdet")
    cfg = sample_config().train_dataloader.dataset
    sampler = ChipMiningSampler(ChipDataset(cfg.dataset, cfg.chips, cfg.pipeline), seed=3)
    loader = SimpleNamespace(sampler=sampler, batch_sampler=SimpleNamespace(batch_size=4))
    runner = SimpleNamespace(train_dataloader=loader, epoch=0, iter=0)
    checkpoint = dict(meta=dict(epoch=0, iter=iterations))
    hook = HOOKS.get("mmdetpre.ExactResumeHook")()
    hook.before_train_epoch(runner)
    hook.before_save_checkpoint(runner, checkpoint)
    seen = len(sampler.table) if beyond else 4 * iterations
    assert checkpoint["chip_sampler"] == dict(epoch=0, chips_seen=seen, seed=3)


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
