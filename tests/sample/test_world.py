from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.sample import World, object_classes


def test_scenes_depend_on_nothing_but_their_number() -> None:
    world = World("source", seed=3)
    forward = [world.scene("train", i) for i in range(4)]
    backward = [World("source", seed=3).scene("train", i) for i in reversed(range(4))]
    assert forward == backward[::-1]


@pytest.mark.parametrize(
    "other", [World("source", 1), World("target", 0), World("source", 0, size=(128, 96))], ids=["seed", "which", "size"]
)
def test_another_world_has_other_scenes(other: World) -> None:
    assert other.scene("train", 0).objects != World("source", 0).scene("train", 0).objects


def test_splits_have_other_scenes() -> None:
    world = World()
    train = [world.scene("train", i) for i in range(20)]
    validation = [world.scene("validation", i) for i in range(20)]
    assert not {t.objects for t in train} & {v.objects for v in validation}


def test_source_and_target_share_no_class() -> None:
    source, target = object_classes("source"), object_classes("target")
    assert (len(source), len(target)) == (8, 4)
    for attribute in ("name", "shape", "mid"):
        assert not {getattr(c, attribute) for c in source} & {getattr(c, attribute) for c in target}


@pytest.mark.parametrize("which", ["source", "target"])
def test_scenes_are_varied(which: str) -> None:
    scenes = [World(which).scene("train", i) for i in range(150)]
    assert {s.size for s in scenes} == {(256, 192), (192, 256), (192, 192)}
    assert all(sum(o.group is None for o in s.objects) >= 2 for s in scenes)
    objects = [o for s in scenes for o in s.objects if o.group is None]
    assert {o.label for o in objects} == set(range(len(object_classes(which))))
    sizes = np.array([o.size for o in objects])
    assert sizes.min() < 11 and sizes.max() > 150
    assert 25 < np.median(sizes) < 60  # log-uniform: as many below 40 pixels as above
    groups = [[o for o in s.objects if o.group == 0] for s in scenes]
    members = [len(g) for g in groups if g]
    assert members and min(members) > 5
    assert all(len({o.label for o in g}) == 1 for g in groups if g)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(which="middle"), "'source', 'target'"),
        (dict(seed=-1), "seed is -1"),
        (dict(size=(256, 10)), "at least 64"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        World(**arguments)


def test_unknown_split() -> None:
    with pytest.raises(ValueError, match="'train', 'validation'"):
        World().scene("test", 0)
