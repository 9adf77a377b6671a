"""What new rows are held to, column by column: numbers in a range that is given, and values that do not repeat."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from aejax.data.dates import calendar_parts
from aejax.data.tables import Reading, value_of
from aejax.errors import UserError, one_of
from aejax.types import Column

BETWEEN = ".."  # stands between the ends of a range
ROUNDS, LEAST = 50, 1000  # draws until there are enough rows, and rows of a draw


class Constraints(NamedTuple):
    """What rows are held to.

    Attributes:
        ranges: by the first feature of a column, the least and the greatest number.
        unique: the features of each column in which no two rows are alike.
        names: of the columns, for messages.
    """

    ranges: Mapping[int, tuple[float, float]]
    unique: Sequence[slice]
    names: Sequence[str]


def read(
    given: Mapping[str, Any], unique: Sequence[str], columns: Sequence[Column], reading: Reading
) -> tuple[Constraints, dict[str, Any]]:
    """The constraints among what is given, and the others of it, values that every row has.

    Args:
        given: by the name of a column, a value, ``"LOW..HIGH"``, or a pair (low, high).
        unique: names of columns.
        columns: of the rows.
        reading: how their file is read; numbers have its decimal mark, and dates no range.

    Raises:
        UserError: there is no such column, or an end of a range is no number.
    """
    dated = {date.partition("=")[0] for date in reading.dates}
    by_name = {column.name: column for column in columns if column.name not in calendar_parts(dated)}
    ranges, values = {}, {}
    for name, value in given.items():
        text = BETWEEN.join(map(str, value)) if isinstance(value, tuple) else str(value)
        if name not in by_name or name in dated or by_name[name].categories or BETWEEN not in text:
            values[name] = value
            continue
        ends = [end.strip().replace(reading.decimal or ".", ".") for end in text.split(BETWEEN, 1)]
        low, high = (value_of(end) if end else limit for end, limit in zip(ends, (-np.inf, np.inf), strict=True))
        if low is None or high is None or not low <= high:
            raise UserError(
                f"given: {name}={text}; allowed: LOW{BETWEEN}HIGH, two numbers, of which one may be left out"
            )
        ranges[by_name[name].start] = (low, high)
    for name in unique:
        if name not in by_name:
            raise one_of(name, by_name, what="unique: a column")
    parts = [slice(by_name[name].start, by_name[name].start + by_name[name].size) for name in unique]
    return Constraints(ranges, parts, [*(set(given) - set(values)), *unique]), values


def held(draw: Callable[[int, int], np.ndarray], count: int, constraints: Constraints) -> np.ndarray:
    """Rows that hold to constraints: others are drawn again, so that the rows have the distribution given these.

    Args:
        draw: ``(number, rows) -> (rows, n)``, other rows for each number.
        count: how many are wanted.
        constraints: what they are held to.

    Raises:
        UserError: there are not so many among all that were drawn.
    """
    size, rows = max(count, LEAST), []
    for number in range(ROUNDS):
        more = draw(number, size)
        for at, (low, high) in constraints.ranges.items():
            more = more[(low <= more[:, at]) & (more[:, at] <= high)]
        rows = np.concatenate([rows, more]) if number else more
        for part in constraints.unique:
            first = np.unique(rows[:, part], axis=0, return_index=True)[1]
            rows = rows[np.sort(first)]
        if len(rows) >= count:
            return rows[:count]
    line = f"sample: of {ROUNDS * size} rows that were drawn {len(rows)} hold to what is asked of"
    raise UserError(f"{line} {', '.join(constraints.names)}; allowed: fewer rows, or wider ranges")
