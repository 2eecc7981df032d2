"""Every benchmark runs through, on tiny inputs, and its comparisons of results hold."""

import argparse
import importlib

import bench
import pytest
from side_by_side import in_turn

TINY = {
    "chip_mining": "--images 300 --calls 3 --repeats 1 --cores 2",
    "chip_cover": "--drawn-images 30 --few 10 --repeats 1",
    "proposed_chips": "--images 4 --steps 1 --by-hand one_scale",
    "negative_mining": "--images 20 --proposals 50 --repeats 1",
    "chip_loader": "--data COCO --images 2 --repeats 1 --seconds 0 --workers 1 --sent 2",
    "training_step": "--depths --batch 1 --drawn-images 100 --repeats 1",
    "bfloat16_losses": "--steps 10 --images 4 --batch 2",
    "inference": "--config configs/det/sniper_openimages_sample.py --depth 18 --shrink 1 --repeats 1",
    "operators": "--boxes 50 --regions 4 --channels 8 --repeats 1 --seconds 0",
    "annotations": "--rows 0 --mmdet-rows 1000 --repeats 1",
    "multi_scale_merge": "--classes 20 --repeats 1",
    "autofocus": "--epochs 0 --train-images 1 --test-images 2 --thresholds 0/0 1.1/0.5",
    "voc_ap": "--images 20 --repeats 1",
    "trimap": "--images 1 --repeats 1",
    "boundary_iou": "--images 1 --repeats 1",
    "regularisation_sweep": "--sizes 100x16x3 --repeats 1",
    "nearest_neighbours": "--images 200 --dims 32 --repeats 1",
    "pair_search": "--images 300 --dims 32 --pairs 20 --repeats 1",
    "kmeans_sweep": "--images 200 --dims 16 --k 5 10 --repeats 1 --threads 1",
    "tsne_map": "--images 60 --dims 64 --repeats 1 --cores 1",
    "mask_out_batches": "--depth 18 --size 96 --stride 36 --batch-sizes 2 --repeats 1 --threads 1",
    "backbone_loading": "--families MobileNetV2 --repeats 1",
    "start_up": "--parts import --repeats 1",
    "tar_shards": "--files 30 --kilobytes 10 --indexed 500 --repeats 1",
}


def test_all_are_tried():
    assert set(TINY) == set(bench.BENCHMARKS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "proposed_chips" else name for name in TINY]
)
def test_runs_on_tiny_input(name, monkeypatch, repository):
    monkeypatch.chdir(repository)
    module = importlib.import_module(name)
    if hasattr(module, "alone"):  # a new process would import everything again
        monkeypatch.setattr(module, "alone", lambda work, *args: work(*args))
    if hasattr(module, "in_turn"):  # the results are compared as well without a round before
        monkeypatch.setattr(module, "in_turn", lambda *args, **options: in_turn(*args, **options | {"warm_up": False}))
    if hasattr(module, "TOUCHED"):  # images that each of several processes reads, several times
        monkeypatch.setattr(module, "TOUCHED", 50)
    parser = argparse.ArgumentParser()
    module.arguments(parser)
    rows = list(module.rows(parser.parse_args(TINY[name].split())))
    assert rows and all(row.ours >= 0 for row in rows)
