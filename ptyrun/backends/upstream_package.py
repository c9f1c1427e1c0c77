"""How is a bundle loaded by upstream's own package, code and all?

Only on the user's word: the bundle's pickles are executed. Needs the installed package
``ptycho``; its networks expect amplitudes multiplied by the intensity scale, and may sum the
groups of a batch.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ptyrun.errors import ModelError, PredictorUnavailableError

LOADER = "ptycho.workflows.components"


def load_trusted(path: Path) -> Any:
    """Let upstream's package load the inference network of the bundle at *path*.

    Raises
    ------
    PredictorUnavailableError
        If the package is not installed.
    ModelError
        If it cannot load the bundle.
    """
    try:
        components = importlib.import_module(LOADER)
    except ImportError as error:
        raise PredictorUnavailableError(
            f"{path.name} can be loaded only by upstream's package",
            why=str(error),
            do="install PtychoPINN beside ptyrun, or export the network as a SavedModel",
        ) from error
    try:
        network, _ = components.load_inference_bundle(path.parent)
    except Exception as error:  # foreign code may raise anything
        raise ModelError(
            f"upstream's package cannot load {path.name}",
            why=f"{type(error).__name__}: {error}",
            do="use the version of PtychoPINN that wrote the bundle",
        ) from error
    return network
