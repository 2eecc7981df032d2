import numpy as np
import pytest
from mmdet.datasets import OpenImagesDataset
from mmdet.evaluation import get_classes

from mmdetpre.datasets.openimages.classes import choose_classes, read_class_descriptions, relation_matrix


@pytest.fixture(scope="module")
def descriptions(shared_data):
    return read_class_descriptions(shared_data / "openimages" / "class-descriptions-boxable.csv")


def test_a_header_line_is_recognized(tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text('LabelName,DisplayName\n/m/1,"Cat, big"\n/m/2,Dog\n')
    assert read_class_descriptions(path) == {"/m/1": "Cat, big", "/m/2": "Dog"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no class"), ("/m/1\n", "expected two cells, such as '/m/0k4j,Car'"), ("a,A\na,B\n", "twice")],
)
def test_bad_descriptions_are_named(tmp_path, text, message):
    path = tmp_path / "classes.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_class_descriptions(path)


def test_all_500_challenge_classes_are_found(descriptions):
    mids = choose_classes("challenge", descriptions)
    assert len(set(mids)) == 500
    for name, mid in zip(get_classes("oid_challenge"), mids, strict=True):
        assert name.lower() in descriptions[mid].lower()
    assert {"Mouse", "Computer mouse", "Bench", "Training bench"} <= {descriptions[mid] for mid in mids}


def test_the_names_of_later_years_give_the_same_classes(descriptions):
    later = dict(zip(descriptions, get_classes("oid_v6"), strict=True))
    assert later != descriptions
    assert choose_classes("challenge", later) == choose_classes("challenge", descriptions)


def test_classes_by_name_mid_file_or_all(tmp_path):
    described = {"/m/1": "Bat (Animal)", "/m/2": "Hair dryer", "/m/3": "Cat"}
    assert choose_classes(None, described) == ["/m/1", "/m/2", "/m/3"]
    assert choose_classes(["hair-DRYER", "/m/1"], described) == ["/m/2", "/m/1"]
    assert choose_classes(["bat"], described) == ["/m/1"]
    path = tmp_path / "mine.txt"
    path.write_text("cat\n\n/m/2,Hair dryer\n")
    assert choose_classes(str(path), described) == ["/m/3", "/m/2"]


def test_bad_choices_are_named(tmp_path):
    described = {"/m/1": "Tortoise", "/m/2": "Cat"}
    with pytest.raises(ValueError, match="1 of 2 classes.*Tortise.*'Tortoise'"):
        choose_classes(["Tortise", "cat"], described)
    with pytest.raises(ValueError, match="Cat more than once"):
        choose_classes(["cat", "/m/2"], described)
    with pytest.raises(FileNotFoundError, match="neither a file nor"):
        choose_classes(str(tmp_path / "absent.txt"), described)
    with pytest.raises(ValueError, match="challenge classes are not in the label_file"):
        choose_classes("challenge", described)


def test_the_relation_matrix_is_that_of_mmdet(shared_data, descriptions):
    path = shared_data / "openimages" / "bbox_labels_600_hierarchy.json"
    theirs = OpenImagesDataset.__new__(OpenImagesDataset)
    theirs.backend_args = None
    theirs._metainfo = {"classes": list(descriptions)}
    theirs.label_id_mapping = {mid: i for i, mid in enumerate(descriptions)}
    expected = theirs._get_relation_matrix(str(path))
    np.testing.assert_array_equal(relation_matrix(path, list(descriptions)), expected)
    chosen = np.arange(0, 601, 7)
    mids = np.array(list(descriptions))[chosen].tolist()
    np.testing.assert_array_equal(relation_matrix(path, mids), expected[np.ix_(chosen, chosen)])


def test_a_hierarchy_that_is_no_json_is_named(tmp_path):
    path = tmp_path / "hierarchy.json"
    path.write_text("LabelName,Parent")
    with pytest.raises(ValueError, match="JSON hierarchy"):
        relation_matrix(path, ["/m/1"])
