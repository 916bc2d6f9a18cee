"""The report: figures with their targets."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import harness

MEETS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
}


@dataclass(frozen=True)
class Row:
    """One line of the report. Without a target, `met` is None."""

    what: str
    figure: float | None
    unit: str
    target: str = ""
    met: bool | None = None
    note: str = ""


def row(
    what: str, figure: float | None, unit: str = "", target: str = "", note: str = ""
) -> Row:
    """Returns a row with a target such as `<= 3.0`. A figure that could not be measured (None) does not meet it."""
    if not target:
        return Row(what, figure, unit, note=note)
    sign, bound = target.split()
    met = figure is not None and MEETS[sign](figure, float(bound))
    return Row(what, figure, unit, target, met, note)


def text(rows: list[Row]) -> str:
    cells = [["what", "figure", "unit", "target", "met", "note"]]
    for each in rows:
        figure = (
            "-" if each.figure is None else f"{each.figure:,.{digits(each.figure)}f}"
        )
        met = "" if each.met is None else "yes" if each.met else "NO"
        cells.append([each.what, figure, each.unit, each.target, met, each.note])
    return harness.table(cells)


def digits(figure: float) -> int:
    """Returns the decimals to print: 0 for counts and from 100 up, 1 from 10 up, otherwise 3."""
    if isinstance(figure, int) or figure >= 100:
        return 0
    return 1 if figure >= 10 else 3
