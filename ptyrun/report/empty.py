"""What does an empty figure mean: agreement up to Nyquist, or that it cannot be told, and why?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

UNKNOWN = "n/a"
# Of which figures there may be no crossing.
RESOLUTION = "frc"
_PARTS = ("amplitude", "phase")


def is_beyond(metric: str, part: str, undefined: Mapping[str, str]) -> bool:
    """Whether an empty standard figure is a correlation that never falls below its threshold.

    Examples
    --------
    >>> is_beyond("frc50", "phase", {"frc50.phase": "there is no phase"})
    False
    >>> is_beyond("frc50", "phase", {}), is_beyond("r_factor", "value", {})
    (True, False)
    """
    return metric.startswith(RESOLUTION) and f"{metric}.{part}" not in undefined


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
