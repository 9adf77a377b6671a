"""What a number in a config may be, written as part of its type: `target_rate: Rate`."""

import math
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Within:
    """An interval of allowed numbers; open at an end where `open_low` or `open_high` says so."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        """Whether a finite value lies in the interval."""
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return -math.inf < value < math.inf and above and below

    def __str__(self) -> str:
        if self.high == math.inf:
            return "finite" if self.low == -math.inf else f"{'>' if self.open_low else '>='} {self.low:g}"
        left = "(" if self.open_low or self.low == -math.inf else "["
        right = ")" if self.open_high else "]"
        return f"in {left}{self.low}, {self.high}{right}"


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    names: tuple[str, ...]


Finite = Annotated[float, Within()]
Positive = Annotated[float, Within(0, open_low=True)]
NonNegative = Annotated[float, Within(0)]
Probability = Annotated[float, Within(0, 1)]
Rate = Annotated[float, Within(0, 1, open_low=True, open_high=True)]
Fraction = Annotated[float, Within(0, 1, open_high=True)]
Share = Annotated[float, Within(0, 1, open_low=True)]
Count = Annotated[int, Within(1, 2**31 - 1)]  # sizes and steps are 32-bit integers on the device
Natural = Annotated[int, Within(0, 2**63 - 1)]
