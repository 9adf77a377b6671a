"""What the cells of a column mean: numbers as any country writes them, truth values, dates, codes and keys."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from aejax.data.dates import are_dates, days_of
from aejax.data.tables import LARGEST_WHOLE, Cells, Reading, are_numbered, expanded, filled, numbers, value_of
from aejax.errors import UserError, one_of

LEAST_ROWS = 10  # of a column that may be a key
_SIGNS = "$€£¥"
_NUMBER = re.compile(rf"([+-]?)\s*([{_SIGNS}]?)\s*([\d.,].*?)\s*([%{_SIGNS}]?)")
_KEY_NAME = re.compile(
    r"(?i:(.*[\W_])?(id|key|index|uuid|guid|rownames?|row|nr|no|record|case|sample|subject|patient|obs|observation|serial)"
    r"|unnamed: \d+)|\w*[a-z](ID|Id|Key|Index|Nr|No)"
)
_WITH_UNIT = re.compile(r"[+-]?[\d.,]+\s*[^\W\d_]{1,4}|[A-Z]{3}\s*[+-]?[\d.,]+|[$€£¥]\s*[\d.,]+\s*[a-zA-Z]")
_DAY_IN_DIGITS = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TRUTH = {"true": 1.0, "false": 0.0}


class Understood(NamedTuple):
    """Columns of which all are numbers or text, how they came to be so in lines, and how other rows are read alike."""

    columns: Mapping[str, Cells]
    lines: tuple[str, ...]
    reading: Reading


def understand(
    columns: Mapping[str, Cells],
    text: Sequence[str],
    reading: Reading,
    where: object,
    *,
    again: bool = False,
    named: bool = True,
    lenient: bool = False,
    faults: dict[int, str] | None = None,
) -> Understood:
    """Columns with numbers for what are numbers, truth values and dates, and without keys.

    Args:
        columns: of a table, without labels.
        text: names of those that hold categories and stay as they are.
        reading: what is known of them.
        where: what is read, for messages.
        again: whether these are new rows for a net that was trained; keys are not looked for then.
        named: whether the columns of categories have to be named, so that codes beside them are refused.
        lenient: whether what is refused is said in a line instead, and stays text.
        faults: of new rows that are read one by one: comes to hold why a cell of a row cannot be read; None refuses.

    Raises:
        UserError: a column that is named is not there, may be read in two ways, or holds dates that nobody named.
    """
    reading = reading._replace(ignore=expanded(reading.ignore, columns), key=_expanded_key(reading, columns))
    columns, lines = _not_ignored(columns, text, reading, where, again=again)
    dated = {name: layout or None for name, _, layout in (each.partition("=") for each in reading.dates)}
    if not again:
        for name in dated:
            if name not in columns:
                raise one_of(name, columns, what=f"data.dates, a column of {where}")
    words = {n: c for n, c in columns.items() if n not in (*text, *dated) and c.values.dtype == object}
    words = {n: c for n, c in words.items() if named or are_written_numbers(c)}
    words |= {} if faults is None else {n: _readable(n, c, faults) for n, c in words.items()}
    columns = {**columns, **words}
    values, decimal, units = _numbers_of(words, reading, where, lines)
    keys = () if again else _keys(columns, values, (*text, *dated), reading)
    for name, why in keys:
        lines.append(f"column {name!r} {why}, so it is no measurement and is left out; data.key=() keeps it")
    lines += [] if again else _hints({n: c for n, c in columns.items() if n not in (*text, *dated)}, values, reading)
    left_out = {name for name, _ in keys}
    out, layouts = {}, []
    for name, cells in columns.items():
        if name in left_out:
            continue
        if name in dated:
            parts, layout = days_of(name, cells, dated[name], where, faults)
            hour = parts.get(f"{name}.hour")
            if hour is not None and not again and not np.nan_to_num(hour.values).any():
                del parts[f"{name}.hour"]  # days without times
            out |= parts
            layouts.append(f"{name}={layout}")
            calendar = f"days since 1970 and as {', '.join(list(parts)[1:])}"
            lines.append(f"column {name!r} holds dates, read as {calendar if len(parts) > 1 else 'shares of a day'}")
        else:
            out[name] = values.get(name, cells)
            text_is = _codes_or_dates(name, cells, codes=named) if name not in (*values, *text) else ""
            if text_is and not lenient:
                raise UserError(f"{where}: {text_is}")
            lines += [text_is] if text_is else []
    key = (*reading.key_names(), *(name for name, _ in keys))
    seen = {"key": key, "decimal": decimal, "dates": tuple(layouts), "units": units}
    return Understood(out, tuple(lines), reading._replace(**seen))


def _expanded_key(reading: Reading, columns: Mapping[str, Cells]) -> tuple[str, ...] | None:
    return None if reading.key is None else expanded(reading.key, columns)


def _hints(columns: Mapping[str, Cells], values: Mapping[str, Cells], reading: Reading) -> list[str]:
    """Lines on columns of numbers that may be something else: days, counts, or too long for float64."""
    lines = []
    for name, cells in columns.items():
        numbers = values.get(name, cells)
        numbers = numbers.values[~numbers.missing]
        if numbers.dtype == object or not len(numbers) or not (numbers == np.round(numbers)).all():
            continue
        if numbers.min() > 19e6 and all(_DAY_IN_DIGITS.fullmatch(f"{value:.0f}") for value in numbers[:1000]):
            lines.append(f"column {name!r} holds numbers such as {numbers[0]:.0f}: data.dates=({name!r},) reads days")
        is_whole = len(numbers) == len(cells.values) >= LEAST_ROWS and numbers[0] not in (0, 1, np.inf, -np.inf)
        if reading.key is None and is_whole and (numbers == numbers[0] + np.arange(len(numbers))).all():
            lines.append(f"column {name!r} rises by 1 in every row: if it numbers them, data.key=({name!r},) says so")
        texts = cells.values[~cells.missing]
        if np.abs(numbers).max() >= LARGEST_WHOLE and len(set(texts)) > len(set(numbers)):
            said = f"float64 makes {len(set(numbers))} of {len(set(texts))} different ones"
            lines.append(f"column {name!r} holds whole numbers of which {said}")
    return lines


def _not_ignored(
    columns: Mapping[str, Cells], text: Sequence[str], reading: Reading, where: object, *, again: bool
) -> tuple[Mapping[str, Cells], list[str]]:
    """The columns that are not ignored, and a line on the others."""
    named = {"ignore": reading.ignore, "key": reading.key_names()}
    for option, names in named.items():
        for name in names if not again else ():
            if name not in columns:
                raise one_of(name, columns, what=f"data.{option}, a column of {where}")
            if name in text:
                raise UserError(f"data.{option}: column {name!r} is in data.categories too; allowed: one of them")
    gone = [name for names in named.values() for name in names if name in columns]
    lines = [f"left out as asked: {', '.join(map(repr, gone))}"] if gone and not again else []
    left = {name: cells for name, cells in columns.items() if name not in gone}
    if not left:
        raise UserError(f"{where}: every column is left out; allowed: one column of numbers or more")
    return left, lines


# Numbers.


def _pattern(decimal: str) -> re.Pattern[str]:
    thousands = "," if decimal == "." else r"\."
    lakhs = r"|\d{1,2}(?:,\d{2})+,\d{3}" if decimal == "." else ""  # 12,34,567
    whole = rf"(?:\d{{1,3}}([{thousands}\s'’])\d{{3}}(?:\1\d{{3}})*{lakhs}|\d+)"
    return re.compile(rf"(?:{whole}(?:[{decimal}]\d*)?|[{decimal}]\d+)(?:[eE][+-]?\d+)?")


_ZERO_FIRST = re.compile(r"^0[^.,\n]", re.MULTILINE)
_PATTERNS = {".": _pattern("."), ",": _pattern(",")}


class _Form(NamedTuple):
    """How the cells of a column of text can be numbers.

    Attributes:
        signs: what stands before a number, and its digits and marks, of each cell that is not missing.
        unit: the percent or currency sign that all of them have, or "".
        decimals: the decimal marks with which all of them are numbers.
        written: the first of them that is written as in accounting, such as (5), and how Python writes it.
    """

    parts: tuple[tuple[str, str], ...]
    unit: str
    decimals: tuple[str, ...]
    written: tuple[str, str] | None = None


def _usual(text: str) -> str:
    """A number with its sign in front: of −5, 5-, (5), $-5 and, as Fortran has it, 1.5D+02."""
    if text.isdigit():
        return text
    text = text.replace("−", "-")
    text = re.sub(r"\A(?:\((.*\d.*)\)|(.*\d)\s*-)\Z", lambda match: f"-{match[1] or match[2]}", text)
    text = re.sub(rf"\A([{_SIGNS}])\s*-", r"-\1", text)
    return re.sub(r"(\d\.?\d*)[dD]([+-]?\d+)\Z", r"\1E\2", text)


def _form(texts: Iterable[str]) -> _Form | None:
    """How texts are numbers; None where they are not."""
    parts, units, written = [], set(), None
    for text in texts:
        usual = _usual(text)
        match, written = _NUMBER.fullmatch(usual), written or ((text, usual) if usual != text else None)
        if match is None or (match[2] and match[4]):
            return None
        parts.append((match[1], match[3]))
        units.add(match[2] or match[4])
    decimals = tuple(mark for mark, form in _PATTERNS.items() if all(form.fullmatch(digits) for _, digits in parts))
    return _Form(tuple(parts), units.pop(), decimals, written) if decimals and len(units) == 1 else None


def _numbers_of(
    words: Mapping[str, Cells], reading: Reading, where: object, lines: list[str]
) -> tuple[dict[str, Cells], str | None, tuple[str, ...]]:
    """The columns of text that are numbers or truth values, as numbers; the decimal mark of the file; `Reading.units`.

    Raises:
        UserError: the marks in a column may be decimal marks or stand between thousands, and no column tells.
    """
    out, forms = {}, {}
    for name, cells in words.items():
        texts = cells.values[~cells.missing]
        if not len(texts) or _codes(texts):
            continue
        if all(text.lower() in _TRUTH for text in texts):
            out[name] = filled(cells, [_TRUTH[text.lower()] for text in texts])
            lines.append(f"column {name!r} holds truth values, read as 1 and 0")
            continue
        try:
            out[name] = Cells(numbers(cells), cells.missing)
        except ValueError:
            if form := _form(texts):
                forms[name] = form
    if reading.decimal == "," or any("," in digits for form in forms.values() for _, digits in form.parts):
        pointed = {name: words[name].values[~words[name].missing] for name in out}
        pointed = {name: _form(texts) for name, texts in pointed.items() if any("." in text for text in texts)}
        forms |= {name: form for name, form in pointed.items() if form}  # a point may stand between thousands
    marks = {form.decimals[0] for form in forms.values() if len(form.decimals) == 1}
    decimal = reading.decimal or (marks.pop() if len(marks) == 1 else None)
    for name, form in forms.items():
        mark = form.decimals[0] if len(form.decimals) == 1 and not reading.decimal else decimal
        example = next((digits for _, digits in form.parts if "," in digits or "." in digits), "")
        if mark is None and example:
            raise UserError(_either(name, example, where))
        if (mark or ".") not in form.decimals:
            raise UserError(
                f"{where}: column {name!r} holds {example!r}, no number with the decimal mark {mark!r}; allowed: "
                f"data.decimal={form.decimals[0]}, or one form of number in the whole file"
            )
        out[name] = filled(words[name], [float(sign + _plain(digits, mark or ".")) for sign, digits in form.parts])
        if form.unit or not _is_plain(example) or mark == ",":
            lines.append(_said(name, form, example, mark))
        if form.written:
            lines.append(
                f"column {name!r} holds numbers: {form.written[0]!r} is read as {_plain(form.written[1], mark or '.')}"
            )
    return out, decimal, tuple(f"{name}={form.unit}" for name, form in forms.items() if form.unit)


def other_units(before: Reading, meaning: Understood, where: object) -> list[str]:
    """Lines on columns of new rows whose numbers have a sign that they had not in training, or no longer have it.

    Raises:
        UserError: they have another one, such as € and not $.
    """
    units, lines = [dict(each.rsplit("=", 1) for each in of.units) for of in (before, meaning.reading)], []
    for name in dict.fromkeys([*units[0], *units[1]]):
        then, now = (of.get(name) for of in units)
        if then and now and then != now:
            raise UserError(f"{where}: column {name!r} is in {now}, in training it was in {then}; allowed: {then}")
        if then != now and name in meaning.columns and not meaning.columns[name].missing.all():
            said = f"is in {now}, and had no sign in training" if now else f"has no sign, and was in {then} in training"
            lines.append(f"column {name!r} {said}: its numbers are taken as they stand")
    return lines


def written_like(cells: Cells, values: Iterable[str]) -> list[str]:
    """Plain numbers as a column of text has them: with its sign, such as 12.5 %, or as its words for truth values."""
    texts = cells.values[~cells.missing]
    if len(texts) and {text.lower() for text in texts} <= set(_TRUTH):
        case = str.upper if texts[0].isupper() else str.title if texts[0].istitle() else str.lower
        words = {f"{value:g}": case(word) for word, value in _TRUTH.items()}
        return [words.get(value, value) for value in values]
    form = _form(texts) if len(texts) else None
    if form is None or not form.unit:
        return list(values)
    example = _usual(texts[0])
    number = _NUMBER.fullmatch(example)
    before, after = example[number.end(1) : number.start(3)], example[number.end(3) :]
    return [f"{'-' * value.startswith('-')}{before}{value.removeprefix('-')}{after}" for value in values]


def _readable(name: str, cells: Cells, faults: dict[int, str]) -> Cells:
    """A column of numbers whose cells of other text are missing, where it has numbers beside them."""
    of_number = lambda text: value_of(text) is not None or text.lower() in _TRUTH or _form([text]) is not None
    text = np.array([not gone and not of_number(cell) for cell, gone in zip(*cells, strict=True)], bool)
    if (text | cells.missing).all():
        return cells
    for row in np.flatnonzero(text):
        faults.setdefault(int(row), f"column {name!r} holds text ({cells.values[row]!r} in row {row + 1})")
    return cells._replace(missing=cells.missing | text)


def are_written_numbers(cells: Cells) -> bool:
    """Whether text is numbers with signs or marks, such as 1,234.5 or 12 %; digits alone may be codes."""
    texts = cells.values[~cells.missing]
    form = _form(texts) if len(texts) and cells.values.dtype == object else None
    return form is not None and (bool(form.unit) or any(not digits.isdigit() for _, digits in form.parts))


def _said(name: str, form: _Form, example: str, mark: str | None) -> str:
    unit = f" in {form.unit}, whose sign is left away" if form.unit else ""
    read = f": {example!r} is read as {float(_plain(example, mark)):.15g}" if example and mark else ""
    return f"column {name!r} holds numbers{unit}{read}"


def _either(name: str, text: str, where: object) -> str:
    values = {mark: _plain(text, mark) for mark in ".,"}
    return (
        f"{where}: column {name!r} holds {text!r}, which may be {values['.']} (with data.decimal=.) or {values[',']} "
        "(with data.decimal=,); allowed: say data.decimal"
    )


def _plain(digits: str, mark: str) -> str:
    """The digits of a number as Python reads them."""
    thousands = ",.".replace(mark, "")
    return re.sub(rf"[\s'’{thousands}]", "", digits).replace(mark, ".")


def _is_plain(text: str) -> bool:
    return value_of(text or "0") is not None


def _codes(texts: np.ndarray) -> list[str]:
    """Cells of digits that a zero begins, where these make names of them: three digits or more, or a twin without."""
    if not _ZERO_FIRST.search("\n".join(texts)):  # in a tenth of the time
        return []
    zeros = [text for text in texts if text[:1] == "0" and len(text) > 1 and text.isdigit()]
    if zeros and (max(map(len, zeros)) > 2 or {text.lstrip("0") or "0" for text in zeros} & set(texts)):
        return zeros
    return []


def _codes_or_dates(name: str, cells: Cells, *, codes: bool) -> str:
    """What is to be done about a column of text that holds codes or dates; empty of another one."""
    texts = cells.values[~cells.missing]
    if cells.values.dtype != object or not len(texts):
        return ""
    if codes and _codes(texts) and all(value_of(text) is not None for text in texts):
        advice = f"allowed: name it in data.categories, or leave it out: data.ignore=({name!r},)"
        return f"column {name!r} holds codes such as {_codes(texts)[0]!r}, no numbers; {advice}"
    if codes and all(_WITH_UNIT.fullmatch(text) for text in texts) and all(value_of(text) is None for text in texts):
        line = f"column {name!r} holds text ({texts[0]!r} in row {np.argmin(cells.missing) + 1})"
        return f"{line}; encode it as numbers without their unit, or name it in data.categories or data.ignore"
    if are_dates(texts):
        advice = f"data.dates=({name!r},) reads it, data.ignore=({name!r},) leaves it out"
        return f"column {name!r} holds dates such as {texts[0]!r}; {advice}"
    return ""


# Keys.


def _keys(
    columns: Mapping[str, Cells], values: Mapping[str, Cells], others: Sequence[str], reading: Reading
) -> list[tuple[str, str]]:
    """The columns that name or count rows, and why."""
    if reading.key is not None:
        return []
    looked_at = list(columns)[:1] if are_numbered(tuple(columns)) else list(columns)
    keys = []
    for at, name in enumerate(looked_at):
        cells = values.get(name, columns[name])
        if name in others or cells.missing.any() or len(cells.values) < 2:
            continue
        is_first = at == 0 and name in ("0", "Unnamed: 0")
        if cells.values.dtype != object:
            why = _counts(cells.values, name, at_once=is_first)
        else:
            unique = len(cells.values) >= LEAST_ROWS and len(set(cells.values)) == len(cells.values)
            unique = unique and not all(_WITH_UNIT.fullmatch(text) for text in cells.values)
            text = unique and not are_dates(cells.values) and all(value_of(cell) is None for cell in cells.values)
            coded = unique and bool(_codes(cells.values))
            why = "has another text in every row" if text or coded else ""
        if why:
            keys.append((name, why))
    return keys if len(keys) < len(columns) else []


def _counts(values: np.ndarray, name: str, *, at_once: bool) -> str:
    """Why a column of numbers is a key; empty where it is none."""
    if (len(values) < LEAST_ROWS and not at_once) or not (values == np.round(values)).all():
        return ""
    if values[0] in (0, 1) and np.isfinite(values).all() and (np.diff(values) == 1).all():
        return "counts the rows"
    if len(values) < LEAST_ROWS or len(np.unique(values)) < len(values) or not _KEY_NAME.fullmatch(name):
        return ""
    return "has another number in every row, and the name of a key"
