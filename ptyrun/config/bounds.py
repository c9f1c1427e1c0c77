"""How is it said which numbers an option takes, and in which unit?"""

from __future__ import annotations

_UNITS = {
    "METRES": "metres",
    "RAD": "radians",
    "PERCENT": "percent",
    "PX": "pixels",
    "PIXELS": "pixels",
    "PHOTONS": "photons",
    "RINGS": "rings",
}


def unit_of(value: str) -> str:
    """Give the unit that stands for an option's value in help; empty if it is none."""
    return _UNITS.get(value, "")


def said(
    least: float | None, above: float | None, most: float | None, unit: str, is_finite: bool
) -> str:
    """Say bounds in words; *is_finite* where that goes without saying of no number.

    Examples
    --------
    >>> said(None, 0, 1e-3, "metres", False), said(1, None, None, "", False)
    ('greater than 0 and at most 0.001 metres', 'at least 1')
    """
    words = [
        *(["finite"] if is_finite else []),
        *([f"at least {least:.10g}"] if least is not None else []),
        *([f"greater than {above:.10g}"] if above is not None else []),
        *([f"at most {most:.10g}"] if most is not None else []),
    ]
    is_bounded = not (least is above is most is None)
    return " ".join(filter(None, [" and ".join(words), unit if is_bounded else ""]))


def number(kind: str, bounds: str, unit: str) -> str:
    """Say which numbers of a kind are taken.

    Examples
    --------
    >>> number("a number", "finite", "radians"), number("a whole number", "at least 1", "")
    ('a number that is finite, in radians', 'a whole number that is at least 1')
    """
    found = f"{kind} that is {bounds}" if bounds else kind
    return f"{found}, in {unit}" if unit and not bounds.endswith(unit) else found
