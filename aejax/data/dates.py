"""Dates and times in text: the forms that are seen, days since 1970 and parts of the calendar, and the way back."""

import re
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from aejax.data.tables import Cells, filled
from aejax.errors import UserError

_YEARS = (1678, 2261)  # that pandas tells apart to the nanosecond
DAY = 86400.0  # seconds
_NUMBERS_OF_A_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})([ T]\d{1,2}:\d{2}(:\d{2})?)?")
_ISO = re.compile(r"\d{4}-\d{2}(-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?)?(Z|[+-]\d{2}:?\d{2})?|\d{4}/\d{2}/\d{2}")
_CLOCK = re.compile(r"\d{1,3}:\d{2}(:\d{2}(\.\d+)?)?")


def are_dates(texts: np.ndarray) -> bool:
    """Whether cells are dates, or times of a day."""
    forms = (_ISO, _NUMBERS_OF_A_DATE, _CLOCK)
    return len(texts) > 0 and any(all(form.fullmatch(text) for text in texts[:100]) for form in forms)


def calendar_parts(dates: Iterable[str]) -> set[str]:
    """The names of the columns that `days_of` makes of columns of dates, beside their days."""
    return {f"{name}.{part}" for name in dates for part in ("month", "weekday", "hour")}


def days_of(
    name: str, cells: Cells, layout: str | None, where: object, faults: dict[int, str] | None
) -> tuple[dict[str, Cells], str]:
    """The days since 1970 of dates, or the day's share of times, and the parts of the calendar; and the layout."""
    import pandas

    texts = pandas.Series(cells.values[~cells.missing].astype(str))
    layout = layout or _layout(name, texts, where)
    errors = "raise" if faults is None else "coerce"
    try:
        if layout == "%H:%M":
            whole = [text + ":00" if text.count(":") == 1 else text for text in texts]
            at = pandas.Series(pandas.to_timedelta(whole, errors=errors))
        else:
            with warnings.catch_warnings():
                # Python 3.13 warns of a layout without a year, in words that are of no use to a person.
                warnings.simplefilter("ignore", DeprecationWarning)
                at = pandas.to_datetime(texts, format=layout, utc=True, errors=errors)
            at = at if faults is None else at.where(at.dt.year.between(*_YEARS))
            since = (at - pandas.Timestamp(0, tz="UTC")) / pandas.Timedelta(days=1)
    except (ValueError, OverflowError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        advice = f"allowed: its layout, such as data.dates=('{name}=%d/%m/%Y',)"
        line = f"{where}: data.dates: column {name!r} cannot be read by {layout}: {reason}"
        raise UserError(f"{line}; {advice}") from None
    for row in np.flatnonzero(~cells.missing)[at.isna()] if faults is not None else ():
        faults.setdefault(int(row), f"column {name!r} holds {cells.values[row]!r} in row {row + 1}, and not {layout}")
    if layout == "%H:%M":
        return {name: filled(cells, at.dt.total_seconds() / DAY)}, layout
    hours = since % 1 * 24
    parts = {name: since, f"{name}.month": at.dt.month, f"{name}.weekday": at.dt.day_of_week, f"{name}.hour": hours}
    return {part: filled(cells, values.to_numpy(np.float64)) for part, values in parts.items()}, layout


def _layout(name: str, texts: Any, where: object) -> str:
    """The layout of dates, as of strftime."""
    if all(_CLOCK.fullmatch(text) for text in texts):
        return "%H:%M"
    matches = [_NUMBERS_OF_A_DATE.fullmatch(text) for text in texts]
    if not all(matches):
        return _layout_with_month(texts)
    first, second = (max(int(match[group]) for match in matches) for group in (1, 3))
    mark, year, time = matches[0][2], "%Y" if len(matches[0][4]) == 4 else "%y", matches[0][5] or ""
    clock = f"{time[:1]}%H:%M{':%S' if time.count(':') == 2 else ''}" if time else ""
    layouts = {order: mark.join((*order, year)) + clock for order in (("%d", "%m"), ("%m", "%d"))}
    if first <= 12 and second <= 12 and mark != ".":
        ways = " or ".join(f"data.dates=('{name}={layout}',)" for layout in layouts.values())
        raise UserError(f"{where}: column {name!r} holds {texts.iloc[0]!r}: day or month first? allowed: {ways}")
    return layouts[("%m", "%d") if second > 12 else ("%d", "%m")]


def _layout_with_month(texts: Any) -> str:
    """The layout of dates that name their month, or else that of ISO 8601."""
    from pandas.tseries.api import guess_datetime_format

    with warnings.catch_warnings(action="ignore"):  # of a day that stands before its month
        long = guess_datetime_format(max(texts, key=len, default="")) or ""
    return long if "%b" in long or "%B" in long else "ISO8601"


def as_date(days: float, layout: str) -> str:
    """The date that a number of days since 1970 stands for, in its layout."""
    import pandas

    if layout == "%H:%M" and np.isfinite(days):
        seconds = round(days * DAY)
        return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    try:
        at = (pandas.Timestamp(0) + pandas.Timedelta(days=float(days))).round("s")
    except (ValueError, OverflowError):  # no calendar goes so far
        return f"{days:.9g}"
    if layout == "ISO8601":
        return at.strftime("%Y-%m-%d") if at == at.normalize() else at.isoformat(sep=" ")
    return at.strftime(layout)
