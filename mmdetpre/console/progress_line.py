"""Lines that tell how far a run is, as text."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real


def duration(seconds: float) -> str:
    """Seconds in words that fit their size.

    Example:
        >>> duration(7.3), duration(95), duration(3725), duration(200_000)
        ('7 s', '1:35 min', '1:02 h', '2 d 7 h')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    if whole < 48 * 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02} h"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def loss_text(losses: Mapping[str, float]) -> str:
    """The sum of the losses, and its parts where there are several.

    Args:
        losses: Values by the names that a model gives: ``loss`` is the sum.

    Example:
        >>> loss_text({"loss": 1.5, "loss_cls": 1.0, "decode.loss_bbox": 0.5})
        'loss 1.5000 (cls 1.0000, decode.bbox 0.5000)'
        >>> loss_text({"loss": 0.25, "loss_cls": 0.25})
        'loss 0.2500'
    """
    parts = {name: value for name, value in losses.items() if name != "loss"}
    total = losses.get("loss", sum(parts.values()))
    shown = ", ".join(f"{name.replace('loss_', '')} {value:.4f}" for name, value in parts.items())
    return f"loss {total:.4f}" + (f" ({shown})" if len(parts) > 1 else "")


def training_line(
    *,
    step: int,
    steps: int,
    losses: Mapping[str, float],
    epoch: int | None = None,
    epochs: int | None = None,
    rate: float | None = None,
    left: float | None = None,
) -> str:
    """How far a training is.

    Args:
        step, steps: Steps done in all, and to do in all.
        losses: See `loss_text`.
        epoch, epochs: Epoch, from 1, where the training counts epochs.
        rate: Learning rate.
        left: Seconds.

    Example:
        >>> training_line(step=165, steps=330, losses={"loss": 2.0}, epoch=1, epochs=2, rate=0.002, left=95)
        'epoch 1/2, step 165/330: loss 2.0000, lr 0.002, 1:35 min left'
    """
    head = f"step {step}/{steps}" if epoch is None else f"epoch {epoch}/{epochs}, step {step}/{steps}"
    parts = [loss_text(losses)] if losses else []
    parts += [f"lr {rate:.3g}"] if rate is not None else []
    parts += [f"{duration(left)} left"] if left is not None and step < steps else []
    return f"{head}: {', '.join(parts)}" if parts else head


def scores_text(scores: Mapping[str, object], most: int = 8) -> str:
    """The first scores of a test; how many more there are.

    Args:
        scores: Values by name; what is not a single number is left out.
        most: How many are shown.

    Example:
        >>> scores_text({"coco/bbox_mAP": 0.25, "accuracy/top1": 61.25, "data_time": 0.1, "time": 0.2})
        'coco/bbox_mAP 0.2500, accuracy/top1 61.25'
        >>> scores_text({str(k): 0.5 for k in range(11)}, most=2)
        '0 0.5000, 1 0.5000 and 9 more'
    """
    numbers = {
        name: float(value)
        for name, value in scores.items()
        if isinstance(value, Real) and name not in ("time", "data_time")
    }
    shown = [f"{name} {_number(value)}" for name, value in list(numbers.items())[:most]]
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(shown) + more if shown else "no single number"


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < 1e6:
        return f"{value:.0f}" if abs(value) > 1 else f"{value:.4f}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
