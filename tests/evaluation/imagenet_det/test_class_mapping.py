"""Classes of a model and of an evaluation, by WordNet id."""

import re

import pytest

from mmdetpre.datasets.imagenet.det_classes import IMAGENET_DET_WNIDS, imagenet_det_names
from mmdetpre.evaluation.imagenet_det.class_mapping import class_mapping, wordnet_class_map

FINE = ["n05", "n06", "n07", "n02", "n09"]
TARGETS = ["n03", "n02"]
# n01 > n02 > n05, n02 > n04 > n06; n01 > n03 > n04; n07 has both at one step; n09 is no kind of either.
IS_A = "n01 n02\nn02 n05\nn02 n04\nn04 n06\nn01 n03\nn03 n04\nn02 n07\nn03 n07\nn01 n09\n"


def test_mappings_from_dict_file_and_equal_ids(tmp_path):
    assert class_mapping(FINE, TARGETS).tolist() == [-1, -1, -1, 1, -1]
    pairs = {"n05": "n02", "n06": "n03", "other": "n03"}
    file = tmp_path / "map.txt"
    file.write_text("".join(f"{a} {b}\n" for a, b in pairs.items()))
    for class_map in (pairs, file, str(file)):
        assert class_mapping(FINE, TARGETS, class_map).tolist() == [1, 0, -1, -1, -1]


def test_wordnet_leads_to_the_nearest_target(tmp_path):
    file = tmp_path / "wordnet.is_a.txt"
    file.write_text(IS_A)
    mapped = wordnet_class_map(file, FINE, TARGETS)
    # Targets at one distance (n06, n07): the first of them; a target is itself; n09 has none.
    assert mapped == {"n05": "n02", "n06": "n03", "n07": "n03", "n02": "n02"}
    assert wordnet_class_map(file, ["n06"], ["n01", "n02"]) == {"n06": "n02"}
    assert class_mapping(FINE, TARGETS, mapped).tolist() == [1, 0, 0, 1, -1]


def test_a_circle_in_the_hierarchy_ends(tmp_path):
    file = tmp_path / "wordnet.is_a.txt"
    file.write_text("n01 n02\nn02 n01\nn03 n04\n")
    assert wordnet_class_map(file, ["n01", "n04"], ["n03"]) == {"n04": "n03"}


def test_mappings_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"maps none of the model's 2 classes \(a, b\b"):
        class_mapping(["a", "b"], TARGETS)
    with pytest.raises(ValueError, match="class_map maps to n99"):
        class_mapping(FINE, TARGETS, {"n05": "n99"})
    file = tmp_path / "map.txt"
    with pytest.raises(FileNotFoundError, match=re.escape("map.txt")):
        class_mapping(FINE, TARGETS, file)
    file.write_text("n05 n02\nn06\n")
    with pytest.raises(ValueError, match=r"map.txt, line 2: expected 'class target', found 'n06'"):
        class_mapping(FINE, TARGETS, file)
    file.write_text("n05 n02\nn05 n03\n")
    with pytest.raises(ValueError, match="maps 1 classes twice"):
        class_mapping(FINE, TARGETS, file)
    file.write_text("n90 n91\n")
    with pytest.raises(ValueError, match="leads from none of the 3 classes"):
        wordnet_class_map(file, FINE[:3], TARGETS)


def test_the_200_classes_of_ilsvrc_det():
    assert len(set(IMAGENET_DET_WNIDS)) == 200
    assert all(re.fullmatch(r"n\d{8}", wnid) for wnid in IMAGENET_DET_WNIDS)
    names = imagenet_det_names()
    known = dict(n02672831="accordion", n03211117="tv_or_monitor", n04530566="watercraft", n00007846="person")
    known |= dict(n02391049="zebra", n03337140="filing_cabinet", n03110669="trumpet", n02084071="dog")
    assert {wnid: names[wnid] for wnid in known} == known
