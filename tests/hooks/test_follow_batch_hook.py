"""Learning rate and weight decay follow the total batch by one rule, at the start and when a run is resumed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmdetpre.hooks import follow_batch_hook
from mmdetpre.hooks.follow_batch_hook import FollowBatchHook

RULE = dict(enable=True, base_batch_size=128, scale_weight_decay=True)


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs: torch.Tensor, mode: str = "tensor") -> Any:
        return {"loss": (self.layer(inputs.float()[:, None]) - 1).square().mean()}


class Numbers(Dataset):
    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> dict:
        return {"inputs": torch.tensor(index / 64)}


class Rates(Hook):
    """(learning rate, decay of the weight, decay of the bias) of each step."""

    priority = "LOWEST"

    def __init__(self, stop_after: int | None = None) -> None:
        self.seen: list[tuple[float, float, float]] = []
        self.stop_after = stop_after

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        weight, bias = runner.optim_wrapper.optimizer.param_groups
        self.seen.append((weight["lr"], weight["weight_decay"], bias["weight_decay"]))

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if self.stop_after == runner.iter + 1:
            raise KeyboardInterrupt


WARM_UP = dict(type="LinearLR", start_factor=0.5, by_epoch=False, begin=0, end=4)
ITERATIONS = dict(by_epoch=False, max_iters=6, val_interval=100)


def run(
    folder: Path,
    batch: int,
    *,
    rule: dict | None = None,
    stop_after: int | None = None,
    resume: bool = False,
    scheduler: dict = WARM_UP,
    length: dict = ITERATIONS,
    **hook: Any,
):
    schedule = Config.fromfile(Path(__file__).resolve().parents[2] / "configs/_base_/schedules/sniper_14e.py")
    loader = dict(dataset=Numbers(), batch_size=batch, sampler=dict(type="DefaultSampler", shuffle=False))
    loader["collate_fn"] = dict(type="default_collate")
    rates = Rates(stop_after)
    runner = Runner(
        model=Line(),
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg=length,
        optim_wrapper=schedule.optim_wrapper,
        param_scheduler=[scheduler],
        auto_scale_lr=schedule.auto_scale_lr if rule is None else rule,
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=1)),
        custom_hooks=[FollowBatchHook(**hook), rates],
        default_scope="mmengine",
        resume=resume,
        experiment_name=f"{folder.name}_{batch}_{resume}",
    )
    with suppress(KeyboardInterrupt):
        runner.train()
    return rates.seen


def test_the_invariant_of_the_original_holds_at_every_batch(tmp_path: Path) -> None:
    for batch, (rate, decay) in {16: (0.015, 1e-4), 8: (0.0075, 2e-4), 64: (0.06, 2.5e-5)}.items():
        *_, last = run(tmp_path / str(batch), batch)
        assert last == pytest.approx((rate, decay, 0.0)) and last[0] * last[1] == pytest.approx(1.5e-6)


def test_a_run_resumed_with_another_batch_goes_on_with_its_rates(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 16)
    assert whole[-1] == pytest.approx((0.015, 1e-4, 0)) and whole[0][0] == pytest.approx(0.0075)
    run(tmp_path / "moved", 32, stop_after=2)
    moved = run(tmp_path / "moved", 16, resume=True)  # in the warm-up: 2 of 4 steps are done
    assert moved == [pytest.approx(values) for values in whole[2:]]
    run(tmp_path / "same", 16, stop_after=2)
    assert run(tmp_path / "same", 16, resume=True) == whole[2:]


def test_elsewhere_weight_decay_stays_and_nothing_is_done_unasked(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(follow_batch_hook, "_scale", lambda *values: pytest.fail(f"scaled {values}"))
    *_, last = run(tmp_path / "usual", 16, rule=dict(enable=True, base_batch_size=128))
    assert last == pytest.approx((0.015, 1.25e-5, 0))
    *_, last = run(tmp_path / "off", 16, rule=dict(enable=False, base_batch_size=128))
    assert last == pytest.approx((0.12, 1.25e-5, 0))
    run(tmp_path / "off", 16, rule=dict(enable=False, base_batch_size=128), stop_after=1)
    *_, last = run(tmp_path / "off", 8, rule=dict(enable=False, base_batch_size=128), resume=True, keep_rates=True)
    assert last == pytest.approx((0.12, 1.25e-5, 0))
    with pytest.raises(ValueError, match="set auto_scale_lr.enable=True, or scale_weight_decay=False"):
        run(tmp_path / "half", 16, rule=RULE | dict(enable=False))


def test_without_the_rule_a_run_goes_on_with_its_own_batch_alone(tmp_path: Path) -> None:
    off = dict(rule=dict(enable=False, base_batch_size=128))
    whole = run(tmp_path / "whole", 16, **off)
    run(tmp_path / "moved", 16, stop_after=2, **off)
    with pytest.raises(ValueError, match=r"batch of 16, this one has 8.*Resume with 16 .*enable=True.*=16, or keep"):
        run(tmp_path / "moved", 8, resume=True, **off)
    assert run(tmp_path / "moved", 16, resume=True, **off) == whole[2:], "nothing was lost by the refusal"


def test_a_schedule_of_epochs_in_steps_counts_those_of_the_new_batch(tmp_path: Path) -> None:
    schedule = dict(type="CosineAnnealingLR", by_epoch=True, begin=0, end=3, eta_min=0, convert_to_iter_based=True)
    given = dict(scheduler=schedule, length=dict(by_epoch=True, max_epochs=3, val_interval=100))
    whole = run(tmp_path / "whole", 16, **given)  # 4 steps an epoch
    run(tmp_path / "moved", 32, stop_after=3, **given)  # of 2; mmengine begins the second epoch again
    moved = run(tmp_path / "moved", 16, resume=True, **given)
    assert len(whole) == 12 and moved[:6] == [pytest.approx(values) for values in whole[6:]]


def test_a_checkpoint_that_does_not_tell_its_batch(tmp_path: Path) -> None:
    run(tmp_path, 32, stop_after=2)
    path = tmp_path / "iter_2.pth"
    checkpoint = torch.load(path, weights_only=False)
    del checkpoint[FollowBatchHook.KEY]
    torch.save(checkpoint, path)
    found = run(tmp_path, 16, resume=True)
    assert found[-1][:2] == pytest.approx((0.03, 5e-5))  # those of 32, as before
    logs = "".join(log.read_text() for log in tmp_path.glob("*/*.log"))
    assert "does not tell its total batch" in logs


def test_every_schedule_with_the_rule_is_of_sniper(repository: Path) -> None:
    told = {}
    for path in sorted((repository / "configs/_base_/schedules").glob("*.py")):
        rule = Config.fromfile(path).get("auto_scale_lr") or {}
        told[path.stem] = bool(rule.get("scale_weight_decay"))
    assert {name for name, scaled in told.items() if scaled} == {"rpn_4e", "sniper_14e", "sniper_14e_voc"}
    for folder in ("det", "seg", "cls"):
        for path in sorted((repository / "configs" / folder).glob("*.py"))[::7]:
            hooks = Config.fromfile(path, import_custom_modules=False).default_hooks.values()
            assert "mmdetpre.FollowBatchHook" in [hook.type for hook in hooks], path
