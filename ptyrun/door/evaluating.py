"""How good is a reconstruction that is in memory?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ptyrun.config import EvaluationOptions, PhaseAlign
from ptyrun.config.options import gather
from ptyrun.door.images import image, region_of, require_one_shape
from ptyrun.door.session import plain
from ptyrun.errors import GeometryError, InputError, refuse_unknown
from ptyrun.ptycho.metrics import evaluation
from ptyrun.ptycho.metrics.evaluation import Evaluation
from ptyrun.ptycho.metrics.frc import Noise


def evaluate(
    recon: ArrayLike,
    reference: ArrayLike,
    coverage: ArrayLike | None = None,
    *,
    region: tuple[int, int, int, int] | None = None,
    ground_truth: bool = False,
    skip_registration: bool = False,
    phase_align_method: str = EvaluationOptions.phase_align.value,
    frc_sigma: float = EvaluationOptions.frc_sigma,
    ms_ssim_sigma: float = EvaluationOptions.ms_ssim_sigma,
) -> Evaluation:
    """Measure a reconstruction against a reference, as ``finalize`` measures an arm.

    A reference is one more noisy measurement, unless it is said to be the ground truth: thresholds
    of ring correlations depend on it.

    Parameters
    ----------
    recon, reference : array of complex, shape (H, W)
        Transmissions (dimensionless) on one pixel grid, up to a shift, a phase ramp and a global
        factor, which are found and removed.
    coverage : array of float or bool, shape (H, W), optional
        Positive where *recon* is known; nothing else is measured, nor what is not finite or, in an
        array of ``numpy.ma``, masked.
    region : (top, left, height, width), optional
        What to look at, in pixels; everything by default. ``evaluated_region_px`` of a run's
        results gives the figures of that run.
    ground_truth : bool
        Whether *reference* is the truth, without noise.
    skip_registration : bool
        Do not register *recon* to the reference.
    phase_align_method : {"plane", "mean"}
        What is removed from phases before they are compared.
    frc_sigma : float
        Width in rings of the Gaussian that smooths FRC curves.
    ms_ssim_sigma : float
        Width in pixels of the Gaussian on amplitudes before MS-SSIM.

    Returns
    -------
    Evaluation
        ``metrics``: by the names of ``results.json``, each with ``amplitude``, ``phase`` or
        ``value``; ``standard``: by the literature's definitions; ``curves``: ring correlations up
        to Nyquist; ``recon``, ``truth`` (h, w) complex64: what was compared.

    Raises
    ------
    GeometryError
        If the arrays are not images of one shape, nothing is covered, too little is left without
        edges, or *region* is no part of them.
    InputError
        If the reference is a constant, or not finite everywhere; if numbers are beyond 1e12 or all
        below 1e-15.
    UsageError
        If a width is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:96, :96]
    >>> reference = (1 + 0.1 * np.sin(x / 3)) * np.exp(1j * np.sin(y / 5) * np.cos(x / 7))
    >>> found = evaluate(2j * reference, reference)
    >>> round(found.metrics["ssim"].amplitude, 3), round(found.standard["coherence"].value, 3)
    (1.0, 1.0)
    """
    measured, target = image("recon", recon), image("reference", reference)
    known = np.isfinite(measured)
    require_one_shape(recon=measured, reference=target)
    if coverage is not None:
        given = image("coverage", coverage, "fiub", masked=0.0)
        require_one_shape(recon=measured, coverage=given)
        known &= given > 0
    if not known.any():
        raise GeometryError(
            "there is nothing to measure",
            why="at no pixel is recon finite and coverage positive",
            do="give coverage that is positive where recon is known",
        )
    if np.all(target == target.flat[:1]):
        raise InputError(
            "the reference contains no usable values",
            why="all of its values are equal: a placeholder, with which nothing can agree",
            do="give the object to compare the reconstruction with",
        )
    n_unknown = int((~np.isfinite(target)).sum())
    if n_unknown:
        raise InputError(
            f"the reference has no value at {n_unknown} pixels",
            why="they are NaN, infinite or masked; only the reconstruction may have holes",
            do="cut both images to where the reference is known, or put values there",
        )
    refuse_unknown([phase_align_method], [*PhaseAlign], "phase_align_method {} is unknown")
    words = {
        "phase_align_method": phase_align_method,
        "frc_sigma": frc_sigma,
        "ms_ssim_sigma": ms_ssim_sigma,
    }
    options = EvaluationOptions(**gather(EvaluationOptions, plain(words)))
    found = evaluation.evaluate(
        measured,
        target,
        known.astype(np.float64),
        options,
        region=region_of(region, target.shape),
        registered=not skip_registration,
        noise=Noise.FIRST if ground_truth else Noise.BOTH,
    )
    return replace(found, metrics=evaluation.with_offsets(found.metrics, found.shift))
