from __future__ import annotations

from mmdetpre.chips.chip_table import ChipTable
from mmdetpre.chips.mining import mine_image


def test_concatenated_tables_keep_their_valid_boxes(voc_settings):
    first = mine_image((640, 480), [[10, 10, 50, 40], [50, 60, 450, 420]], voc_settings, image=0)
    empty = mine_image((640, 480), [], voc_settings, image=1)
    second = mine_image((640, 480), [[5, 5, 7, 8], [300, 200, 380, 300]], voc_settings, image=2)
    table = ChipTable.concatenate([first, empty, second])
    assert len(empty) == 0 and len(table) == len(first) + len(second)
    assert table.image.tolist() == [0] * len(first) + [2] * len(second)
    for i in range(len(second)):
        assert table.valid_of(len(first) + i).tolist() == second.valid_of(i).tolist()
