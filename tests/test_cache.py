"""A cached function is called once for equal contents, again for others, and keeps the last few."""

import jax.numpy as jnp
import numpy as np

from aejax.tasks.common import MOST, cached, content


def test_equal_contents_are_computed_once():
    calls = []

    @cached
    def total(x, *, power):
        """Sum of powers."""
        calls.append(power)
        return (np.asarray(x) ** power).sum()

    x = np.arange(6.0).reshape(2, 3)
    assert total(x, power=2) == total(x.copy(), power=2) == 55
    assert calls == [2]
    assert total(x, power=1) == 15
    assert total(x + 1, power=2) == 91
    assert calls == [2, 1, 2]
    assert total.__doc__ == "Sum of powers."
    for power in range(3, 3 + MOST):
        total(x, power=power)
    total(x, power=2)
    assert calls[-1] == 2, "it was forgotten, and computed again"


def test_contents_are_equal_only_where_everything_is():
    x = np.arange(6, dtype=np.float32)
    different = [x, x.reshape(2, 3), x.astype(np.float64), x + 1, (x, x), {"x": x}, [x], 1, 1.0, "1", None, (1, "x")]
    assert len({content(value) for value in different}) == len(different)
    assert content(x) == content(jnp.asarray(x)) == content(x[::-1][::-1])
