"""Why can figures not be told? Reasons, and the figures that each is of, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

UNKNOWN = "n/a"
_PARTS = ("amplitude", "phase")


def reasons(undefined: Mapping[str, str], shown: Iterable[str]) -> dict[str, str]:
    """Give why figures cannot be told: which figures, in words, by the reason.

    Parameters
    ----------
    undefined : mapping of str to str
        Reasons by names like "frc50.phase".
    shown : iterable of str
        Names of the metrics that are shown, in their order.

    Examples
    --------
    >>> reasons({"mae.phase": "no light", "ssim.phase": "no light"}, ["mae", "ssim"])
    {'no light': 'mae, ssim of the phase'}
    """
    found: dict[str, dict[str, list[str]]] = {}
    for metric in shown:
        for part in (*_PARTS, "value"):
            why = undefined.get(f"{metric}.{part}")
            if why is not None:
                found.setdefault(why, {}).setdefault(part, []).append(metric)
    return {
        why: "; ".join(
            ", ".join(names) + (f" of the {part}" if part in _PARTS else "")
            for part, names in parts.items()
        )
        for why, parts in found.items()
    }
