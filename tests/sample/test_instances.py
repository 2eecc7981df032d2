from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.sample import Scene, World, render
from mmdetpre.sample.instances import annotate
from mmdetpre.sample.render import Rendering


@pytest.fixture(scope="module")
def drawn_scenes() -> list[tuple[Scene, Rendering]]:
    scenes = [World("target", seed=5).scene("train", i) for i in range(40)]
    return [(scene, render(scene)) for scene in scenes]


def test_same_scene_same_pixels(drawn_scenes: list[tuple[Scene, Rendering]]) -> None:
    scene, drawn = drawn_scenes[0]
    again = render(scene)
    np.testing.assert_array_equal(again.image, drawn.image)
    np.testing.assert_array_equal(again.owner, drawn.owner)


def test_boxes_are_tight_around_the_visible_mask(drawn_scenes: list[tuple[Scene, Rendering]]) -> None:
    for scene, drawn in drawn_scenes:
        for instance in annotate(scene, drawn):
            x1, y1, x2, y2 = instance.box
            assert 0 <= x1 < x2 <= scene.size[0] and 0 <= y1 < y2 <= scene.size[1]
            mask = np.isin(drawn.owner, instance.objects)
            inside = mask[y1:y2, x1:x2]
            assert inside.sum() == mask.sum() == instance.area
            assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_every_object_is_annotated_once_and_visible_enough(drawn_scenes: list[tuple[Scene, Rendering]]) -> None:
    for scene, drawn in drawn_scenes:
        instances = annotate(scene, drawn)
        indices = [i for instance in instances for i in instance.objects]
        assert sorted(indices) == list(range(len(scene.objects)))
        assert all(instance.visible_fraction >= 0.5 for instance in instances)


def test_flags_are_true_to_the_scene(drawn_scenes: list[tuple[Scene, Rendering]]) -> None:
    instances = [(scene, i) for scene, drawn in drawn_scenes for i in annotate(scene, drawn)]
    assert any(i.occluded for _, i in instances) and any(not i.occluded for _, i in instances)
    assert any(i.group for _, i in instances)
    for scene, i in instances:
        if i.truncated:
            assert 0 in i.box[:2] or i.box[2] == scene.size[0] or i.box[3] == scene.size[1] or i.occluded
    assert any(i.truncated for _, i in instances)


def test_overlap_exists(drawn_scenes: list[tuple[Scene, Rendering]]) -> None:
    overlapping = sum(
        int(drawn.footprints[i].mask.sum()) > int((drawn.owner == i).sum())
        for scene, drawn in drawn_scenes
        for i in range(len(scene.objects))
    )
    assert overlapping > 10


def test_groups_can_be_taken_apart(drawn_scenes: list[tuple[Scene, Rendering]]) -> None:
    scene, drawn = next((s, d) for s, d in drawn_scenes if any(o.group is not None for o in s.objects))
    apart = annotate(scene, drawn, merge_groups=False)
    assert len(apart) == len(scene.objects)
    assert not any(instance.group for instance in apart)
