"""Where does each file of a study lie? Every name in a hub is spelt here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ptyrun import paths

PHASE_C = "data/phase_c"
PHASE_D = "data/phase_d"
PHASE_E = "data/phase_e"
PHASE_F = "data/phase_f"
GENERALIZATION = "generalization"
ANALYSIS = "analysis"
COMPARISON_MANIFEST = f"{ANALYSIS}/comparison_manifest.json"
LOCKS = "locks"
ARCHIVE = "archive"
# Of a session in the background, as in a run's folder.
SESSION = ("process.json", "process.lock", "completion.json", "logs")
LOGS = "cli"
STUDY = "study.json"
CONFIG = "study.toml"
RECORD, ATTEMPT = paths.STAGE_RECORD, paths.STAGE_ATTEMPT
PIECES = ".pieces-"
DISCARDED = ".discarded-"
CRATE = "ro-crate-metadata.json"


def is_record(name: str) -> bool:
    """Whether a file of a hub, by its name there, says how a stage was made that still counts."""
    return name.endswith(RECORD) and not name.startswith(f"{ARCHIVE}/")


def dose_name(dose: float) -> str:
    """Name a dose as folders do.

    Examples
    --------
    >>> dose_name(1e3)
    'dose_1000'
    """
    return f"dose_{int(dose)}"


def pinn_folder(dose: float, view: str) -> str:
    """Where the physics-informed network of a dose and view lies."""
    return f"{PHASE_E}/{dose_name(dose)}/{view}/gs2"


def baseline_folder(dose: float) -> str:
    """Where the Baseline of a dose lies, the same for all views."""
    return f"{PHASE_E}/{dose_name(dose)}/baseline/gs1"


def reconstruction_file(dose: float, view: str, split: str) -> str:
    """Name the iterative reconstruction of one half of a view."""
    return f"{PHASE_F}/{dose_name(dose)}/{view}/{split}/ptychi_reconstruction.npz"


@dataclass(frozen=True)
class Hub:
    """The folder of one study; paths below it are written with slashes."""

    root: Path

    def path(self, name: str) -> Path:
        """Give the place of what is called *name* below the hub."""
        return self.root / name

    @property
    def home(self) -> str:
        """Where the hub lies, whichever way it was reached: links and ``..`` are followed."""
        return os.path.realpath(self.root)

    @property
    def study(self) -> Path:
        """Which study this is, and its options."""
        return self.root / STUDY

    @property
    def config(self) -> Path:
        """The study as a file of its user, if it lies here."""
        return self.root / CONFIG

    @property
    def locks(self) -> Path:
        """Who works on which stage; safe to delete while nobody does."""
        return self.root / LOCKS

    @property
    def sessions(self) -> Path:
        """Held by each session for its life."""
        return self.locks / "sessions"

    @property
    def door(self) -> Path:
        """Held for a moment by who begins a session or sets stages aside."""
        return self.locks / "hub.lock"

    def stage_lock(self, key: str) -> Path:
        """Held by the process that makes a stage."""
        return self.locks / f"{key}.lock"

    def log(self, key: str) -> Path:
        """What a stage said."""
        return self.root / LOGS / f"{key}.log"

    @property
    def archive(self) -> Path:
        """What was set aside."""
        return self.root / ARCHIVE

    @property
    def comparison_manifest(self) -> Path:
        """Which comparisons there are, and how they ended."""
        return self.root / COMPARISON_MANIFEST
