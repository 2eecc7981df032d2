"""What the size of the pre-training data does, in a sentence; the paper finds at most 1 % above a million boxes."""

from __future__ import annotations

from collections.abc import Sequence

from mmdetpre.study.records import Outcome
from mmdetpre.study.report.result_tables import ResultTable
from mmdetpre.study.report.text_format import listed, plain

MANY_BOXES = 1_000_000
PAPER = "The paper finds pre-trainings on more than a million boxes within 1 % of each other"


def boxes_of_inits(outcome: Outcome) -> dict[str, int]:
    """Boxes that each detection pre-training of the study has learned from, as they were counted, fewest first."""
    found = {}
    for entry in outcome.data:
        init = str(entry["key"]).removeprefix("pretraining_")
        boxes = entry["train"].get("objects")
        if init in outcome.inits and init != entry["key"] and isinstance(boxes, int) and boxes > 0:
            found[init] = boxes
    return dict(sorted(found.items(), key=lambda item: item[1]))


def size_sentences(outcome: Outcome, tables: Sequence[ResultTable]) -> list[str]:
    """How many boxes the pre-trainings have, and how far those above a million are apart; nothing without any.

    Args:
        outcome: What the study left.
        tables: Its tables.
    """
    boxes = boxes_of_inits(outcome)
    if not boxes:
        return []
    sizes = listed([f"{outcome.title_of_init(init)} {number:,}" for init, number in boxes.items()])
    sentences = [f"Boxes of the pre-trainings: {sizes}."]
    many = [init for init, number in boxes.items() if number > MANY_BOXES]
    if len(many) < 2:
        who = f"{outcome.title_of_init(many[0])} alone has" if many else "None of these has"
        return [*sentences, f"{PAPER}: this study cannot say it. {who} more than a million."]
    apart = _apart(tables, many)
    names = listed([outcome.title_of_init(init) for init in many])
    if not apart:
        return [*sentences, f"{PAPER}: {names} have no results to compare yet."]
    return [*sentences, f"{PAPER}. Here {names} are apart by {'; '.join(apart)}."]


def _apart(tables: Sequence[ResultTable], inits: Sequence[str]) -> list[str]:
    """Range of the means of some initializations: first column with results of Tables 2 and 4, all data of Table 5."""
    found = []
    for table in tables:
        if table.number not in ("2", "4", "5") or table.own:
            continue
        for column in table.columns:
            spreads = [table.entries[row, column.key].spread for row in inits if row in table.rows]
            means = [spread.mean for spread in spreads if spread is not None]
            if len(means) > 1:
                found.append(f"{plain(max(means) - min(means))} points on {_name(table, column.title)}")
                if table.number != "5":
                    break
    return found


def _name(table: ResultTable, column: str) -> str:
    of = {"2": "PASCAL VOC detection, ", "4": "PASCAL VOC segmentation, "}
    return f"{of.get(table.number, '')}{column}"
