from __future__ import annotations

import numpy as np
import pytest

from ptyrun.ptycho.metrics.products import gram, inner, product


@pytest.mark.parametrize(
    "shape", [(0, 5, 3), (1, 1, 1), (1000, 480, 68), (7, 200, 1), (3, 2, 4000)]
)
def test_a_product_in_parts_is_the_product(shape: tuple[int, int, int]) -> None:
    generator = np.random.default_rng(1)
    rows, length, columns = shape
    first, second = (generator.normal(size=size) for size in ((rows, length), (length, columns)))
    np.testing.assert_allclose(product(first, second), first @ second, rtol=0, atol=1e-12 * length)


@pytest.mark.parametrize("length", [0, 1, 8192, 20001])
def test_sums_of_products_of_long_vectors_conjugate_the_first(length: int) -> None:
    parts = np.random.default_rng(2).normal(size=(2, 2, length))
    first, second = rows = parts[0] + 1j * parts[1]
    assert inner(first, second) == pytest.approx(complex((first.conj() * second).sum()), abs=1e-9)
    np.testing.assert_allclose(gram(rows), rows.conj() @ rows.T, rtol=0, atol=1e-9)
