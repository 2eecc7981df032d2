import pytest

from mmdetpre.datasets.imagenet.wordnet import class_names, read_class_map, read_wnid_names, read_wnids

TENCH, CRANE, MACHINE = "n01440764", "n02012849", "n03126707"


def test_lists_names_and_maps_from_files(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text(f"{TENCH} tench, Tinca tinca\n\n{CRANE}\tcrane\n")
    assert read_wnids(file) == [TENCH, CRANE]
    assert read_wnid_names(file) == {TENCH: "tench", CRANE: "crane"}
    file.write_text(f"{TENCH} {CRANE}\n{MACHINE}\t{CRANE} # a note\n")
    assert read_class_map(file) == read_class_map({TENCH: CRANE, MACHINE: CRANE}) == {TENCH: CRANE, MACHINE: CRANE}


def test_equal_names_are_told_apart():
    names = class_names([TENCH, CRANE, MACHINE], {TENCH: "tench", CRANE: "crane", MACHINE: "crane"})
    assert names == ["tench", f"crane ({CRANE})", f"crane ({MACHINE})"] and len(set(names)) == 3


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_wnids, "tench\n", "tench: no WordNet id"),
        (read_wnids, f"{TENCH}\n{TENCH}\n", f"list.txt names {TENCH} more than once"),
        (read_wnids, "\n", "names no class"),
        (read_wnid_names, f"{TENCH}\n", f"line 1: expected a WordNet id and a name, found '{TENCH}'"),
        (read_class_map, f"{TENCH}\n", f"line 1: expected two WordNet ids, found '{TENCH}'"),
        (read_class_map, f"{TENCH} fish\n", "fish: no WordNet id"),
    ],
)
def test_bad_files(tmp_path, read, text, message):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "list.txt")
