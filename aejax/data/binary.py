"""Images of two levels, made from grey ones by one draw for each pixel."""

import numpy as np

from aejax.data.splits import Raw
from aejax.errors import UserError
from aejax.types import Split

SEED, BLOCK = 0, 4096


def binarised(raw: Raw, name: str) -> Raw:
    """Each value becomes 1 with the probability (x − low) / (high − low), else 0; drawn once, the same each time.

    Args:
        raw: images whose least and greatest possible value are known.
        name: of the data, for the error.

    Returns:
        The same rows as uint8 values 0 and 1.

    Raises:
        UserError: no images, or of unknown range.

    References:
        Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks, section 6 (digits).
    """
    if raw.kind != "image" or raw.bounds is None:
        raise UserError(f"data.name: binary:{name} would need images whose range is known; allowed: binary:digits")
    random = np.random.Generator(np.random.Philox(SEED))
    low, high = raw.bounds

    def draw(split: Split) -> Split:
        x = np.empty(split.x.shape, np.uint8)
        for start in range(0, len(x), BLOCK):
            share = (np.asarray(split.x[start : start + BLOCK], np.float32) - low) / (high - low)
            x[start : start + BLOCK] = random.random(share.shape, np.float32) < share
        return split._replace(x=x)

    train = draw(raw.train)
    test = None if raw.test is None else draw(raw.test)
    return raw._replace(train=train, test=test, bounds=(0, 1), source=f"{raw.source}, binarised")
