"""The split of a user's images: what must hold for any images, copies and classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.study.custom_data.split import same_files, split_images_by_class


@st.composite
def images(draw: st.DrawFn) -> tuple[list[str], list[list[int]], list[set[int]]]:
    count = draw(st.integers(2, 24))
    owner = draw(st.lists(st.integers(0, count - 1), min_size=count, max_size=count))
    groups: dict[int, list[int]] = {}
    for image, group in enumerate(owner):
        groups.setdefault(group, []).append(image)
    classes = draw(st.lists(st.sets(st.integers(0, 4), max_size=3), min_size=count, max_size=count))
    return [f"{i}.jpg" for i in range(count)], list(groups.values()), classes


@given(images(), st.floats(0.05, 0.6), st.integers(0, 3))
def test_parts_are_disjoint_whole_and_hold_the_classes(data: tuple, share: float, seed: int) -> None:
    names, groups, classes = data
    try:
        train, test = split_images_by_class(names, groups, classes, share, seed)
    except ValueError:
        of_class = [c for group in groups for c in set().union(*(classes[i] for i in group))]
        every_group_is_the_last = all(
            any(of_class.count(c) == 1 for c in set().union(*(classes[i] for i in group))) for group in groups
        )
        assert len(groups) < 2 or every_group_is_the_last
        return
    assert sorted(train + test) == list(range(len(names))) and train and test
    assert train == sorted(train) and test == sorted(test)
    for group in groups:
        assert len({i in test for i in group}) == 1
    assert set().union(*(classes[i] for i in train)) == set().union(*classes), "every class can be learned"


def test_a_rare_class_is_tested_if_two_images_show_it() -> None:
    classes = [{0}] * 40 + [{0, 1}, {1}]
    train, test = split_images_by_class([str(i) for i in range(42)], [[i] for i in range(42)], classes)
    assert len({40, 41} & set(test)) == 1 and len(test) == 8


def test_the_order_of_the_images_does_not_matter() -> None:
    names = [f"{i}.jpg" for i in range(30)]
    backwards = names[::-1]
    groups, classes = [[i] for i in range(30)], [{0}] * 30
    first = {names[i] for i in split_images_by_class(names, groups, classes)[1]}
    assert first == {backwards[i] for i in split_images_by_class(backwards, groups, classes)[1]}
    assert first != {names[i] for i in split_images_by_class(names, groups, classes, seed=1)[1]}


def test_one_image_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="2 images, 1 of them different"):
        split_images_by_class(["a", "b"], [[0, 1]], [{0}, {0}])
    with pytest.raises(ValueError, match="none can be spared"):
        split_images_by_class(["a", "b"], [[0], [1]], [{0}, {1}])


@given(st.lists(st.sampled_from([b"", b"a", b"b", b"ab", b"ba"]), max_size=8))
def test_same_files_groups_by_content(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("files")
    paths = [Path(folder, str(i)) for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    groups = same_files(paths)
    assert sorted(i for group in groups for i in group) == list(range(len(paths)))
    assert [{contents[i] for i in group} for group in groups] == [{content} for content in dict.fromkeys(contents)]
