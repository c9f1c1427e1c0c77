"""How is a network trained, whichever framework it is made with?

Nothing here imports a framework: a trainer is found through the entry points ``ptyrun.trainers``.
It is called what the file is called that it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import PredictorUnavailableError, UsageError, nearest
from ptyrun.host.packages import entry_points, is_installed
from ptyrun.training.settings import require_numbers

ENTRY_POINTS = "ptyrun.trainers"
State = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class OwnTrainer:
    """A trainer of ptyrun's own: where it is, the extra and framework it needs, its settings.

    ``settings`` has their defaults by name. An installation for development that is older than a
    trainer lists no entry point of it.
    """

    value: str
    extra: str
    framework: str
    settings: Mapping[str, float]


OWN = {
    "pinn.pt2": OwnTrainer(
        "ptyrun.backends.pinn_trainer:PinnTrainer",
        "pytorch",
        "torch",
        {"stages": 3, "width": 12, "batch_groups": 16, "learning_rate": 2e-3},
    ),
    "baseline.keras": OwnTrainer(
        "ptyrun.backends.baseline_trainer:BaselineTrainer",
        "tf",
        "tensorflow",
        {"fine_width": 16, "coarse_width": 48, "batch_frames": 8, "learning_rate": 2e-3},
    ),
}


class UnknownTrainerError(UsageError):
    """No installed package offers a trainer of that name."""


class TrainerUnavailableError(PredictorUnavailableError):
    """The trainer exists but cannot be imported, or is none; or its framework is missing."""


@dataclass(frozen=True)
class Examples:
    """What a network learns from: G groups of C frames.

    Attributes
    ----------
    diffraction : ndarray of float32, shape (G, N, N, C)
        Normalised amplitudes, DC centred.
    local_offsets_px : ndarray of float32, shape (G, 1, 2, C)
        Axis 2 = [x, y]: minus the position of each member from the group's mean.
    probe : ndarray of complex64, shape (N, N)
        Scaled so that ``|FFT(probe * patch)|`` (orthonormal) is the normalised amplitude.
    truth : callable
        Gives the object around each group's mean position, (G, N, N) complex64.
    """

    diffraction: NDArray[np.float32]
    local_offsets_px: NDArray[np.float32]
    probe: NDArray[np.complex64]
    truth: Callable[[], NDArray[np.complex64]]

    @property
    def n_groups(self) -> int:
        """G."""
        return len(self.diffraction)

    @property
    def patch_px(self) -> int:
        """N."""
        return int(self.diffraction.shape[1])


@dataclass(frozen=True)
class TrainingRequest:
    """What is asked of a trainer.

    Attributes
    ----------
    examples : Examples
    epochs : int
        How often each example is seen; the learning rate may depend on it.
    seed : int
        Of the first weights and of everything else that is drawn.
    threads : int
        Of the CPU. Another number sums in another order, and gives other last bits.
    settings : mapping of str to str
        The trainer's own.
    """

    examples: Examples
    epochs: int
    seed: int = 0
    threads: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)


class Trainer(Protocol):
    """One network that learns. What a package offers under the entry point.

    Equal requests, states and items give equal bits on one machine.

    Attributes
    ----------
    n_items : int
        Number of examples, mirrored ones included; items are numbered from 0.
    batch_items : int
        Examples of one step.
    figures : tuple of str
        Names of what `step` gives; the first is what is minimised.
    identity : str
        Framework and version: a state of another one is not resumed.
    """

    n_items: int
    batch_items: int
    figures: tuple[str, ...]
    identity: str

    @classmethod
    def open(cls, request: TrainingRequest) -> Self:
        """Make the network.

        Parameters
        ----------
        request : TrainingRequest
            Examples, epochs, seed and settings.

        Returns
        -------
        Trainer
            Ready for its first step.

        Raises
        ------
        UsageError
            If the settings or examples do not suit it.
        """
        ...

    def step(self, items: NDArray[np.int64]) -> tuple[float, ...]:
        """Learn once from some examples.

        Parameters
        ----------
        items : ndarray of int64, shape (B,)
            Numbers of the examples.

        Returns
        -------
        tuple of float
            The figures before the step, as many as `figures` has names.
        """
        ...

    def state(self) -> State:
        """All that later steps depend on: weights, optimizer, random state, number of steps.

        Returns
        -------
        mapping of str to ndarray
            Arrays of numbers, of any shape.
        """
        ...

    def restore(self, state: State) -> None:
        """Take on an earlier state.

        Parameters
        ----------
        state : mapping of str to ndarray
            What `state` gave.

        Raises
        ------
        ValueError
            If it is another network's.
        """
        ...

    def predict(self, items: NDArray[np.int64]) -> NDArray[np.complex64]:
        """Give one patch per example, without learning.

        Parameters
        ----------
        items : ndarray of int64, shape (B,)
            Numbers of the examples.

        Returns
        -------
        ndarray of complex64, shape (B, N, N)
            Transmission, dimensionless.
        """
        ...

    def save(self, path: Path) -> None:
        """Write the model; equal states give equal bytes.

        Parameters
        ----------
        path : Path
            The file to write.
        """
        ...

    def close(self) -> None:
        """Let go of the network and its memory."""
        ...


def find(name: str) -> EntryPoint:
    """Find the trainer called *name* among the installed ones, without importing it.

    Raises
    ------
    UnknownTrainerError
        If there is none.
    """
    own = {name: EntryPoint(name, each.value, ENTRY_POINTS) for name, each in OWN.items()}
    points = own | {point.name: point for point in entry_points(ENTRY_POINTS)}
    if name not in points:
        raise UnknownTrainerError(
            f"no trainer is called {name!r}",
            why=f"installed: {', '.join(sorted(points)) or 'none'}{nearest(name, points)}",
            do="correct the name, or install the package that offers it",
        )
    return points[name]


def require_ready(name: str, settings: Mapping[str, str], *, is_here: bool) -> None:
    """See that a trainer can be opened with these settings, as far as that is known.

    Parameters
    ----------
    name : str
        Of the entry point; nothing is imported.
    settings : mapping of str to str
        The trainer's own.
    is_here : bool
        Whether this machine is to train, and so has to have its framework.

    Raises
    ------
    UnknownTrainerError
        If none of that name is installed.
    TrainerUnavailableError
        If one of ptyrun's own lacks its framework.
    UsageError
        If one of ptyrun's own has no such settings.
    """
    point = find(name)
    if not _is_own(point):
        return
    require_numbers(settings, OWN[name].settings)
    if is_here and not is_installed(framework := OWN[name].framework):
        raise TrainerUnavailableError(
            f"the trainer {name!r} cannot be imported",
            why=f"there is no module {framework}",
            do=_how_to_mend(point),
        )


def open_trainer(name: str, request: TrainingRequest) -> Trainer:
    """Import the trainer called *name* and let it make its network.

    Parameters
    ----------
    name : str
        Of the entry point.
    request : TrainingRequest
        What its ``open`` is given.

    Returns
    -------
    Trainer
        With every member of the protocol.

    Raises
    ------
    UnknownTrainerError, TrainerUnavailableError
        If none of that name is installed, it cannot be imported, or is none.
    UsageError
        If the settings or examples do not suit it.
    """
    point = find(name)
    try:
        loaded = point.load()
    except Exception as error:  # a module may raise anything
        known = isinstance(error, ImportError)
        raise TrainerUnavailableError(
            f"the trainer {name!r} cannot be imported",
            why=str(error) if known else f"{type(error).__name__}: {error}",
            do=_how_to_mend(point),
        ) from error
    if not callable(getattr(loaded, "open", None)):
        raise _no_trainer(point, "it has no class method open")
    trainer = cast("type[Trainer]", loaded).open(request)
    if fault := fault_of(trainer):
        raise _no_trainer(point, fault)
    return trainer


def fault_of(trainer: object) -> str | None:
    """Say which part of `Trainer` is missing, if any."""
    for method in ("step", "state", "restore", "predict", "save", "close"):
        if not callable(getattr(trainer, method, None)):
            return f"what it opens has no method {method}"
    for name in ("n_items", "batch_items"):
        number = getattr(trainer, name, None)
        if not isinstance(number, int) or number < 1:
            return f"what it opens has no attribute {name} that is a number of examples"
    figures = getattr(trainer, "figures", ())
    if not figures or not all(isinstance(each, str) for each in figures):
        return "what it opens has no attribute figures with a name for each number of a step"
    if not isinstance(getattr(trainer, "identity", None), str):
        return "what it opens has no attribute identity that names its framework"
    return None


def _no_trainer(point: EntryPoint, fault: str) -> TrainerUnavailableError:
    return TrainerUnavailableError(
        f"{point.name!r} is not a trainer",
        why=f"{fault}, as ptyrun.trainers.Trainer demands",
        do=_how_to_mend(point),
    )


def _is_own(point: EntryPoint) -> bool:
    return point.name in OWN and point.value == OWN[point.name].value


def _how_to_mend(point: EntryPoint) -> str:
    if _is_own(point):
        return f"pip install 'ptyrun[{OWN[point.name].extra}]'"
    package = f"the package {point.dist.name}" if point.dist else "the package"
    return f"install or reinstall {package} that offers it"
