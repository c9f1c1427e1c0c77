"""How are matrices multiplied that are too small to share between threads?

OpenBLAS shares a product of a million numbers between all cores. On a machine that has other work
its threads then wait for each other, and each wait costs more than the product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 1 << 17  # multiplications at once: OpenBLAS begins threads from twice as many
DEPTH = 64  # terms of a sum at once
VECTOR = 1 << 13  # of a longer one, OpenBLAS shares the sum


def product(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Multiply two matrices, a part of both at a time that a processor holds near it.

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
    rows, inner, columns = *first.shape, second.shape[1]
    step = max(1, MOST // max(1, min(inner, DEPTH) * columns))
    total = np.zeros((rows, columns), np.result_type(first, second))
    for top in range(0, rows, step):
        for left in range(0, inner, DEPTH):
            part = slice(left, left + DEPTH)
            total[top : top + step] += first[top : top + step, part] @ second[part]
    return total


def inner(first: NDArray[np.complex128], second: NDArray[np.complex128]) -> complex:
    """Sum the products of two vectors, the first of them conjugated.

    Parameters
    ----------
    first, second : ndarray of complex128, shape (n,)
        Any length.

    Returns
    -------
    complex
        As ``np.vdot(first, second)``.
    """
    pieces = (slice(start, start + VECTOR) for start in range(0, len(first), VECTOR))
    return complex(sum(np.vdot(first[piece], second[piece]) for piece in pieces))


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
