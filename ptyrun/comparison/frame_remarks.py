"""What do R-factors tell of arms, of which frames are they, and what do they not tell?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from ptyrun.frame_results import OF_THE_SCAN, SCANS_PROBE, FrameFigures
from ptyrun.results import Metric, Results

_OF_FRAMES, _SQUARES = "r_factor", "fourier_error"
# Of the frames, what the truth itself leaves where little else than noise is in them.
_MOSTLY_NOISE = 0.5
# So much more than counting noise leaves, noise alone does not explain.
_MORE_THAN_NOISE = 1.5
NOTHING_IN_COMMON = "the arms cover too few pixels in common: no figure ranks them"
APART = "they do not lie at one place, or have different phase ramps"
NOT_CHECKED = "NOT CHECKED whether "


def remarks(results: Results) -> Iterator[str]:
    """Say of which frames R-factors are, and what they alone do not tell.

    Parameters
    ----------
    results : Results

    Yields
    ------
    str
        One remark, without its final full stop.
    """
    over = frames_of(results)
    if over:
        yield f"R-factors are {over}"
    yield from cautions(results)


def cautions(results: Results) -> Iterator[str]:
    """Say what R-factors alone do not tell: a doubtful scan, noise, and worse than no model.

    Parameters
    ----------
    results : Results

    Yields
    ------
    str
        One remark, without its final full stop.
    """
    found, own = _known(results, _OF_FRAMES), results.truth.get(_OF_FRAMES, Metric()).value
    if not found and own is None:
        return
    if scan_doubts(results):
        yield "R-factors tell nothing before the doubts about the scan are cleared, which are named"
        return
    yield from _elsewhere(results)
    if own is not None:
        yield from _below(results, own)
        left = _left_by_the_object(results, own)
        if left:
            yield left
            return
    above = [results.arms[name].label for name, value in found.items() if value > 1]
    if above:
        have = "has an R-factor" if len(above) == 1 else "have R-factors"
        counted = own is None and _may_be_few_counts(results, found)
        few = "; at few counts a right object may be as bad" if counted else ""
        yield f"{', '.join(above)} {have} above 1: worse than no model at all, which has 1{few}"


def _may_be_few_counts(results: Results, found: dict[str, float]) -> bool:
    """Whether nothing says that frames hold more than noise: neither their counts nor an arm."""
    if min(found.values()) <= _MOSTLY_NOISE:
        return False
    noise = results.counting_noise
    by_noise = None if noise is None else noise.r_factor
    return by_noise is None or max(found.values()) <= _MORE_THAN_NOISE * by_noise


def scan_doubts(results: Results) -> tuple[str, ...]:
    """List the doubts of how the scan was read; others are of arms."""
    return tuple(
        doubt
        for doubt in results.doubts
        if doubt != NOTHING_IN_COMMON and not doubt.startswith(NOT_CHECKED)
    )


def frames_of(results: Results) -> str:
    """Say over which frames R-factors are; empty where that is not known.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
        As in "over 63 of 195 frames, which all arms cover".
    """
    found = [(a.label, a.frames) for a in results.arms.values() if a.frames and a.frames.n_frames]
    if not found:
        return ""
    _, first = found[0]
    if not all(frames.is_common for _, frames in found):
        each = ", ".join(f"{label} {frames.n_frames}" for label, frames in found)
        return f"over frames that each arm covers itself: {each} of {first.n_scan}"
    if first.n_frames == first.n_scan:
        return f"over all {first.n_scan} frames"
    who = "all arms cover" if len(results.arms) > 1 else f"{found[0][0]} covers"
    if first.n_frames == first.n_common:
        return f"over {first.n_frames} of {first.n_scan} frames, which {who}"
    return f"over {first.n_frames} of the {first.n_common} frames that {who}, of {first.n_scan}"


def noise_alone(results: Results) -> str:
    """Say what counting noise alone would leave, and by whose model; empty if nothing is known.

    Without a ground truth that is an estimate and no bound: noise of the object that models the
    frames puts light where there is none and raises it, blur takes it away there and lowers it.

    Parameters
    ----------
    results : Results
    """
    noise = results.counting_noise
    if noise is None:
        return ""
    if noise.r_factor is None:
        return f"counting noise alone: not known ({noise.why_none})"
    if noise.of == OF_THE_SCAN and results.has_ground_truth:
        return f"counting noise alone: {noise.r_factor:.4f} (of the ground truth’s frames)"
    if noise.of == OF_THE_SCAN:
        whose, own = f"the {results.object_role}", results.truth.get(_OF_FRAMES, Metric()).value
    elif noise.of in results.arms:
        arm = results.arms[noise.of]
        whose, own = arm.label, arm.standard.get(_OF_FRAMES, Metric()).value
    else:
        return f"counting noise alone: about {noise.r_factor:.4f}"
    less = ""
    if own is not None and own < noise.r_factor:
        less = f"; {whose} leaves less, so that is too high, or it fits noise"
    return (
        f"counting noise alone: about {noise.r_factor:.4f} (estimated from frames as {whose} has "
        f"them: too high if that object is noisy, too low if it is blurred{less})"
    )


def _elsewhere(results: Results) -> Iterator[str]:
    """Name arms that lie apart, where R-factors depend on that and nothing says who lies right."""
    found = _known(results, _OF_FRAMES)
    lit = {name for name in found if _is_lit_by_the_scan(results.arms[name].frames)}
    pairs = [
        " and ".join(results.labels_of(pair))
        for pair in results.pairs
        if {pair.first, pair.second} <= found.keys()
        and not lit.isdisjoint((pair.first, pair.second))
        and any(note.startswith(APART) for note in pair.notes)
    ]
    if pairs:
        yield (
            f"{'; '.join(pairs)} do not lie at one place or have different phase ramps, and an "
            "object that lies elsewhere explains the frames less: R-factors do not tell there "
            "which object is better"
        )


def _is_lit_by_the_scan(frames: FrameFigures | None) -> bool:
    return frames is not None and frames.probe == SCANS_PROBE


def _below(results: Results, own: float) -> Iterator[str]:
    """Name arms that leave less of the frames than the scan's own object."""
    limit = results.truth.get(_SQUARES, Metric()).value
    squares = _known(results, _SQUARES)

    def is_fit(name: str) -> bool:
        return limit is None or name not in squares or squares[name] < limit

    below = [name for name, value in _known(results, _OF_FRAMES).items() if value < own]
    role = results.object_role
    for fits, names in groupby(sorted(below, key=is_fit, reverse=True), key=is_fit):
        labels = [results.arms[name].label for name in names]
        several, who = len(labels) > 1, ", ".join(labels)
        if not fits:
            yield (
                f"{who} {'have lower R-factors' if several else 'has a lower R-factor'} than the "
                f"{role}, but no lower Fourier error: the R-factor does not tell which object is "
                "better"
            )
        elif results.has_ground_truth:
            yield (
                f"{who} {'fit' if several else 'fits'} the frames better than the {role} does, by "
                "R-factor and Fourier error, so a better fit does not make a better object here: "
                "it may fit noise or faults of the scan, or be smoother where pixels are dark"
            )
        else:
            yield (
                f"{who} {'fit' if several else 'fits'} the frames better than the {role} does, "
                "which may be the worse object"
            )


def _left_by_the_object(results: Results, own: float) -> str:
    """Say so where the scan's own object leaves most of the frames, and whether that is noise."""
    if own <= _MOSTLY_NOISE:
        return ""
    noise = results.counting_noise
    by_noise = None if noise is None else noise.r_factor
    left = f"with the {results.object_role} itself {own:.2f} of them stays unexplained"
    if by_noise is None:
        return (
            f"the frames are mostly noise, or the scan or its {results.object_role} is at fault: "
            f"{left}; R-factors tell little"
        )
    if own <= _MORE_THAN_NOISE * by_noise:
        return f"the frames are mostly noise: {left}, and R-factors tell little"
    about = "" if results.has_ground_truth else "about "
    return (
        f"the frames do not belong to the {results.object_role}, or the scan is at fault: {left}, "
        f"and counting noise would leave {about}{by_noise:.2f}; R-factors tell little"
    )


def _known(results: Results, metric: str) -> dict[str, float]:
    """Values by names of arms, the least first."""
    found = {name: arm.standard.get(metric, Metric()).value for name, arm in results.arms.items()}
    known = [(name, value) for name, value in found.items() if value is not None]
    return dict(sorted(known, key=lambda each: each[1]))
