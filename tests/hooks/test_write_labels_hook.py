"""The table of labels of a test: each image once, in order, as it was predicted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmpretrain.structures import DataSample

from mmdetpre.hooks.write_labels_hook import CLASSES, FILE, WriteLabelsHook, read_labels
from mmdetpre.utils.class_list import read_class_names


def sample(image: str, label: int, scores: list[float]) -> DataSample:
    found = DataSample(metainfo={"img_path": image}).set_gt_label(label).set_pred_score(torch.tensor(scores))
    return found.set_pred_label(int(torch.tensor(scores).argmax()))


class Images:
    metainfo = {"classes": ("label", "# dog")}

    def __len__(self) -> int:
        return 3


def test_each_image_once_in_order(tmp_path: Path) -> None:
    hook = WriteLabelsHook()
    runner = SimpleNamespace(work_dir=str(tmp_path), test_dataloader=SimpleNamespace(dataset=Images()))
    for _ in range(2):  # a second test begins anew
        hook.before_test_epoch(runner)
        hook.after_test_iter(runner, 0, None, [sample("a,1.jpg", 0, [0.75, 0.25]), sample("b.jpg", 0, [0.5, 0.5])])
        hook.after_test_iter(runner, 1, None, [sample('=c".jpg', 1, [1, 0])])
        hook.after_test_epoch(runner)
    found = read_labels(tmp_path / FILE)
    assert read_class_names(tmp_path / CLASSES) == ["label", "# dog"]
    assert [one[1:] for one in found] == [(0, 0, 0.75, 0.75), (0, 0, 0.5, 0.5), (1, 0, 1, 0)]
    assert [one.image for one in found][:2] == ["a,1.jpg", "b.jpg"] and found[2].image.endswith('=c".jpg')


def test_several_labels_are_refused() -> None:
    both = DataSample(metainfo={"img_path": "a.jpg"}).set_gt_label([0, 1]).set_pred_label(0)
    with pytest.raises(ValueError, match=r"a.jpg has not one label and one prediction"):
        WriteLabelsHook().after_test_iter(SimpleNamespace(), 0, None, [both])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label,prediction,score\n", "does not begin with image,label,prediction,score,true_score: test again"),
        ("image,label,prediction,score,true_score\na,1,x,0.5,0.5\n", "line 2: invalid literal"),
        ("image,label,prediction,score,true_score\na,1\n", "line 2: not enough values"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_labels(tmp_path / FILE)
