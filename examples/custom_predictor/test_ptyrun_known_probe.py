"""Does the predictor keep to ptyrun's contract?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ptyrun_known_probe import KnownProbePredictor

from ptyrun.errors import ModelError
from ptyrun.predictors import ModelRequest
from ptyrun.testing import PredictorContract

N = 16


class TestKnownProbePredictor(PredictorContract):
    """Every test of the contract, and those below."""

    predictor = KnownProbePredictor

    @pytest.fixture
    def model_request(self, tmp_path: Path) -> ModelRequest:
        """Give a small model, and what a run would ask of it."""
        r2_px = np.sum((np.indices((N, N)) - N / 2) ** 2, axis=0)
        np.savez(tmp_path / "probe.npz", probeGuess=np.exp(-r2_px / 20).astype(np.complex64))
        return ModelRequest(tmp_path / "probe.npz", patch_px=N, gridsize=1, batch_items=4)

    @pytest.mark.parametrize("asked", [{"patch_px": 2 * N}, {"gridsize": 2}])
    def test_a_probe_of_another_scan_is_refused(
        self, model_request: ModelRequest, asked: dict[str, Any]
    ) -> None:
        with pytest.raises(ModelError, match="the probe has shape"):
            KnownProbePredictor.open(replace(model_request, **asked))
