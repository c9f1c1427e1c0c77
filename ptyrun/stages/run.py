"""How does one session compute what a run still lacks?"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ptyrun.config import SessionOptions
from ptyrun.engine import runner
from ptyrun.engine.manifest import ArmPlan, Manifest
from ptyrun.engine.window import Window
from ptyrun.errors import BlockedError, InputError
from ptyrun.paths import RunPaths
from ptyrun.predictors import ModelRequest, open_predictor
from ptyrun.progress import SILENT, Watcher
from ptyrun.ptycho.scan import Scan, open_scan
from ptyrun.stages import gates, index
from ptyrun.stages.fingerprints import Fingerprints
from ptyrun.stages.work import PatchWork

log = logging.getLogger("ptyrun")
