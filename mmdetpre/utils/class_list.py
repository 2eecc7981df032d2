"""Class lists: the one reader of every text file that names classes, one per line.

Four forms: ids (WordNet ids ...), names, ``id,name`` tables and ``id name`` pairs. All of them know a header line when
they see one, for a header that becomes class 0 shifts every label by one.
"""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mmdetpre.utils.plain_text import name_problem
from mmdetpre.utils.text_files import Line, decode_text, read_lines, text_lines

_HEADERS = frozenset(
    {
        *(
            "id",
            "ids",
            "mid",
            "mids",
            "wnid",
            "wnids",
            "synset",
            "synsets",
            "wordnetid",
            "idx",
            "index",
            "number",
            "nr",
        ),
        *("label", "labels", "labelid", "labelmid", "labelname", "labelnames", "name", "names", "displayname"),
        *("class", "classes", "classid", "classids", "classname", "classnames", "description", "descriptions"),
        *("category", "categories", "categoryid", "categoryname", "categorynames", "readablename"),
    }
)
_ID_FORMS = (re.compile(r"n\d{8}"), re.compile(r"/[a-z]/[0-9a-z_]+"))  # of WordNet, of Freebase (OpenImages)
_OTHER_KIND = re.compile(
    r"<(!doctype|html|head|body|\?xml)|[{\[]\s*([\"']|$)|item\s*\{|version https://git-lfs|\w+\s*=\s*[\[({]",
    re.IGNORECASE,
)
_MARKS = {
    "quotes around it": re.compile(r"([\"']).*\1[,;]?"),
    "a separator at its end": re.compile(r".*[,;]"),
    "a dash in front": re.compile(r"[-*]\s.*"),
}
_DELIMITERS = ",;\t|"
_PLAIN = "# Class names in label order, one per line; no line below is a header or a comment."
_NAMES = "a text file with one class name per line"
_IDS = "a text file with one class id per line, or a list"


class ClassRow(NamedTuple):
    """A line of a class list: its number, its cells, and the whole of it."""

    line: int
    cells: tuple[str, ...]
    text: str


def read_class_list(classes: str | os.PathLike | Sequence[str]) -> list[str]:
    """Class ids (WordNet ids, for example) in label order.

    Args:
        classes: The ids themselves, or a text file with one at the start of each line; what follows a blank is skipped.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is none, one comes twice, or the first line reads like a header.

    Example:
        >>> read_class_list(["n02084071", "n02121808"])
        ['n02084071', 'n02121808']
    """
    source = "the class list"
    if isinstance(classes, str | os.PathLike):
        source = os.fspath(classes)
        classes = [row.cells[0] for row in class_rows(read_lines(classes, _IDS), source, str.split)]
    return _different(list(classes), source, "id")


def read_class_names(path: str | os.PathLike) -> list[str]:
    """Class names in label order, one per line, of a file or an address; blanks around a name do not belong to it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is none, one comes twice, or the first line reads like a header.
    """
    name = os.fspath(path)
    if "://" not in name:
        return _names(read_lines(path, _NAMES), name)
    from mmengine import fileio  # only who has data elsewhere waits for it

    return class_names_of(decode_text(fileio.get(name), name), name)


def class_names_of(text: str, source: str) -> list[str]:
    """Class names in the text of a file, see :func:`read_class_names`.

    Example:
        >>> class_names_of("cat" + chr(10) + " traffic light ", "classes.txt")
        ['cat', 'traffic light']
    """
    return _names(text_lines(text), source)


def class_names_text(names: Sequence[str]) -> str:
    """Text of a file of class names that comes back as it is, also where a name looks like a header or a comment.

    Example:
        >>> class_names_of(class_names_text(["label", "# cat"]), "classes.txt")
        ['label', '# cat']
    """
    return "".join(f"{line}\n" for line in (_PLAIN, *names))


def read_class_table(path: str | os.PathLike, example: str) -> list[ClassRow]:
    """Rows ``id,name`` of a CSV, with or without a header line; also separated by semicolons or tabs.

    Args:
        path: The file.
        example: A valid line, for messages.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Names a line that has another form, whose id comes twice, or that may be a header and may be not.
    """
    source = os.fspath(path)
    lines = read_lines(path, f"a text file of lines such as '{example}'")
    separator = next((c for line in lines[:1] for c in line.text if c in _DELIMITERS), ",")
    rows = class_rows(lines, source, lambda text: next(csv.reader([text], delimiter=separator, strict=True), []))
    seen: dict[str, int] = {}
    for row in rows:
        if len(row.cells) != 2 or not all(row.cells):
            found = "an empty cell" if len(row.cells) == 2 else f"{len(row.cells)} cells separated by {separator!r}"
            more = " A name that holds the separator must stand in quotes." if len(row.cells) > 2 else ""
            raise ValueError(
                f"{source}, line {row.line}: expected two cells, such as '{example}', found {found} in"
                f" {row.text[:80]!r}.{more}"
            )
        if row.cells[0] in seen:
            raise ValueError(
                f"{source}, line {row.line}: {row.cells[0]} comes twice, first in line {seen[row.cells[0]]}."
            )
        seen[row.cells[0]] = row.line
    if not rows:
        raise ValueError(f"{source} describes no class: expected lines such as '{example}'.")
    if len(rows) > 1 and not _one_form(row.cells[0] for row in rows) and _one_form(row.cells[1] for row in rows):
        raise ValueError(f"{source}: the id stands in the second column, expected it in the first, as in '{example}'.")
    return rows


