"""How are matrices multiplied that are too small to share between threads?

OpenBLAS shares a product of a million numbers between all cores. On a machine that has other work
its threads then wait for each other, and each wait costs more than the product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 1 << 17  # multiplications at once: OpenBLAS begins threads from twice as many


def product(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Multiply two matrices, some rows of the first at a time.

    Parameters
    ----------
    first : ndarray, shape (m, k)
        Real or complex.
    second : ndarray, shape (k, n)
        Of no more than some ten thousand values.

    Returns
    -------
    ndarray, shape (m, n)
        As ``first @ second``.
    """
    step = max(1, MOST // max(1, second.size))
    parts = [first[start : start + step] @ second for start in range(0, len(first), step)]
    return np.concatenate(parts) if parts else first @ second


def gram(rows: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Sum the products of each pair of rows, the first of them conjugated.

    Parameters
    ----------
    rows : ndarray of complex128, shape (k, n)
        Few long rows.

    Returns
    -------
    ndarray of complex128, shape (k, k)
        As ``rows.conj() @ rows.T``.
    """
    count, length = rows.shape
    step = max(1, MOST // count**2)
    total = np.zeros((count, count), np.complex128)
    for start in range(0, length, step):
        piece = rows[:, start : start + step]
        total += piece.conj() @ piece.T
    return total
