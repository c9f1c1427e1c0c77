"""What can be chosen, and what is chosen when nobody says? Every default lives here, once."""

from ptyrun.config.arms import (
    ARM_WORDS,
    BATCH_GROUPS,
    CHUNK_GROUPS,
    OWN_BACKENDS,
    ROLES,
    ArmConfig,
    ArmKind,
    role_gridsize,
)
from ptyrun.config.comparison import NO_TRUTH, OBJECT_GUESS, CompareConfig, Compression
from ptyrun.config.evaluation import Alignment, EvaluationOptions, PhaseAlign, Registration
from ptyrun.config.facts import Fact
from ptyrun.config.presentation import PlotScale, Presentation
from ptyrun.config.selection import PositionOrigin, Selection
from ptyrun.config.session import Replanning, SessionOptions

__all__ = [
    "ARM_WORDS",
    "BATCH_GROUPS",
    "CHUNK_GROUPS",
    "NO_TRUTH",
    "OBJECT_GUESS",
    "OWN_BACKENDS",
    "ROLES",
    "Alignment",
    "ArmConfig",
    "ArmKind",
    "CompareConfig",
    "Compression",
    "EvaluationOptions",
    "Fact",
    "PhaseAlign",
    "PlotScale",
    "PositionOrigin",
    "Presentation",
    "Registration",
    "Replanning",
    "Selection",
    "SessionOptions",
    "role_gridsize",
]