def read_class_pairs(path: str | os.PathLike, form: str, *, rest: bool = False) -> list[ClassRow]:
    """Rows of an id and what belongs to it, a blank or a tab between them: ``n01440764 tench, Tinca tinca``.

    Args:
        path: The file.
        form: What the two are, for messages.
        rest: The second cell takes the rest of the line; False: it is one word, and a third one is refused.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Names a line that has another form.
    """
    source = os.fspath(path)
    lines = read_lines(path, f"a text file of lines of {form}")
    rows = class_rows(lines, source, lambda text: text.split(maxsplit=1) if rest else text.split())
    for row in rows:
        if len(row.cells) != 2:
            raise ValueError(f"{source}, line {row.line}: expected {form}, found {row.text.strip()[:80]!r}.")
    return rows


def class_rows(
    lines: Sequence[Line],
    source: str,
    cells_of: Callable[[str], Sequence[str]],
    is_class: Callable[[ClassRow], bool] = lambda row: False,
) -> list[ClassRow]:
    """The rows of a class list without comments (``# ...``), rows of separators alone, and a header line.

    A first line is a header if all its cells are such words as "label" and "class", while there are two of them or all
    other lines begin with an id of WordNet or OpenImages.

    Args:
        lines: Lines of the file.
        source: Its name, for messages.
        cells_of: Takes a line apart.
        is_class: Tells rows that are known to be classes, where that is known.

    Raises:
        ValueError: If the first line may be a header and may be a class.

    Example:
        >>> class_rows(text_lines("LabelName" + chr(10) + "/m/0k4j"), "classes.txt", str.split)
        [ClassRow(line=2, cells=('/m/0k4j',), text='/m/0k4j')]
    """
    rows = []
    for line in lines:
        if line.text.lstrip().startswith(("# ", "#\t")) or not line.text.strip(" \t,;|"):
            continue
        try:
            cells = tuple(cell.strip() for cell in cells_of(line.text))
        except csv.Error as error:
            raise ValueError(
                f"{source}, line {line.number}: {line.text[:80]!r} is not a row of a CSV ({error})."
            ) from None
        rows.append(ClassRow(line.number, cells, line.text))
    if not rows or is_class(rows[0]):
        return rows
    first, words = rows[0], [word for word in re.split(r"[,;\t|]", rows[0].text) if word.strip()]
    all_headers = all(re.sub(r"[^a-z]", "", word.lower()) in _HEADERS for word in words)
    with_ids = len(rows) > 1 and _one_form(row.cells[0] for row in rows[1:]) and not _one_form([first.cells[0]])
    if all_headers and (with_ids or len(first.cells) > 1):
        return rows[1:]
    if with_ids or (all_headers and len(rows) > 1):
        why = f"the other lines begin with ids such as {rows[1].cells[0]}" if with_ids else "it reads like a header"
        raise ValueError(
            f"{source}, line {first.line}: {first.text.strip()[:80]!r} would be class 0, but {why}. Remove the line if"
            " it is a header; if it is a class, give the classes as a list, not as a file."
        )
    return rows


def _one_form(ids: Iterable[str]) -> bool:
    """Whether all are ids of one form that is known."""
    found = list(ids)
    return any(all(form.fullmatch(one) for one in found) for form in _ID_FORMS)


def _require_plain(rows: Sequence[ClassRow], source: str) -> None:
    """Refuse lines of another kind of file, and marks that all names would keep: quotes, numbers, separators."""
    texts = [row.text.strip() for row in rows]
    for row, text in zip(rows, texts, strict=True):
        if problem := name_problem(text):
            raise ValueError(f"{source}, line {row.line}: the class name {text[:80]!r} {problem}.")
    if texts and _OTHER_KIND.match(texts[0]):
        raise ValueError(
            f"{source}, line {rows[0].line}: {texts[0][:80]!r} is not a class name but of another kind of file (JSON,"
            " HTML, a pointer of Git LFS ...). Expected one name per line."
        )
    numbers = [found and int(found[0]) for found in (re.match(r"\d+(?=[\s:.,;)]+\S)", text) for text in texts)]
    start = numbers[0] if numbers else None
    counted = start in (0, 1) and numbers == list(range(start, start + len(texts)))
    marked = next((kind for kind, form in _MARKS.items() if all(map(form.fullmatch, texts))), "")
    if len(texts) > 1 and (counted or marked):
        raise ValueError(
            f"{source}, line {rows[0].line}: every class name has {marked or 'a running number in front'}, such as"
            f" {texts[0][:80]!r}. Expected the names alone, one per line."
        )


def _names(lines: Sequence[Line], source: str) -> list[str]:
    if lines and lines[0].text == _PLAIN:
        return _different([line.text.strip() for line in lines[1:]], source, "name")
    rows = class_rows(lines, source, lambda text: [text])
    _require_plain(rows, source)
    return _different([row.cells[0] for row in rows], source, "name")


def _different(classes: list[str], source: str, what: str) -> list[str]:
    if not classes:
        raise ValueError(f"{source} names no class: give one class {what} per line.")
    forms = Counter(unicodedata.normalize("NFC", name) for name in classes)
    if twice := [name for name, count in forms.items() if count > 1]:
        raise ValueError(f"{source} names {', '.join(sorted(twice)[:5])} more than once: a label is one class.")
    return classes
