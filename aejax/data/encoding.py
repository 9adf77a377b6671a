"""From columns of cells to features and labels: numbers as they are, a feature for each category, classes by number."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from aejax.data.columns import understand
from aejax.data.dates import as_date, calendar_parts
from aejax.data.labels import WHOLE, separate
from aejax.data.scaling import stored
from aejax.data.splits import Raw, check_columns
from aejax.data.tables import AGAIN, AS_SEEN, LARGEST_WHOLE, MISSING_MEAN, Cells, Reading, expanded, numbers, value_of
from aejax.errors import UserError, one_of
from aejax.types import Column, Split

MOST_CATEGORIES = 100  # of a column: one with more is more likely a name or a key
LARGEST = np.finfo(np.float32).max / 4  # so that differences of two values are still finite
NONE = np.zeros((), bool)  # of the columns: no logarithm is taken
BLOCK = 4096  # rows that are looked at together
FAR = 256.0  # times its spread, the greatest value of a column that is not counted from 0
MOVED = 1e-4  # of its spread, by float32


def features(
    columns: Mapping[str, Cells], layout: Sequence[Column], where: object, faults: dict[int, str] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The features of a table: a number as it is; 0 or 1 for two categories, else a feature of 0 and 1 for each.

    Args:
        columns: of the table.
        layout: which features each of them takes; empty where all are numbers.
        where: what is read, for messages.
        faults: comes to hold, by the number of a row, why a cell of it cannot be read, which is NaN then; None refuses.

    Returns:
        x (rows, features) float64, NaN where missing; names, one for each feature.

    Raises:
        UserError: a cell is text or of no known category, or there is no row.
    """
    if not columns or not len(next(iter(columns.values())).values):
        raise UserError(f"{where}: there is no row")
    parts, names = [], []
    for column in layout or [Column(name, start) for start, name in enumerate(columns)]:
        cells = columns[column.name]
        if column.categories:
            parts.append(_one_hot(column, cells, where, faults))
        else:
            parts.append(_floats(column.name, cells, where, faults)[:, None])
        names += feature_names(column)
    return np.concatenate(parts, 1), tuple(names)


def as_raw(
    columns: Mapping[str, Cells],
    label_column: str | None,
    categories: Sequence[str] | None,
    where: object,
    *,
    source: str,
    understood: Sequence[str] = (),
    reading: Reading = AS_SEEN,
    log: Sequence[str] = (),
) -> Raw:
    """The data set of a table of one's own.

    Args:
        columns: of the table.
        label_column: that of the labels, which is no feature; None without labels.
        categories: names of the columns that hold categories, or patterns; None for all that hold text.
        where: what is read, for messages.
        source: where it comes from, in one line.
        understood: how it was read, a line for each thing.
        reading: what is known of the columns.
        log: names, or patterns, of the columns of numbers of which the logarithm is taken.

    Raises:
        UserError: as from `separate`, `understand`, `lay_out` and `features`, or a column has no value.
    """
    columns, labels = separate(columns, label_column, where)
    categories, log = None if categories is None else expanded(categories, columns), expanded(log, columns)
    for name in categories or ():
        if name not in columns:
            raise one_of(name, columns, what=f"data.categories, a column of {where}")
    meaning = understand(columns, categories or (), reading, where, named=categories is not None)
    columns = meaning.columns
    if categories is None:
        categories = [name for name, cells in columns.items() if cells.values.dtype == object]
    layout = lay_out(columns, categories, where)
    values, names = features(columns, layout, where)
    numbers = [column.name for column in layout if not column.categories] or names
    odd = stand_ins(values, names, "data.missing_words=('{:g}',) says so" if reading != AGAIN else "NaN says so")
    form = storage(values, names, log, numbers, where)
    x, mask = observed(stored(values, form.origin, form.log), names, where)
    check_columns(mask, names, where)
    return Raw(
        train=Split(x, mask, labels and labels.values),
        source=source,
        label_names=labels.names if labels else (),
        feature_names=names,
        columns=layout,
        understood=(*understood, *meaning.lines, *odd, *form.lines),
        reading=meaning.reading,
        origin=form.origin,
        log=form.log,
    )


def stand_ins(x: np.ndarray, names: Sequence[str], advice: str) -> list[str]:
    """A line on each column (rows, features) with a number such as -999 twice, farther from the others than these lie.

    `advice` says what makes it a missing one.
    """
    lines = []
    for at, column in enumerate(x.T):
        values = column[np.isfinite(column)]
        for end in {values.min(), values.max()} if len(values) else ():
            others, count = values[values != end], int((values == end).sum())
            if count < 2 or not len(others) or set(f"{abs(end):g}") != {"9"} or abs(end) < 99:
                continue
            if min(abs(end - others.min()), abs(end - others.max())) > np.ptp(others):
                line = f"column {names[at]!r} holds {end:g} {count} times, far from its other values"
                lines.append(f"{line}: if it stands for a missing one, {advice.format(end)}")
    return lines


