"""One tolerance for every numerical test, from the precision of what is compared."""

import numpy as np


def assert_close(actual, desired, *, rtol=None):
    """Assert equality up to rounding: 1e5 units of the coarser dtype, relative to the largest entry of `desired`.

    A test that passes its own `rtol` states the reason beside it.
    """
    actual, desired = np.asarray(actual), np.asarray(desired)
    assert actual.shape == desired.shape, f"{actual.shape} != {desired.shape}"
    dtypes = [array.dtype for array in (actual, desired) if np.issubdtype(array.dtype, np.floating)]
    epsilon = max((float(np.finfo(dtype).eps) for dtype in dtypes), default=float(np.finfo(np.float64).eps))
    bound = 1e5 * epsilon if rtol is None else rtol
    scale = float(np.max(np.abs(desired), initial=0.0)) or 1.0
    np.testing.assert_allclose(actual, desired, rtol=0, atol=bound * scale)
