"""How is a share said, so that it is not called all or nothing where it is neither?"""

from __future__ import annotations


def as_percent(share: float, digits: int = 1) -> str:
    """Write a share as a percentage: 100 % is all of it, and 0 % none.

    Parameters
    ----------
    share : float
        In [0, 1].
    digits : int
        After the point.

    Returns
    -------
    str
        With its sign.

    Examples
    --------
    >>> as_percent(0.3333), as_percent(0.99999), as_percent(1.0), as_percent(0.0002)
    ('33.3%', '> 99.9%', '100.0%', '< 0.1%')
    """
    step = 10.0 ** -(digits + 2)
    if 0 < share < step / 2:
        return f"< {step:.{digits}%}"
    if 1 - step / 2 < share < 1:
        return f"> {1 - step:.{digits}%}"
    return f"{share:.{digits}%}"