class Storage(NamedTuple):
    """How the values of features are stored, as `aejax.data.scaling.stored` does it.

    Attributes:
        origin: `Dataset.origin`, what they are counted from.
        log: `Dataset.log`, the features whose logarithm it is.
        lines: what a person should know of both, and of values that float32 makes equal.
    """

    origin: np.ndarray = np.zeros(())
    log: np.ndarray = NONE
    lines: tuple[str, ...] = ()


def storage(x: np.ndarray, names: Sequence[str], log: Sequence[str], numbers: Sequence[str], where: object) -> Storage:
    """How rows (m, features) of float64, NaN where missing, are to be stored; images as they are.

    The other arguments, and errors, are those of `_logarithms`.
    """
    is_log = _logarithms(x, names, log, numbers, where)
    if x.ndim != 2:
        return Storage()
    taken = [f"of column {names[at]!r} the logarithm is taken" for at in np.flatnonzero(is_log)]
    values = stored(x, np.zeros(()), is_log)
    start = origin(values)
    return Storage(start, is_log, (*taken, *precision(values, start, names)))


def _logarithms(
    x: np.ndarray, names: Sequence[str], log: Sequence[str], numbers: Sequence[str], where: object
) -> np.ndarray:
    """Which features are to be stored as their logarithms, (features,) bool; () where none is.

    Args:
        x: (rows, features) float64, NaN where missing.
        names: one for each feature.
        log: the names of those that are asked for.
        numbers: those of columns of numbers.
        where: what is read, for messages.

    Raises:
        UserError: there is no such column of numbers, or a value in it is not above 0.
    """
    for name in log:
        if name not in numbers:
            raise one_of(name, numbers, what=f"data.log, a column of numbers of {where}")
    is_log = np.isin(np.array(names, str), np.array(log, str)) if log else NONE
    refuse_no_logarithm(x, is_log, names, where)
    return is_log


def refuse_no_logarithm(x: np.ndarray, is_log: np.ndarray, names: Sequence[str], where: object) -> None:
    """Refuse values (rows, features) that have no logarithm, in columns of which it is taken.

    Raises:
        UserError: naming the first of them.
    """
    with np.errstate(invalid="ignore"):
        wrong = np.argwhere((x <= 0) & is_log) if is_log.any() else ()
    if len(wrong):
        row, at = wrong[0]
        name = f"column {names[at]!r}" if len(names) else f"value {at + 1}"
        line = f"{where}: row {row + 1}, {name} holds {x[row, at]:g}, which has no logarithm"
        raise UserError(f"{line}; allowed: values above 0, or a net without data.log of it")


def origin(x: np.ndarray) -> np.ndarray:
    """Where each column is counted from, so that float32 keeps its values apart: 0, or the least value.

    It is 0 unless the greatest value is more than `FAR` times as large as their spread and float32 makes different
    ones equal, or moves one by more than `MOVED` of the spread: as of seconds since 1970.

    Args:
        x: (rows, *feature_shape) numbers, NaN where missing.

    Returns:
        float64 of the feature shape; () where all are 0.
    """
    if (x.dtype != np.float64 and x.dtype.kind not in "iu") or x.ndim != 2 or not len(x):
        return np.zeros(())
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without a value
        low, high = np.nanmin(x, 0), np.nanmax(x, 0)
        far = np.isfinite(low) & np.isfinite(high) & (np.maximum(abs(low), abs(high)) > FAR * (high - low))
    start = np.zeros(x.shape[1])
    for at in np.flatnonzero(far & (high > low)):
        values = x[~np.isnan(x[:, at]), at].astype(np.float64)
        rounded = values.astype(np.float32)
        moved = np.abs(rounded - values).max() > MOVED * (high[at] - low[at])
        if moved or len(np.unique(rounded)) < len(np.unique(values)):
            start[at] = low[at]
    return start if start.any() else np.zeros(())


