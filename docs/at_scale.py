"""Write the table of docs/at_scale.md: what 64 GPUs ask for, by the inputs below. A test holds the page to it.

Example: python docs/at_scale.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parent / "at_scale.md"
BEGIN, END = "<!-- computed: begin -->\n", "<!-- computed: end -->\n"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Machines, data and schedule; each field is an input of the page."""

    nodes: int = 8
    gpus_per_node: int = 8
    chips_per_gpu: int = 16
    gpu_rate: float = 989e12  # operations/s, H100 SXM, bfloat16, dense, by its data sheet
    efficiency: float = 0.175  # of that rate, all of a step: an assumption, not measured
    chip_operations: float = 485.8e9  # forward and backward, counted by benchmarks/arithmetic.py
    parameters: float = 111.4e6
    images: int = 1_743_042  # OpenImages V4, training
    chips_per_image: float = 3.2  # benchmarks/chip_loader.py
    file_bytes: float = 294e3  # mean
    image_core_seconds: float = 11.3e-3  # all chips of an image, decoded once, file to batch
    chip_core_seconds: float = 25.6e-3 / 3.2  # each chip decoded anew
    workers_per_gpu: int = 2
    rank_mb: float = 63  # annotations
    kept_mb: float = 512  # decoded images a worker may keep
    epochs: int = 14
    base_batch: int = 128
    base_rate: float = 0.12
    base_decay: float = 1.25e-5
    warm_up: int = 1000
    test_images: int = 41_620
    test_gpu_seconds: float = 0.1  # an image at two scales: an assumption
    metric_seconds: float = 300  # on one process: an assumption
    cache_gb: float = 200


class Figure(NamedTuple):
    """One row: what, its value with unit, the formula."""

    what: str
    value: str
    formula: str


def figures(c: Cluster) -> list[Figure]:
    """The rows of the page.

    Example:
        >>> found = {row.what: row.value for row in figures(Cluster(nodes=1, gpus_per_node=8, chips_per_gpu=16))}
        >>> found["learning rate by the linear rule"], found["total batch"]
        ('0.12', '128 chips')
    """
    gpus = c.nodes * c.gpus_per_node
    batch = gpus * c.chips_per_gpu
    gpu_chips = c.efficiency * c.gpu_rate / c.chip_operations
    chips = gpus * gpu_chips
    images = chips / c.chips_per_image
    steps = c.images * c.chips_per_image / batch
    epoch = c.images * c.chips_per_image / chips
    share = batch / c.base_batch
    step = c.chips_per_gpu / gpu_chips
    test = c.test_images * c.test_gpu_seconds / gpus
    cores = images * c.image_core_seconds / c.nodes
    return [
        Figure("chips per second and GPU", f"{gpu_chips:,.0f}", "efficiency x rate / operations of a chip"),
        Figure("chips per second, all GPUs", f"{chips:,.0f}", "GPUs x chips per second and GPU"),
        Figure("total batch", f"{batch:,} chips", "GPUs x chips per GPU"),
        Figure("steps of an epoch", f"{steps:,.0f}", "images x chips per image / batch"),
        Figure("an epoch", f"{epoch / 60:.1f} min", "images x chips per image / chips per second"),
        Figure("training", f"{c.epochs * epoch * gpus / 3600:,.0f} GPU-hours", "epochs x epoch x GPUs"),
        Figure("opens per second, a file per chip", f"{chips:,.0f}", "chips per second"),
        Figure("read per second, a file per chip", f"{chips * c.file_bytes / 1e9:.1f} GB", "opens x bytes of a file"),
        Figure("opens per second, each image decoded once", f"{images:,.0f}", "chips per second / chips per image"),
        Figure("read per second, each image decoded once", f"{images * c.file_bytes / 1e9:.1f} GB", "as above"),
        Figure("the same for a node", f"{images * c.file_bytes / c.nodes / 1e6:,.0f} MB", "/ nodes"),
        Figure("the images", f"{c.images * c.file_bytes / 1e9:,.0f} GB", "images x bytes of a file"),
        Figure(
            f"share of a cache of {c.cache_gb:,.0f} GB per node",
            f"{100 * min(1, c.cache_gb * 1e9 / (c.images * c.file_bytes)):.0f} %",
            "cache / the images: an epoch deals them anew",
        ),
        Figure("cores of a node for loading", f"{cores:.1f}", "images per second and node x seconds of an image"),
        Figure(
            "cores of a node, each chip decoded anew",
            f"{chips * c.chip_core_seconds / c.nodes:.1f}",
            "chips per second and node x seconds of a chip",
        ),
        Figure(
            "memory of a node for loading, at most",
            f"{c.gpus_per_node * (c.rank_mb + c.workers_per_gpu * c.kept_mb) / 1e3:.1f} GB",
            "ranks x (annotations + workers x kept images)",
        ),
        Figure(
            "gradients between GPUs, to hide them behind a step",
            f"{8 * c.parameters * (gpus - 1) / gpus / step / 1e9:.1f} GB/s",
            "2 x 4 bytes x parameters x (GPUs - 1) / GPUs / seconds of a step",
        ),
        Figure("learning rate by the linear rule", f"{c.base_rate * share:.3g}", "0.12 x batch / 128"),
        Figure("by a square root instead", f"{c.base_rate * share**0.5:.3g}", "0.12 x sqrt(batch / 128)"),
        Figure("weight decay", f"{c.base_decay / share:.3g}", "1.25e-5 x 128 / batch"),
        Figure("warm-up of the config", f"{c.warm_up / steps:.2f} epochs", "1,000 steps / steps of an epoch"),
        Figure("detections of a validation", f"{test:,.0f} s", "images x seconds of an image / GPUs"),
        Figure(
            "GPU-hours lost while one rank measures",
            f"{c.epochs * (gpus - 1) * c.metric_seconds / 3600:,.1f}",
            "epochs x (GPUs - 1) x seconds of the metric",
        ),
    ]


def table(c: Cluster) -> str:
    """The rows as Markdown."""
    rows = "".join(f"| {row.what} | {row.value} | {row.formula} |\n" for row in figures(c))
    return f"| what | value | formula |\n| --- | ---: | --- |\n{rows}"


def written(page: str, c: Cluster) -> str:
    """A page with the table between its marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table(c)}{END}{rest.partition(END)[2]}"


def main() -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), Cluster()), encoding="utf-8")


if __name__ == "__main__":
    main()
