"""In which form a large CSV of OpenImages is written, and in which line of it something is wrong."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import pandas as pd

from mmdetpre.utils.text_files import encoding_of, text_lines

_SEPARATORS = ",;\t|"
_HEAD = 1 << 16  # bytes that are considered to find the form
_SHOWN = 80
_ROWS_PER_CHUNK = 500_000


@dataclass(frozen=True)
class CsvForm:
    """How to read the columns of a CSV.

    Attributes:
        path: The file.
        encoding: Of its text.
        separator: Between cells.
        decimal: Point or comma of its numbers.
        header_line: Number of the line with the names of the columns, from 1.
        names: Name of each wanted column -> its name in the file.
        width: Cells of the header.
        longer: Whether rows have empty cells beyond those of the header.
    """

    path: str
    encoding: str
    separator: str
    decimal: str
    header_line: int
    names: Mapping[str, str]
    width: int
    longer: bool = False

    def chunks(self, types: Mapping[str, type], file: IO[bytes] | None = None) -> Iterator[pd.DataFrame]:
        """The wanted columns under their own names, some hundred thousand rows at a time.

        Args:
            types: Type of each column.
            file: The opened file, whose position tells the progress; None: it is opened here.

        Raises:
            ValueError: If a cell is not of its column's type; pandas' ``ParserError`` where rows differ in length.
        """
        chunks = pd.read_csv(
            self.path if file is None else file,
            chunksize=_ROWS_PER_CHUNK,
            encoding=self.encoding,
            sep=self.separator,
            index_col=False if self.longer else None,  # else pandas takes the first column for an index: all shift
            decimal=self.decimal,
            skiprows=self.header_line - 1,
            usecols=[self.names[name] for name in types],
            dtype={self.names[name]: kind for name, kind in types.items()},
        )
        for chunk in chunks:
            yield chunk.rename(columns={theirs: ours for ours, theirs in self.names.items()})

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row below the header, lines without any sign left out.

        Raises:
            ValueError: Names a line that is in another encoding, or no row of a CSV.
        """
        with open(self.path, encoding=self.encoding, errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, delimiter=self.separator)
            try:
                for cells in reader:
                    if reader.line_num <= self.header_line or not cells:
                        continue
                    for cell in cells:
                        if not cell.isascii() and any("\udc80" <= sign <= "\udcff" for sign in cell):
                            raise ValueError(
                                f"{self.path}, line {reader.line_num} is not {self.encoding.upper()}: save the file as"
                                " UTF-8."
                            )
                    yield reader.line_num, cells
            except (csv.Error, UnicodeError) as error:
                raise ValueError(f"{self.path}, line {reader.line_num + 1} cannot be read ({error}).") from error

    def wrong_row(self, checks: Mapping[str, Callable[[str], str]]) -> str:
        """Where the first row is that cannot be used, and why; empty if there is none.

        Args:
            checks: Name of a column -> function that tells what is wrong with a cell, or nothing.
        """
        header = next(cells for line, cells in self._with_header() if line == self.header_line)
        places = {name: header.index(self.names[name]) for name in checks}
        for line, cells in self.rows():
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > self.width and any(cell.strip() for cell in cells[self.width :]):
                return f"{self.path}, line {line} has {len(cells)} cells, the header {self.width}: it is damaged."
            for name, check in checks.items():
                cell = cells[places[name]] if places[name] < len(cells) else ""
                plain = cell if self.decimal == "." else cell.replace(".", "?").replace(self.decimal, ".")
                if problem := check(plain):
                    return f"{self.path}, line {line}: {name} is {cell[:_SHOWN]!r}, {problem}."
        return ""

    def line_of(self, row: int) -> int:
        """Line of a row, counted from 0."""
        return next((line for number, (line, _) in enumerate(self.rows()) if number == row), 0)

    def _with_header(self) -> Iterator[tuple[int, list[str]]]:
        with open(self.path, encoding=self.encoding, errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, delimiter=self.separator)
            try:
                for cells in reader:
                    yield reader.line_num, cells
            except csv.Error as error:  # such as a zero byte, before Python 3.11
                raise ValueError(f"{self.path}, line {reader.line_num + 1} cannot be read ({error}).") from error


def csv_form(path: str | os.PathLike, columns: Sequence[str], official: Sequence[str]) -> CsvForm:
    """Find encoding, separator, decimal sign and columns of a CSV by its first lines.

    Args:
        path: The file.
        columns: Names of the wanted columns; upper and lower case and blanks around them do not matter.
        official: The official header, for messages.

    Raises:
        ValueError: Names the missing columns, those found and the official header.

    Example:
        >>> csv_form("validation-annotations-bbox.csv", ["ImageID"], ["ImageID", "LabelName"]).separator
        ','
    """
    source = os.fspath(path)
    with open(path, "rb") as file:
        data = file.read(_HEAD)
    encoding = encoding_of(data)
    lines = [line for line in text_lines(data.decode(encoding, "replace")) if line.text.strip(_SEPARATORS + ' "')]
    header = lines[0] if lines else None
    found: list[str] = []
    separator = ","
    for sign in _SEPARATORS if header else "":
        cells = _cells(header.text, sign)  # type: ignore[union-attr]
        if _missing(columns, cells) < _missing(columns, found) or not found:
            found, separator = cells, sign
    plain = [cell.strip().lower() for cell in found]
    if missing := [name for name in columns if name.lower() not in plain]:
        raise ValueError(
            f"{source} lacks the column{'s'[: len(missing) > 1]} {', '.join(missing)}; it has"
            f" {', '.join(found)[:300] or 'none'} (line {header.number if header else 1}). Use the official OpenImages"
            f" file, whose first line is {','.join(official)}."
        )
    if twice := [name for name in columns if plain.count(name.lower()) > 1]:
        raise ValueError(f"{source}, line {header.number}: the column {twice[0]} is there twice.")  # type: ignore[union-attr]
    names = {name: found[plain.index(name.lower())] for name in columns}
    first = _cells(lines[1].text, separator) if len(lines) > 1 else []
    if len(first) > len(found) and any(cell.strip() for cell in first[len(found) :]):
        raise ValueError(
            f"{source}, line {lines[1].number} has {len(first)} cells, the header {len(found)}: is the decimal sign a"
            " comma, as the separator is? Write numbers with a point."
        )
    decimal = "," if any("," in cell and "." not in cell and _is_number(cell) for cell in first) else "."
    return CsvForm(source, encoding, separator, decimal, header.number, names, len(found), len(first) > len(found))  # type: ignore[union-attr]


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return line.split(separator)


def _missing(columns: Sequence[str], cells: Sequence[str]) -> int:
    plain = {cell.strip().lower() for cell in cells}
    return sum(name.lower() not in plain for name in columns)


def _is_number(cell: str) -> bool:
    return cell.strip().replace(",", "", 1).lstrip("-").isdigit()