def common_origin(files: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Where the columns of several arrays, which may lie on the disk, are counted from: 0, or the least value of all.

    That is of columns whose greatest value is more than `FAR` times their spread, and which float32 does not hold.

    Args:
        files: (rows, *feature_shape), and what they are counted from already.

    Returns:
        As of `origin`.
    """
    low, high, exact = np.inf, -np.inf, True
    for x, start in files:
        if x.ndim != 2 or (np.can_cast(x.dtype, np.float32) and not start.any()):
            continue
        for at in range(0, len(x), BLOCK):
            block = np.asarray(x[at : at + BLOCK], np.float64) + start
            low, high = np.minimum(low, block.min(0)), np.maximum(high, block.max(0))
            with np.errstate(over="ignore"):
                exact = exact & (block.astype(np.float32) == block).all(0)
    if np.ndim(low) == 0:
        return np.zeros(())
    with np.errstate(invalid="ignore"):
        far = (high > low) & np.isfinite(high - low) & (np.maximum(abs(low), abs(high)) > FAR * (high - low))
    start = np.where(far & ~exact, low, 0.0)
    return start if start.any() else np.zeros(())


def counted_from(start: np.ndarray, names: Sequence[str]) -> list[str]:
    """A line on each column that is not counted from 0, `Dataset.origin` being `start`, (features,)."""
    line = "column {!r} is counted from {:.17g}, since float32 cannot tell its values apart"
    return [line.format(names[at] if names else str(at), start[at]) for at in np.flatnonzero(start)]


def precision(x: np.ndarray, start: np.ndarray, names: Sequence[str]) -> list[str]:
    """Lines on the columns that are not counted from 0, and on those of which float32 makes different values equal."""
    name = lambda at: f"column {(names[at] if names else str(at))!r}"
    shift = np.broadcast_to(start, x.shape[1:])
    lines = counted_from(shift, names)
    exact = x.dtype == np.float32 or (x.dtype.kind in "biu" and x.dtype.itemsize < 4)
    for at in range(0 if exact else x.shape[1]):
        values = np.sort(x[~np.isnan(x[:, at]), at] - shift[at])  # float32 keeps their order
        with np.errstate(over="ignore", invalid="ignore"):  # `observed` refuses what is too large
            before, after = (1 + int((np.diff(each) != 0).sum()) for each in (values, values.astype(np.float32)))
        if after < 0.99 * before:
            lines.append(f"{name(at)}: float32 makes {after} values of {before} different ones")
    return lines


def beyond_float64(x: np.ndarray) -> list[str]:
    """Lines on the columns of an array (m, n) of whole numbers so large that float64 makes different ones equal."""
    lines = []
    for at, column in enumerate(x.T if x.dtype.kind in "iu" and x.dtype.itemsize == 8 else ()):
        if max(int(column.max()), -int(column.min())) >= LARGEST_WHOLE:
            before, after = len(np.unique(column)), len(np.unique(column.astype(np.float64)))
            said = f"column {str(at)!r} holds whole numbers of which float64 makes {after} of {before} different ones"
            lines += [said] if after < before else []
    return lines


def _floats(name: str, cells: Cells, where: object, faults: dict[int, str] | None) -> np.ndarray:
    try:
        return numbers(cells)
    except ValueError:
        values = [np.nan if gone else value_of(cell) for cell, gone in zip(*cells, strict=True)]
    for row in (row for row, value in enumerate(values) if value is None):
        line = f"column {name!r} holds text ({cells.values[row]!r} in row {row + 1})"
        if faults is None:
            advice = "encode it as numbers, drop it, or name it in data.categories or as data.label_column"
            raise UserError(
                f"{where}: {line}; {advice}; data.ignore leaves it out, data.missing_words reads it as missing"
            )
        faults.setdefault(row, line)
    return np.array([np.nan if value is None else value for value in values])


def observed(x: np.ndarray, names: Sequence[str], where: object) -> tuple[np.ndarray, np.ndarray | None]:
    """float32 values, images of bytes as they are, and the mask of what is there.

    Args:
        x: (rows, *feature_shape) numbers, NaN where missing.
        names: one for each feature of a table; empty for images.
        where: what is read, for messages.

    Returns:
        x in float32, or of bytes, and bool of the same shape, True where observed; None where everything is.

    Raises:
        UserError: a value is infinite, or all values of a row are missing.
    """
    if x.dtype == np.uint8 and x.ndim == 4:
        return x, None
    missing = np.isnan(x)
    infinite = np.abs(x) > LARGEST
    if infinite.any():
        at = np.argwhere(infinite)[0]
        column = repr(names[at[1]]) if names else tuple(map(int, at[1:]))
        raise UserError(
            f"{where}: row {at[0] + 1}, column {column} holds {x[tuple(at)]}, which is infinite or too large for"
            f" float32; {MISSING_MEAN}"
        )
    empty = np.flatnonzero(missing.reshape(len(x), -1).all(1))
    if len(empty):
        raise UserError(f"{where}: every value of row {empty[0] + 1} is missing; drop the row")
    with np.errstate(invalid="ignore"):  # a NaN of any kind
        return x.astype(np.float32, copy=False), ~missing if missing.any() else None


# Categories.


def lay_out(columns: Mapping[str, Cells], categories: Sequence[str], where: object) -> tuple[Column, ...]:
    """The columns of a table and which features they take; none where there are no categories.

    Args:
        columns: of the table.
        categories: names of those that hold categories.
        where: what is read, for messages.

    Raises:
        UserError: there is no such column, or it has one category only or too many.
    """
    for name in categories:
        if name not in columns:
            raise one_of(name, columns, what=f"data.categories, a column of {where}")
    layout, start = [], 0
    for name in columns if categories else ():
        levels = _levels(name, columns[name], where) if name in categories else ()
        layout.append(Column(name, start, len(levels) if len(levels) > 2 else 1, levels))
        start += layout[-1].size
    return tuple(layout)


def _levels(name: str, cells: Cells, where: object) -> tuple[str, ...]:
    """The categories of a column, sorted, as numbers where all of them are."""
    levels = {spelled(cell) for cell in cells.values[~cells.missing]}
    if not 2 <= len(levels) <= MOST_CATEGORIES:
        allowed = f"2 to {MOST_CATEGORIES}, or drop the column"
        raise UserError(f"{where}: column {name!r} has {len(levels)} categories; allowed: {allowed}")
    return tuple(sorted(levels, key=_rank))


def _rank(text: str) -> tuple[bool, float, str]:
    """Numbers come first, by their size."""
    value = value_of(text)
    return value is None or value != value, value if value and value == value else 0.0, text


def spelled(cell: object) -> str:
    """The category in a cell; 1.0 is 1, and a code such as 01234 or 1E5 stays as it is written."""
    if isinstance(cell, str) and not WHOLE.fullmatch(cell):
        return cell
    if isinstance(cell, str) and "e" not in cell.lower() and cell[:2] != "-0":  # of any number of digits
        return cell.lstrip("+").partition(".")[0]
    value = float(cell)
    return str(int(value)) if np.isfinite(value) and value == int(value) else str(cell)


def _one_hot(column: Column, cells: Cells, where: object, faults: dict[int, str] | None) -> np.ndarray:
    """(rows, column.size) of 0 and 1, NaN where the cell is missing."""
    level_of = {level: at for at, level in enumerate(column.categories)}
    x = np.full((len(cells.values), column.size), np.nan)
    for row in np.flatnonzero(~cells.missing):
        level = spelled(cells.values[row])
        if level not in level_of:
            allowed = ", ".join(column.categories)
            line = f"row {row + 1}: {level!r} of column {column.name!r} was not seen in training; allowed: {allowed}"
            if faults is None:
                raise UserError(f"{where}: {line}")
            faults.setdefault(int(row), line)
            continue
        x[row] = level_of[level] if column.size == 1 else np.arange(column.size) == level_of[level]
    return x


def level_of(x: np.ndarray, column: Column) -> np.ndarray:
    """The number of the category that each of rows (m, n) has in a column, (m,); of the likeliest one."""
    part = x[:, column.start : column.start + column.size]
    return (part[:, 0] > 0.5).astype(int) if column.size == 1 else part.argmax(1)


def as_columns(x: np.ndarray, columns: Sequence[Column], dates: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Rows (m, n) as the columns of a table: numbers, categories and dates as text; the way back from `features`.

    Args:
        x: in the units of the data, NaN where a value is missing.
        columns: and which features they take.
        dates: columns of dates and their layout, ``name=%d/%m/%Y``; the parts of their calendar are left out.
    """
    layouts = {name: layout for name, _, layout in (each.partition("=") for each in dates)}
    parts = calendar_parts(layouts)
    by_name = {}
    for column in columns:
        values, missing = x[:, column.start], np.isnan(x[:, column.start])
        if column.categories:
            texts = [column.categories[level] for level in level_of(x, column)]
            by_name[column.name] = np.where(missing, "", np.array(texts, object))
        elif column.name in layouts:
            texts = ["" if np.isnan(value) else as_date(value, layouts[column.name]) for value in values]
            by_name[column.name] = np.array(texts, object)
        elif column.name not in parts:
            by_name[column.name] = values
    return by_name


def feature_names(column: Column) -> tuple[str, ...]:
    """``"age"`` of numbers, ``"sex=male"`` of two categories, ``"region=north"``, … of more."""
    shown = column.categories[1:] if column.size == 1 else column.categories
    return tuple(f"{column.name}={category}" for category in shown) or (column.name,)


def per_column(x: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """Rows with one value for each column, that of a column of categories the number of its category."""
    if not columns:
        return x
    first = lambda column: x[:, column.start]
    level = lambda column: np.where(
        np.isnan(first(column)), np.nan, x[:, column.start : column.start + column.size].argmax(1)
    )
    return np.stack([first(c) if c.size == 1 else level(c) for c in columns], axis=1)


def per_feature(x: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """What holds for a column, for each of its features: (rows, columns) -> (rows, features)."""
    return np.repeat(x, [column.size for column in columns], axis=1) if columns else x
