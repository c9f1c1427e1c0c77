"""What is one study, as it is asked for, and how is it worked on?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from ptyrun.config.options import Entry, Option, Panel, Place, entries
from ptyrun.config.session import WINDOW, local_workers
from ptyrun.config.study_generalization import GeneralizationOptions
from ptyrun.config.study_reconstruction import ReconstructionOptions
from ptyrun.config.study_training import TrainingOptions
from ptyrun.errors import UsageError

SPLITS = ("train", "test")
MOST_PHOTONS = 1e15  # of a mean frame: NumPy draws up to 9.2e18 in one pixel of any frame
ON_CLUSTER = 0  # jobs, as many as a cluster has workers


class View(StrEnum):
    """How many of a scan's frames are kept, and how they are grouped."""

    DENSE = "dense"
    SPARSE = "sparse"


class Split(StrEnum):
    """Which half of the scan."""

    TRAIN = "train"
    TEST = "test"


class Phase(StrEnum):
    """How far a study goes; each phase rests on those before it. Upstream calls them C to G."""

    DATA = "data"
    VIEWS = "views"
    NETWORKS = "networks"
    RECONSTRUCTIONS = "reconstructions"
    COMPARISONS = "comparisons"


class Positions(StrEnum):
    """Where the simulated frames lie."""

    UNIFORM = "uniform"
    BASE = "base"


@dataclass(frozen=True)
class StudyOptions(GeneralizationOptions, TrainingOptions, ReconstructionOptions):
    """One study: doses x views x splits, and what they are made from."""

    hub: Annotated[
        Path,
        Option(
            "--hub",
            "Folder of the study.",
            Panel.OUTPUT,
            "FOLDER",
            place=Place.FOLDER,
            also="--output-root",
        ),
    ]
    name: Annotated[
        str | None,
        Option("--name", "Name of the study.", Panel.OUTPUT, "NAME", "as the hub says"),
    ] = None
    base_npz: Annotated[
        Path | None,
        Option(
            "--base-npz",
            "NPZ whose object, probe and number of positions are simulated.",
            Panel.INPUTS,
            place=Place.FILE,
        ),
    ] = None
    doses: Annotated[
        tuple[float, ...],
        Option(
            "--dose",
            "Mean number of photons per frame.",
            Panel.SELECTION,
            "PHOTONS",
            "1000, 10000, 100000",
            least=1,
            most=MOST_PHOTONS,
        ),
    ] = (1000.0, 10000.0, 100000.0)
    views: Annotated[
        tuple[View, ...],
        Option("--view", "Overlap view: dense or sparse.", Panel.SELECTION, "VIEW"),
    ] = (View.DENSE, View.SPARSE)
    splits: Annotated[
        tuple[Split, ...],
        Option("--splits", "Half of the scan: train or test.", Panel.SELECTION, "SPLIT"),
    ] = (Split.TRAIN, Split.TEST)
    upto: Annotated[
        Phase,
        Option(
            "--upto",
            "Last phase to make: data, views, networks, reconstructions or comparisons "
            "(upstream's phases C to G).",
            Panel.SELECTION,
            "PHASE",
        ),
    ] = Phase.VIEWS
    n_images: Annotated[
        int | None,
        Option(
            "--n-images",
            "Number of frames to simulate.",
            Panel.SELECTION,
            "N",
            "as the base",
            least=2,
        ),
    ] = None
    positions: Annotated[
        Positions,
        Option(
            "--positions",
            "Positions of the frames: drawn uniformly from --seed, or those of the base.",
            Panel.SELECTION,
            "uniform|base",
        ),
    ] = Positions.UNIFORM
    seed: Annotated[
        int,
        Option(
            "--seed", "Seed of the positions.", Panel.SELECTION, "SEED", least=0, most=2**32 - 1
        ),
    ] = 42
    noise_seed: Annotated[
        int, Option("--noise-seed", "Seed of the photon noise.", Panel.SELECTION, "SEED", least=0)
    ] = 0
    split_fraction: Annotated[
        float,
        Option(
            "--split-fraction",
            "Fraction of the range of y at which train ends and test begins.",
            Panel.SELECTION,
            "FRACTION",
            above=0,
            most=1,
        ),
    ] = 0.5
    dense_s_img: Annotated[
        float,
        Option(
            "--dense-s-img",
            "Fraction of the frames in the dense view.",
            Panel.SELECTION,
            "SHARE",
            above=0,
            most=1,
        ),
    ] = 0.8
    sparse_s_img: Annotated[
        float,
        Option(
            "--sparse-s-img",
            "Fraction of the frames in the sparse view.",
            Panel.SELECTION,
            "SHARE",
            above=0,
            most=1,
        ),
    ] = 1.0
    dense_gridsize: Annotated[
        int,
        Option(
            "--dense-gridsize",
            "Gridsize of the dense view's groups.",
            Panel.SELECTION,
            "1|2",
            least=1,
            most=2,
        ),
    ] = 2
    sparse_gridsize: Annotated[
        int,
        Option(
            "--sparse-gridsize",
            "Gridsize of the sparse view's groups.",
            Panel.SELECTION,
            "1|2",
            least=1,
            most=2,
        ),
    ] = 1
    n_groups: Annotated[
        int,
        Option(
            "--n-groups",
            "Number of groups whose overlap is measured.",
            Panel.SELECTION,
            "N",
            least=1,
        ),
    ] = 512
    neighbor_count: Annotated[
        int,
        Option(
            "--neighbor-count",
            "Number of nearest neighbours in the overlap metrics.",
            Panel.SELECTION,
            "K",
            least=1,
        ),
    ] = 25
    probe_diameter_px: Annotated[
        float,
        Option(
            "--probe-diameter-px",
            "Diameter of the probe in the overlap metrics. The default is upstream's for any data: "
            "0.6 of 64 px.",
            Panel.SELECTION,
            "PIXELS",
            above=0,
        ),
    ] = 38.4
    debug_groups: Annotated[
        int,
        Option(
            "--debug-groups",
            "Number of groups of the debug comparison that comes before each full one.",
            Panel.SELECTION,
            "N",
            least=1,
        ),
    ] = 320
    n_test_groups: Annotated[
        int | None,
        Option(
            "--n-test-groups",
            "Number of groups to compare.",
            Panel.SELECTION,
            "N",
            "all",
            least=1,
        ),
    ] = None
    chunk_groups: Annotated[
        int,
        Option(
            "--chunk-groups",
            "Number of groups of a comparison that are committed together; changes no result.",
            Panel.NETWORKS,
            "N",
            least=1,
        ),
    ] = 256
    batch_groups: Annotated[
        int,
        Option(
            "--batch-groups",
            "Number of groups that a network predicts at once.",
            Panel.NETWORKS,
            "N",
            least=1,
        ),
    ] = 16
    subsample_seed: Annotated[
        int,
        Option(
            "--rng-seed-subsample",
            "Seed of the choice of frames in the views.",
            Panel.SELECTION,
            "SEED",
            least=0,
        ),
    ] = 456

    def __post_init__(self) -> None:
        for name in ("doses", "views", "splits", "generalization_sizes"):  # one given twice is one
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))
        for dose in self.doses:
            if not 1 <= dose <= MOST_PHOTONS:
                raise UsageError(
                    f"invalid --dose: {dose:g}",
                    why=f"the noise of that cannot be drawn: a frame has 1 to "
                    f"{MOST_PHOTONS:g} photons on average",
                    do="give a dose in this range, in photons per frame",
                )
            if dose != int(dose):
                raise UsageError(
                    f"invalid --dose: {dose:g}",
                    why="a dose names a folder, like dose_1000, so it must be a whole number",
                    do="give a whole number of photons per frame",
                )

    def reaches(self, phase: Phase) -> bool:
        """Whether the study has the stages of a phase."""
        phases = [*Phase]
        return phases.index(self.upto) >= phases.index(phase)

    def s_img(self, view: View) -> float:
        """Share of the frames that a view keeps."""
        return self.dense_s_img if view is View.DENSE else self.sparse_s_img

    def gridsize(self, view: View) -> int:
        """Side of a view's groups, in frames."""
        return self.dense_gridsize if view is View.DENSE else self.sparse_gridsize


