"""What is known of the published tables: rows by class, names, licence, where they are and under which file names."""

from typing import NamedTuple


class Class(NamedTuple):
    """One class: its name, how many rows it has, and how else the published files spell it."""

    name: str
    rows: int
    spellings: tuple[str, ...] = ()


class Table(NamedTuple):
    """One published table of numbers with one label for each row.

    Attributes:
        title: for people.
        features: one name for each.
        classes: in the order of their numbers.
        files: the forms in which it is published, each a set of files whose rows are pooled.
        citation: in one line.
        openml: its number at openml.org, or None.
        url: of a CSV file with a header, where it is not taken from openml.org.
        keys: how many columns of names may stand before the features; they are left out.
    """

    title: str
    features: tuple[str, ...]
    classes: tuple[Class, ...]
    files: tuple[tuple[str, ...], ...]
    citation: str
    openml: int | None = None
    url: str | None = None
    keys: int = 0

    @property
    def rows(self) -> int:
        """How many, in all classes together."""
        return sum(c.rows for c in self.classes)


LICENCE = "CC BY 4.0"  # that of the UCI Machine Learning Repository, from which all of them come


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _digits(*rows: int) -> tuple[Class, ...]:
    return tuple(Class(str(digit), count) for digit, count in enumerate(rows))


_LETTER_ROWS = (
    *(789, 766, 736, 805, 768, 775, 773, 734, 755, 747, 739, 761, 792),
    *(783, 753, 803, 783, 758, 748, 796, 813, 764, 752, 787, 786, 734),
)
_WORDS = _names(
    "make address all 3d our over remove internet order mail receive will people report addresses free business email"
    " you credit your font 000 money hp hpl george 650 lab labs telnet 857 data 415 85 technology 1999 parts pm direct"
    " cs meeting original project re edu table conference"
)
_SEGMENT = _names(
    "region-centroid-col region-centroid-row region-pixel-count short-line-density-5 short-line-density-2 vedge-mean"
    " vedge-sd hedge-mean hedge-sd intensity-mean rawred-mean rawblue-mean rawgreen-mean exred-mean exblue-mean"
    " exgreen-mean value-mean saturation-mean hue-mean"
)

TABLES = {
    "letter": Table(
        title="printed capital letters by 16 moments and counts",
        features=_names(
            "x-box y-box width high onpix x-bar y-bar x2bar y2bar xybar x2ybr xy2br x-ege xegvy y-ege yegvx"
        ),
        classes=tuple(Class(chr(65 + i), rows) for i, rows in enumerate(_LETTER_ROWS)),
        files=(("letter-recognition.data",), ("LetterRecognition.rda",)),
        citation="UCI Letter Recognition (Slate 1991, doi 10.24432/C5ZP40)",
        openml=6,
    ),
    "shuttle": Table(
        title="positions of radiators in the Space Shuttle",
        features=("time", *(f"sensor {i}" for i in range(2, 10))),
        classes=(
            Class("Rad Flow", 45_586, ("1",)),
            Class("Fpv Close", 50, ("2",)),
            Class("Fpv Open", 171, ("3",)),
            Class("High", 8903, ("4",)),
            Class("Bypass", 3267, ("5",)),
            Class("Bpv Close", 10, ("6",)),
            Class("Bpv Open", 13, ("7",)),
        ),
        files=(("shuttle.trn", "shuttle.tst"), ("Shuttle.rda",)),
        citation="UCI Statlog (Shuttle) (Catlett, doi 10.24432/C5WS31)",
        openml=40_685,
    ),
    "ionosphere": Table(
        title="radar returns from the ionosphere",
        features=tuple(f"pulse {p} {part}" for p in range(1, 18) for part in ("real", "imaginary")),
        classes=(Class("bad", 126, ("b",)), Class("good", 225, ("g",))),
        files=(("ionosphere.data",), ("Ionosphere.rda",)),
        citation="UCI Ionosphere (Sigillito, Wing, Hutton and Baker 1989, doi 10.24432/C5W01B)",
        openml=59,
    ),
    "spambase": Table(
        title="word and character frequencies of e-mails",
        features=(
            *(f"word_freq_{word}" for word in _WORDS),
            *(f"char_freq_{char}" for char in ";([!$#"),
            *(f"capital_run_length_{what}" for what in ("average", "longest", "total")),
        ),
        classes=(Class("nonspam", 2788, ("0",)), Class("spam", 1813, ("1",))),
        files=(("spambase.data",), ("spam.rda",)),
        citation="UCI Spambase (Hopkins, Reeber, Forman and Suermondt 1999, doi 10.24432/C53G6X)",
        openml=44,
    ),
    "musk": Table(
        title="shapes of molecules, musk or not (version 1)",
        features=tuple(f"f{i}" for i in range(1, 167)),
        classes=(Class("non-musk", 269, ("0",)), Class("musk", 207, ("1",))),
        files=(("clean1.data",), ("musk.rda",)),
        citation="UCI Musk (Version 1) (Chapman and Jain 1994, doi 10.24432/C5ZK5B)",
        url="https://archive.ics.uci.edu/static/public/74/data.csv",
        keys=2,
    ),
    "segment": Table(
        title="3×3 pixels of outdoor images",
        features=_SEGMENT,
        classes=tuple(
            Class(name, 330, (str(i),))
            for i, name in enumerate(("brickface", "sky", "foliage", "cement", "window", "path", "grass"), 1)
        ),
        files=(("segmentation.data", "segmentation.test"),),
        citation="UCI Image Segmentation (1990, doi 10.24432/C5GP4N)",
        openml=36,
    ),
    "optdigits": Table(
        title="handwritten digits of 43 people, 8×8 counts",
        features=tuple(f"row {r} column {c}" for r in range(1, 9) for c in range(1, 9)),
        classes=_digits(554, 571, 557, 572, 568, 558, 558, 566, 554, 562),
        files=(("optdigits.tra", "optdigits.tes"),),
        citation="UCI Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998, doi 10.24432/C50P49)",
        openml=28,
    ),
    "penbased": Table(
        title="handwritten digits as 8 points of a pen",
        features=tuple(f"{axis}{i}" for i in range(1, 9) for axis in "xy"),
        classes=_digits(1143, 1143, 1144, 1055, 1144, 1055, 1056, 1142, 1055, 1055),
        files=(("pendigits.tra", "pendigits.tes"),),
        citation="UCI Pen-Based Recognition of Handwritten Digits (Alpaydin and Alimoglu 1996, doi 10.24432/C5MG6K)",
        openml=32,
    ),
}
