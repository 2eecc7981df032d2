"""Class lists: a header never becomes class 0, and what cannot be read is named with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.datasets.openimages.classes import choose_classes, read_class_descriptions
from mmdetpre.utils.class_list import (
    class_names_of,
    class_names_text,
    read_class_list,
    read_class_names,
    read_class_pairs,
    read_class_table,
)

MIDS = {"/m/011k07": "Tortoise", "/m/0k4j": "Cat, big", "/m/01yrx": "Žába"}
HEADERS = ["label,class", "LabelName,DisplayName", "MID;Class Name", '"mid"\t"name"', "id,name"]
READERS = [read_class_list, read_class_names, read_class_descriptions]


def table(separator: str = ",") -> str:
    return "\n".join(f'{mid}{separator}"{name}"' for mid, name in MIDS.items())


@pytest.mark.parametrize("header", HEADERS)
def test_the_header_of_a_table_is_no_class(tmp_path: Path, header: str) -> None:
    separator = next(sign for sign in ",;\t" if sign in header)
    (tmp_path / "classes.csv").write_text(f"{header}\n{table(separator)}\n", encoding="utf-8")
    assert read_class_descriptions(tmp_path / "classes.csv") == MIDS
    (tmp_path / "own.csv").write_text(f"{header}\na{separator}A\nb{separator}B\n")
    assert read_class_descriptions(tmp_path / "own.csv") == {"a": "A", "b": "B"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n,\n"])
def test_tables_of_any_system(tmp_path: Path, encoding: str, end: str) -> None:
    (tmp_path / "classes.csv").write_bytes(table().replace("\n", end).encode(encoding))
    assert read_class_descriptions(tmp_path / "classes.csv") == MIDS
    (tmp_path / "names.txt").write_bytes(
        end.replace(",", "").join([" cat ", "traffic light", "žába", ""]).encode(encoding)
    )
    assert read_class_names(tmp_path / "names.txt") == ["cat", "traffic light", "žába"]


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_class_names, "class\ncat\ndog\n", "line 1: 'class' would be class 0, but it reads like a header"),
        (read_class_list, "label\ncat\ndog\n", "line 1: 'label' would be class 0, but it reads like a header"),
        (
            read_class_list,
            "beasts\nn00000001\nn00000002\n",
            "line 1: 'beasts' .* other lines begin with ids such as n000",
        ),
        (read_class_descriptions, "Was,Wie\n/m/1,A\n/m/2,B\n", "line 1: 'Was,Wie' would be class 0.*such as /m/1"),
        (read_class_descriptions, "/m/1,Cat, big\n", "line 1: expected two cells.*found 3 cells.*in quotes"),
        (read_class_descriptions, "/m/1,A\n\n/m/2,\n", "line 3: .*an empty cell"),
        (read_class_descriptions, "/m/1,A\n/m/1,B\n", "line 2: /m/1 comes twice, first in line 1"),
        (read_class_descriptions, "A,/m/1\nB,/m/2\n", "the id stands in the second column"),
        (read_class_descriptions, '/m/1,"A\n', "line 1: .* is not a row of a CSV"),
        (read_class_names, "cat\ndog\ncat\n", "names cat more than once"),
        (read_class_names, "\n \n", "names no class"),
        (
            read_class_names,
            "cat\nk\xf6ter\n",
            r"line 2: byte 0xf6 \(in Latin-1 it is 'ö'\) is not UTF-8.*save it as UTF-8",
        ),
        (read_class_names, "\x89PNG\r\n\x1a\n\0\0", "line 1: byte 0x89"),
        (read_class_names, "cat\nd\0g\n", "line 2 holds a zero byte"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, read, text: str, message: str) -> None:
    (tmp_path / "classes.txt").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=f"(?s)classes.txt.*{message}"):
        read(tmp_path / "classes.txt")


@pytest.mark.parametrize(
    "text,message",
    [
        ("k\xe4\nka\u0308\n", "names k\xe4 more than once"),
        ("'cat'\n'dog'\n", "line 1: every class name has quotes around it"),
        ('"cat",\n"dog"\n', "line 1: every class name has quotes around it"),
        ("cat,\ndog,\n", "every class name has a separator at its end"),
        ("- cat\n- dog\n", "every class name has a dash in front"),
        ("0: cat\n1: dog\n", "every class name has a running number in front, such as '0: cat'"),
        ("1. cat\n2. dog\n", "every class name has a running number in front"),
        ("0,cat\n1,dog\n", "every class name has a running number in front"),
        ('[\n"cat",\n"dog"\n]\n', "line 1: '[' is not a class name but of another kind of file"),
        ("item {\n name: 'cat'\n}\n", "is not a class name but of another kind of file"),
        ("classes = ['cat', 'dog']\n", "is not a class name but of another kind of file"),
        ("<html>\n404\n</html>\n", "is not a class name but of another kind of file"),
        ("version https://git-lfs.github.com/spec/v1\nsize 3\n", "is not a class name but of another kind of file"),
        ("cat\nd\x07og\n", "line 2: the class name 'd\\x07og' holds the character '\\x07'"),
    ],
)
def test_names_of_other_forms_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "names.txt"
    file.write_text(text)
    with pytest.raises(ValueError) as error:
        read_class_names(file)
    assert message in str(error.value) and "names.txt" in str(error.value)


@pytest.mark.parametrize("text", ["0\n1\n2\n", "3 cats\n7 dogs\n", "cat\n'dog'\n", "-1\n+1\n"])
def test_names_that_only_look_so_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.txt").write_text(text)
    assert read_class_names(tmp_path / "names.txt") == text.split("\n")[:-1]


def test_ids_with_a_header_comments_and_notes(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("# of 2012\nwnid words\nn01440764 tench\nn02084071\tdog\n")
    with pytest.raises(ValueError, match="line 2: 'wnid words' would be class 0"):
        read_class_list(tmp_path / "ids.txt")
    (tmp_path / "ids.txt").write_text("# of 2012\nWNID\nn01440764 tench\nn02084071\tdog\n")
    assert read_class_list(tmp_path / "ids.txt") == ["n01440764", "n02084071"]
    (tmp_path / "pairs.txt").write_text("class name\nn01440764 tench, Tinca\n")
    (row,) = read_class_pairs(tmp_path / "pairs.txt", "an id and a name", rest=True)
    assert row.cells == ("n01440764", "tench, Tinca") and row.line == 2


def test_a_list_of_chosen_classes_knows_its_header_by_the_table(tmp_path: Path) -> None:
    described = {"/m/1": "Label", "/m/2": "Cat"}
    (tmp_path / "mine.txt").write_text("Label\nCat\n")
    assert choose_classes(str(tmp_path / "mine.txt"), described) == ["/m/1", "/m/2"]
    (tmp_path / "mine.txt").write_text("LabelName;DisplayName\n/m/2;Cat\n")
    assert choose_classes(str(tmp_path / "mine.txt"), described) == ["/m/2"]


def test_what_is_no_file(tmp_path: Path) -> None:
    for read in READERS:
        with pytest.raises(FileNotFoundError, match="is not there: give a text file"):
            read(tmp_path / "none.txt")
        with pytest.raises(FileNotFoundError, match="is a folder"):
            read(tmp_path)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).map(str.strip)
NAMES = NAMES.filter(lambda name: name.strip(" ,;|") and not name.startswith("#"))


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), st.sampled_from(["\n", "\r\n", "\r"]))
def test_written_names_come_back_or_are_refused(tmp_path_factory, names: list[str], end: str) -> None:
    file = tmp_path_factory.mktemp("names") / "names.txt"
    file.write_bytes(end.join(names).encode("utf-8-sig"))
    try:
        assert read_class_names(file) == names
    except ValueError as error:
        told = str(error)
        assert "names.txt" in told and ("line " in told or "more than once" in told)


@given(st.lists(st.one_of(NAMES, st.sampled_from(["label", "# a", "name", "id"])), min_size=1, unique=True))
def test_names_that_we_write_come_back(names: list[str]) -> None:
    assert class_names_of(class_names_text(names), "a.txt") == names


@given(st.dictionaries(st.from_regex(r"/m/[0-9a-z]{2,6}", fullmatch=True), NAMES, min_size=1, max_size=6))
def test_written_tables_come_back(tmp_path_factory, described: dict[str, str]) -> None:
    file = tmp_path_factory.mktemp("table") / "table.csv"
    lines = [f'{mid},"{name.replace(chr(34), chr(34) * 2)}"' for mid, name in described.items()]
    file.write_text("LabelName,DisplayName\n" + "\n".join(lines), encoding="utf-8")
    assert {row.cells[0]: row.cells[1] for row in read_class_table(file, "/m/1,A")} == described