def study_entries() -> list[Entry]:
    """Give the options of a study: hub, base and doses before training and its like."""
    own = StudyOptions.__annotations__
    return sorted(entries(StudyOptions), key=lambda entry: entry.field not in own)


@dataclass(frozen=True)
class StudySession:
    """How long and with what help a study is worked on; changes no result."""

    window_s: Annotated[float | None, WINDOW] = None
    trusted_arms: Annotated[
        tuple[str, ...],
        Option(
            "--trust-model",
            "Let this arm's models (pinn or baseline) run code of their own: TorchScript, .pt2, "
            "SavedModel.",
            Panel.NETWORKS,
            "ARM",
        ),
    ] = ()
    jobs: Annotated[
        int,
        Option(
            "--jobs",
            "Run up to N independent stages side by side; `dask` is one for each worker of the "
            "cluster that --dask or DASK_SCHEDULER_ADDRESS names.",
            Panel.MACHINE,
            "N",
            named={"dask": ON_CLUSTER},
            least=1,
        ),
    ] = 1
    dask: Annotated[
        str | None,
        Option(
            "--dask",
            "Make the stages on the workers of the Dask cluster whose scheduler listens there, or "
            "of one with N workers here (`local:N`); all must see the hub under one path.",
            Panel.MACHINE,
            "ADDRESS",
        ),
    ] = None
    only: Annotated[
        tuple[str, ...],
        Option(
            "--only",
            "Make only the stages of this name or kind (compare-debug, overlap, ...), and what "
            "they need.",
            Panel.WINDOWS,
            "STAGE",
        ),
    ] = ()
    clobber: Annotated[
        bool,
        Option(
            "--clobber",
            "First move everything these stages made to one folder under HUB/archive.",
            Panel.EARLIER,
        ),
    ] = False
    collect_only: Annotated[
        bool,
        Option(
            "--collect-only", "Print the stages and their commands; run nothing.", Panel.WINDOWS
        ),
    ] = False
    skip_post_verify: Annotated[
        bool,
        Option(
            "--skip-post-verify", "Do not verify the hub when all stages are done.", Panel.WINDOWS
        ),
    ] = False

    def __post_init__(self) -> None:
        """Refuse a cluster of none, and a number of jobs beside one."""
        if self.dask is None:
            return
        local_workers(self.dask)
        if self.jobs not in (1, ON_CLUSTER):
            raise UsageError(
                "--jobs and --dask contradict each other",
                why="stages are made either by processes here, or by the workers of the cluster",
                do="give one of them",
            )
