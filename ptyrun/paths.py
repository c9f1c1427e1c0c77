"""Where does each file of a run lie? Every file name is spelt here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Figures that ``finalize`` may leave, and as what.
COMPARISON, RINGS, UPSTREAM_RINGS = "comparison_plot", "frc_plot", "frc_plot_upstream"
PNG, VECTORS = "png", ("pdf", "svg")

# What a study that makes a comparison keeps in the run's folder.
COMPARISON_LOG, GATE = "comparison.log", "gate.json"
STAGE_RECORD, STAGE_ATTEMPT = ".stage.json", ".attempt.json"
OF_A_STUDY = (COMPARISON_LOG, GATE, f"*{STAGE_RECORD}", f"*{STAGE_ATTEMPT}")


@dataclass(frozen=True)
class RunPaths:
    """The files of one run's folder."""

    root: Path

    def names(self) -> frozenset[str]:
        """Names right below the folder that are the run's own, whether there yet or not."""
        return _names()

    @classmethod
    def noted(cls) -> frozenset[str]:
        """Names of the folders to which looking at a run, or calling it again, may add."""
        run = cls(Path())
        return frozenset(path.name for path in (run.ledger, run.logs, run.preview))

    @classmethod
    def working(cls) -> frozenset[str]:
        """Names of what a session on a run writes and deletes while it works."""
        run = cls(Path())
        return frozenset(p.name for p in (run.claims, run.cache, run.unpublished, run.ledger_cache))

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    @property
    def owner(self) -> Path:
        """Marks of the users who planned or adopted the run."""
        return self.root / "owner.json"

    @property
    def config(self) -> Path:
        """The comparison as a file, for people who repeat it; safe to delete."""
        return self.root / "config.toml"

    @property
    def superseded(self) -> Path:
        """Manifests that an explicit invalidation replaced, by digest."""
        return self.root / "superseded"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    @property
    def ledger_cache(self) -> Path:
        """The ledger added up; safe to delete."""
        return self.root / "ledger.cache"

    @property
    def claims(self) -> Path:
        return self.root / "claims"

    @property
    def arrays(self) -> Path:
        return self.root / "arrays.zarr"

    @property
    def cache(self) -> Path:
        """Decompressed scan members and file digests; safe to delete."""
        return self.root / "cache"

    @property
    def digests(self) -> Path:
        return self.cache / "digests.json"

    @property
    def costs(self) -> Path:
        """What each step took; safe to delete."""
        return self.cache / "costs.json"

    @property
    def asked(self) -> Path:
        """The comparison that was last completed, as it was asked for; safe to delete."""
        return self.cache / "asked.json"

    @property
    def checked(self) -> Path:
        """Which chunks were read whole and are untouched since; safe to delete."""
        return self.cache / "checked.json"

    @property
    def steps(self) -> Path:
        """What earlier windows finished of assembly and measurement; safe to delete."""
        return self.cache / "steps"

    @property
    def planning(self) -> Path:
        """What earlier windows found out for a plan that does not stand yet; safe to delete."""
        return self.cache / "planning"

    @property
    def planning_costs(self) -> Path:
        """What each step towards that plan took; safe to delete."""
        return self.planning / "costs.json"

    @property
    def refused(self) -> Path:
        """Windows that were refused before they began; safe to delete."""
        return self.cache / "refused.json"

    @property
    def unpublished(self) -> Path:
        """Results that are being made, or put in the place of earlier ones."""
        return self.root / "unpublished"

    @property
    def objects(self) -> Path:
        return self.root / "objects.zarr"

    @property
    def results(self) -> Path:
        return self.root / "results.json"

    @property
    def metrics_csv(self) -> Path:
        return self.root / "comparison_metrics.csv"

    @property
    def plot(self) -> Path:
        return self.root / "comparison_plot.png"

    def figure(self, name: str, kind: str) -> Path:
        """A figure as ``png``, ``pdf`` or ``svg``; `plot` is one of them."""
        return self.root / f"{name}.{kind}"

    def figures(self) -> tuple[Path, ...]:
        """Where every figure would lie."""
        names = (COMPARISON, RINGS, UPSTREAM_RINGS)
        return tuple(self.figure(name, kind) for name in names for kind in (PNG, *VECTORS))

    @property
    def reconstructions(self) -> Path:
        return self.root / "reconstructions.npz"

    @property
    def reconstructions_aligned(self) -> Path:
        return self.root / "reconstructions_aligned.npz"

    @property
    def ring_curves(self) -> Path:
        """Standard correlations of arms with the reference and with each other, ring by ring."""
        return self.root / "frc_curves.csv"

    def frc_curves(self, arm: str) -> Path:
        """PtychoPINN's curves of an arm."""
        return self.root / f"{arm}_frc_curves.csv"

    @property
    def report(self) -> Path:
        return self.root / "report"

    @property
    def preview(self) -> Path:
        return self.root / "preview"

    @property
    def debug(self) -> Path:
        """Pictures for people who look for a fault; written on request."""
        return self.root / "debug"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def process(self) -> Path:
        return self.root / "process.json"

    @property
    def process_lock(self) -> Path:
        """Held by the tracked session for its life; safe to delete."""
        return self.root / "process.lock"

    @property
    def completion(self) -> Path:
        return self.root / "completion.json"

    @property
    def blocked(self) -> Path:
        return self.root / "blocked"


@cache
def _names() -> frozenset[str]:
    kind = RunPaths  # only a run's handle makes one for a folder that is there
    somewhere = kind(Path("run"))
    own = [name for name, value in vars(RunPaths).items() if isinstance(value, property)]
    return frozenset(getattr(somewhere, name).parts[1] for name in own)
