"""Which trainings go through the Gram of their tangent features."""

import pytest
from pydantic import ValidationError

from linstudy.spec.train import AdamOptimizer, Linearize, Train, in_function_space

ADAM = AdamOptimizer(kind="adam")
LIMIT = 2**30
"""Entries of float32 in 4 GiB."""


@pytest.mark.parametrize(
    ("train", "sizes", "expected"),
    [
        (Train(), (10, 10), False),
        (Train(linearize=Linearize()), (10, 10), True),
        (Train(linearize=Linearize(), optimizer=ADAM), (10, 10), False),
        (Train(linearize=Linearize(space="parameters")), (10, 10), False),
        (Train(linearize=Linearize(space="parameters")), (None, None), False),
        (Train(linearize=Linearize()), (2**15, 0), True),
        (Train(linearize=Linearize()), (2**15, 1), None),
        (Train(linearize=Linearize(), precision="tf32"), (2**14, 3 * 2**14), True),
        (Train(linearize=Linearize(), precision="float64"), (2**14, 3 * 2**14), None),
        (Train(linearize=Linearize(), precision="float64"), (2**14, 2**14), True),
        (Train(linearize=Linearize(space="function")), (10**6, 10**6), True),
        (Train(linearize=Linearize(space="function")), (None, None), True),
        (Train(linearize=Linearize()), (None, 10), None),
        (Train(linearize=Linearize()), (10, None), None),
        (Train(linearize=Linearize(), optimizer=ADAM), (None, None), False),
    ],
)
def test_function_space_is_for_sgd_where_the_gram_fits(train, sizes, expected):
    assert in_function_space(train, *sizes) is expected


def test_adam_has_no_function_space():
    with pytest.raises(ValidationError, match="the optimizer is adam"):
        Train(optimizer=ADAM, linearize=Linearize(space="function"))
    assert Train(optimizer=ADAM, linearize=Linearize()).linearize == Linearize()
