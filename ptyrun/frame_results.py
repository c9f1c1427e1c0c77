"""How well do objects explain the measured frames? What results say of that."""

from __future__ import annotations

from dataclasses import dataclass

# What stands for the scan's own object where arms have names.
OF_THE_SCAN = "objectGuess"
# Whose probe an arm's object is lit by.
SCANS_PROBE, OWN_PROBE = "the scan's", "its own"


@dataclass(frozen=True)
class FrameFigures:
    """Of which frames, and with what, an arm's ``r_factor`` and ``fourier_error`` are.

    Of the scan's ``n_scan`` frames ``n_covered`` lie wholly in what the arm covers and ``n_common``
    in what every arm does; ``n_frames`` of the latter were drawn, or, where there are too few, of
    the former: ``is_common`` tells. ``probe`` says whose it was, of ``n_modes``; ``scale`` brought
    all modelled amplitudes to the measured ones. ``probe_coherence`` is what an arm's own probe and
    the scan's have in common, 1 where they are one up to shift, ramp and factor. ``moved_px`` and
    ``ramp_rad_per_px`` (down, to the right) are what of an object was undone, as it was registered:
    moved by, and taken off; None where it was held against the frames as it lies.
    """

    n_frames: int
    n_common: int
    n_covered: int
    n_scan: int
    is_common: bool
    probe: str = ""
    n_modes: int = 0
    scale: float | None = None
    seed: int = 0
    probe_coherence: float | None = None
    moved_px: tuple[float, float] | None = None
    ramp_rad_per_px: tuple[float, float] | None = None


@dataclass(frozen=True)
class CountingNoise:
    """The R-factor that counting noise alone would leave, of a model right in everything else.

    ``of`` is whose modelled frames stand for the mean counts: the ground truth's (``objectGuess``)
    where there is one, else an arm's or the scan's own object's, whichever has the lowest R-factor;
    then it is an estimate and no bound: noise of that object raises it, blur lowers it.
    ``known_from`` says how photons are known,
    ``why_none`` why there is no number.
    """

    r_factor: float | None = None
    of: str = ""
    known_from: str = ""
    why_none: str = ""
