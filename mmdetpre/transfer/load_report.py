"""What happened when a backbone was loaded: every tensor accounted for, and a verdict in one word."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

VERDICTS = {
    "complete": "every tensor of the model comes from the file, and every tensor of the file arrived",
    "expected": "as complete, but for differences that a rule explains; they are listed",
    "incomplete": "tensors are missing, left over or of another shape, or the statistics are not there",
    "refused": "the file cannot be read, is ambiguous, holds NaN, or does not fit the model's preprocessing",
}
"""Meaning of each verdict. ``complete`` and ``expected`` are good; with policy ``warn``, ``incomplete`` loads too."""

STATISTICS = {
    "present": "the file has running_mean and running_var for every batch normalization",
    "missing": "the file has none",
    "partial": "the file has them for some layers only",
    "default": "all are as a new layer has them: mean 0, variance 1",
    "none": "the model has no batch normalization",
}


_STEM = re.compile(
    r"(timm_model\.)?(model\.)?(stem(_\d)?\.|conv_stem\.|patch_embed\.|downsample_layers\.0\.|(cls|reg)_token|pos_embed)"
)


@dataclass
class LoadReport:
    """Account of one load. Names are the model's own; names of the file where only the file has them.

    Attributes:
        source: Path or address of the file.
        source_description: Naming, prefix, entry, origin.
        target: Class and kind of the model.
        verdict: One of `VERDICTS`.
        reasons: Why the verdict is not ``complete``: the likely cause first, each with what to do.
        matched: Tensors of the model that were (or would be) filled.
        missing: Tensors of the model that the file lacks.
        unexpected: Tensors of the file's backbone that the model lacks.
        expected: (name, rule) of differences that a rule explains; none of them is in the two lists above.
        shape_clashes: (name, shape in the file, shape in the model).
        conversions: (name, number format in the file, in the model).
        not_finite: Tensors of the file with NaN or infinity.
        statistics: State of the batch normalization in the file, one of `STATISTICS`.
        preprocessing: What file and model say, as text.
        stages: Strides, dilations or padding that the file's weights were trained with and that the model has, if they
            differ.
        digest: `mmdetpre.transfer.digest.weights_digest` of what was loaded; empty if nothing was.
        loaded: Whether the model was changed.
        init: Name of the initialization in the config, such as ``openimages``; empty for a file without one.
    """

    source: str
    target: str
    source_description: str = ""
    verdict: str = "refused"
    reasons: list[str] = field(default_factory=list)
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    expected: list[tuple[str, str]] = field(default_factory=list)
    shape_clashes: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    conversions: list[tuple[str, str, str]] = field(default_factory=list)
    not_finite: list[str] = field(default_factory=list)
    statistics: str = "none"
    preprocessing: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    loaded: bool = False
    init: str = ""

    @property
    def good(self) -> bool:
        """Whether the verdict is ``complete`` or ``expected``."""
        return self.verdict in ("complete", "expected")

    def to_json(self) -> str:
        """The whole report as JSON, for a work dir."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def __str__(self) -> str:
        lines = [
            f"Backbone: {self.verdict.upper()} ({VERDICTS[self.verdict]})",
            f"  from {self.source}{f' ({self.source_description})' if self.source_description else ''}",
            f"  into {self.target}{'' if self.loaded else '; nothing was loaded'}",
        ]
        lines += [f"  ! {reason}" for reason in self.reasons]
        if self.matched or self.missing or self.unexpected or self.shape_clashes:
            lines += self._table()
            lines.append(f"  batch normalization: {self.statistics} ({STATISTICS[self.statistics]})")
        lines += [f"  preprocessing of the {side}: {text}" for side, text in self.preprocessing.items()]
        if self.stages:
            told = "; ".join(f"{side} {text}" for side, text in self.stages.items())
            lines.append(f"  stages differ, which training gets over and frozen weights do not: {told}")
        for rule, count in Counter(rule for _, rule in self.expected).items():
            lines.append(f"  expected, {count}: {rule}")
        for (before, after), count in Counter((a, b) for _, a, b in self.conversions).items():
            lines.append(f"  converted, {count}: {before} to {after}")
        lines += _named("missing in the file", self.missing) + _named("left over in the file", self.unexpected)
        clashes = [f"{name} {list(file)} -> {list(model)}" for name, file, model in self.shape_clashes]
        lines += _named("other shape", clashes) + _named("not finite", self.not_finite)
        if self.digest:
            lines.append(f"  digest {self.digest}")
        return "\n".join(lines)

    def _table(self) -> list[str]:
        columns: dict[str, Any] = {
            "loaded" if self.loaded else "matching": self.matched,
            "missing": self.missing,
            "left over": self.unexpected,
            "other shape": [name for name, _, _ in self.shape_clashes],
            "by rule": [name for name, _ in self.expected],
        }
        counts = {head: Counter(stage_of(name) for name in names) for head, names in columns.items()}
        stages = sorted(set().union(*counts.values()), key=stage_order)
        lines = ["  " + "stage".ljust(10) + "".join(head.rjust(13) for head in columns)]
        for stage in stages:
            lines.append("  " + stage.ljust(10) + "".join(str(counts[head][stage]).rjust(13) for head in columns))
        return [*lines, "  " + "all".ljust(10) + "".join(str(len(names)).rjust(13) for names in columns.values())]


class BackboneNotLoaded(RuntimeError):
    """A backbone was not loaded, or not as it should. The model is unchanged.

    Attributes:
        report: The account; its text is the message.
    """

    def __init__(self, report: LoadReport) -> None:
        super().__init__(str(report))
        self.report = report


def stage_of(name: str) -> str:
    """Stage that a parameter belongs to: ``stem``; ``layer1`` .. of a ResNet, ``stages.0`` .. of others; or ``other``.

    Args:
        name: As the module has it.

    Example:
        >>> stage_of("layer3.1.bn2.weight"), stage_of("timm_model.stages_2.blocks.0.gamma"), stage_of("cls_token")
        ('layer3', 'stages.2', 'stem')
    """
    if match := re.search(r"(?:^|\.)(layer|res|s)(\d)\.", name):
        return f"layer{int(match[2]) - (match[1] == 'res')}"
    if _STEM.match(name):
        return "stem"
    if match := re.search(r"(?:^|[._])(stages|layers|blocks|features)[._](\d+)\.", name):
        return f"stages.{match[2]}" if "downsample_layers" in name else f"{match[1]}.{match[2]}"
    return "stem" if re.match(r"(?:.*\.)?(conv1|bn1|stem|input_norm)\.", name) else "other"


def stage_order(stage: str) -> tuple[bool, bool, str, int]:
    """Key that sorts stages from the stem on; the others come last."""
    word, _, number = stage.partition(".")
    return stage == "other", stage != "stem", word, int(number or 0)


def _named(title: str, names: list[str], most: int = 6) -> list[str]:
    if not names:
        return []
    more = f", ... ({len(names) - most} more in the JSON)" if len(names) > most else ""
    return [f"  {title}, {len(names)}: {', '.join(names[:most])}{more}"]
