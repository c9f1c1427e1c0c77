"""How is a network asked for patches, whichever framework it was made with?

Nothing here imports a framework: a backend is an entry point of ``ptyrun.predictors``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from numbers import Integral
from pathlib import Path
from typing import Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from ptyrun.config import ARM_WORDS, OWN_BACKENDS
from ptyrun.errors import (
    Leaving,
    ModelError,
    PredictionError,
    PredictorUnavailableError,
    UnknownPredictorError,
    nearest,
)
from ptyrun.host.packages import entry_points
from ptyrun.models.cards import inspect
from ptyrun.models.files import (
    ModelCard,
    ModelFile,
    require_reader,
    require_trust,
)
from ptyrun.models.kinds import WEIGHTS_ALONE, ModelKind
from ptyrun.texts import counted

ENTRY_POINTS = "ptyrun.predictors"
# Of ptyrun's own backends; other packages may take what they like.
KNOWN_OPTIONS = frozenset({"factory"})


class WrongFormError(PredictionError):
    """What a predictor gives is not one complex64 patch per group; no retry heals that."""


class PredictorOutOfMemoryError(PredictionError):
    """The framework ran out of memory; a smaller batch may fit."""


@dataclass(frozen=True)
class ModelRequest:
    """What a run asks of a model.

    Attributes
    ----------
    path : Path
        Model file or folder, as :func:`locate` understands it.
    patch_px, gridsize : int
        Side N of a pattern and of its patch; a group has C = gridsize^2 patterns.
    batch_items : int
        Groups given to the predictor at once.
    options : mapping of str to str
        For the backend: ``factory`` (``module:callable`` that makes the network of a state
        dict).
    trusted : bool
        Whether the model may run code of its own; without it, programs are refused.
    """

    path: Path
    patch_px: int
    gridsize: int
    batch_items: int
    options: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = False


class OpenedPredictor(Protocol):
    """Diffraction in, patches out.

    ``batch_items`` may be smaller than asked for, when only a smaller batch is safe; then
    ``card.notes`` says so.
    """

    card: ModelCard
    batch_items: int

    def predict(
        self, diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        """One patch per group.

        Parameters
        ----------
        diffraction : ndarray of float32, shape (B, N, N, C)
            Normalised amplitudes, DC centred; B is always ``batch_items``.
        local_offsets_px : ndarray of float32, shape (B, 1, 2, C)
            Axis 2 = [x, y]: minus the position of each member from the group's mean.

        Returns
        -------
        ndarray of complex64, shape (B, N, N)
            Transmission (dimensionless) around each group's mean position.

        Raises
        ------
        PredictorOutOfMemoryError
            If the batch does not fit into memory.
        PredictionError
            If the network gives anything but one patch per group.
        """
        ...

    def close(self) -> None:
        """Let go of the model and its memory."""
        ...


class Predictor(OpenedPredictor, Protocol):
    """Diffraction in, patches out. What a backend offers under its entry point."""

    @classmethod
    def open(cls, request: ModelRequest) -> Self:
        """Load the model and make it ready.

        Parameters
        ----------
        request : ModelRequest
            Which model, patch size, gridsize and batch.

        Returns
        -------
        Predictor

        Raises
        ------
        ModelError
            If the model does not suit the request.
        """
        ...


def find(backend: str) -> EntryPoint:
    """Find the backend called *backend* among the installed ones, without importing it.

    Raises
    ------
    UnknownPredictorError
        If there is none.
    """
    points = {point.name: point for point in entry_points(ENTRY_POINTS)}
    if backend not in points:
        raise UnknownPredictorError(
            f"no predictor is called {backend!r}",
            why=f"installed: {', '.join(sorted(points)) or 'none'}",
            do="correct the name, or install the package that offers it",
        )
    return points[backend]


@contextmanager
def in_foreign_code() -> Iterator[None]:
    """While a predictor's own code runs: its `sys.exit` must not pass for the end of the command.

    Yields
    ------
    None

    Raises
    ------
    PredictionError
        In place of any SystemExit but that of a signal.
    """
    try:
        yield
    except Leaving:
        raise
    except SystemExit as error:
        code = error.code or 0
        raise PredictionError(
            f"the predictor asked Python to exit (code {code})",
            why="its code, or code that it calls, ends the whole process where it should raise",
            do="look at what the predictor says, and correct it",
        ) from error


def open_predictor(backend: str, request: ModelRequest) -> Predictor:
    """Import the backend called *backend* and open the model of *request* with it.

    Parameters
    ----------
    backend : str
        Name of the entry point.
    request : ModelRequest
        What its ``open`` is given.

    Returns
    -------
    Predictor
        With every member of the protocol.

    Raises
    ------
    UnknownPredictorError, PredictorUnavailableError
        If no such backend is installed, it cannot be imported, or is no `Predictor`.
    ModelError
        If the model cannot be used as requested.
    PredictionError
        If the backend asks Python to exit.
    """
    with in_foreign_code():
        return _open(backend, request)


def _open(backend: str, request: ModelRequest) -> Predictor:
    point = find(backend)
    try:
        loaded = point.load()
    except PredictorUnavailableError:
        raise
    except Exception as error:  # a module may raise anything
        known = isinstance(error, ImportError)
        raise PredictorUnavailableError(
            f"predictor {backend!r} cannot be imported",
            why=str(error) if known else f"{type(error).__name__}: {error}",
            do=how_to_mend(point),
        ) from error
    if not callable(getattr(loaded, "open", None)):
        raise _no_predictor(point, "it has no class method open")
    predictor = cast("type[Predictor]", loaded).open(request)
    if fault := fault_of(predictor):
        raise _no_predictor(point, fault)
    return predictor


def fault_of(predictor: Predictor) -> str | None:
    """Say which part of `Predictor` is missing, if any."""
    for method in ("predict", "close"):
        if not callable(getattr(predictor, method, None)):
            return f"what it opens has no method {method}"
    if not isinstance(getattr(predictor, "card", None), ModelCard):
        return "what it opens has no attribute card that is a ModelCard"
    batch_items = getattr(predictor, "batch_items", None)
    if not isinstance(batch_items, Integral) or batch_items < 1:
        return "what it opens has no attribute batch_items that is a number of groups"
    return None


def _no_predictor(point: EntryPoint, fault: str) -> PredictorUnavailableError:
    return PredictorUnavailableError(
        f"{point.name!r} is not a predictor",
        why=f"{fault}, as ptyrun.predictors.Predictor demands",
        do=how_to_mend(point),
    )


def how_to_mend(point: EntryPoint) -> str:
    """Tell where a backend that does not work comes from: an extra of ptyrun, or a package.

    Parameters
    ----------
    point : EntryPoint

    Returns
    -------
    str
    """
    if point.value.startswith("ptyrun."):
        return f"pip install 'ptyrun[{point.name}]'"
    package = f"the package {point.dist.name}" if point.dist else "the package"
    return f"install or reinstall {package} that offers it"


def check_request(model: ModelFile, request: ModelRequest) -> ModelCard:
    """Refuse a model that cannot serve *request*, before any framework is imported.

    Parameters
    ----------
    model : ModelFile
        The model as it was found.
    request : ModelRequest
        What the run asks of it.

    Returns
    -------
    ModelCard
        What the file says of itself.

    Raises
    ------
    ModelError
        If it is a program that is not trusted, if the file says another patch size or number of
        channels than asked for, or if it cannot be loaded with the options given.
    """
    check_options(model, request.options)
    require_trust(model, request.trusted)
    card = inspect(model)
    for noun, has, wants in (
        ("patches of {} px", card.patch_px, request.patch_px),
        ("gridsize {}", card.gridsize, request.gridsize),
    ):
        if has is not None and has != wants:
            raise ModelError(
                f"{model.path.name} is made for {noun.format(has)}, not {wants}",
                why=f"its {card.description} says so; the comparison asks for {wants}",
                do="give a model that was trained for this scan, or a scan that suits the model",
            )
    return card


def check_options(model: ModelFile, options: Mapping[str, str]) -> None:
    """Refuse a model that cannot be loaded with these options.

    Raises
    ------
    ModelError
        If it holds weights alone and nothing makes their network, or if ptyrun's own backend, which
        shall read it, reads no such files or knows no such option.
    """
    require_reader(model)
    unknown = sorted({*options} - KNOWN_OPTIONS)
    if unknown and model.kind is not ModelKind.OTHER:
        raise ModelError(
            f"no option of a model is called {unknown[0]!r}",
            why=f"a {model.kind} takes {', '.join(sorted(KNOWN_OPTIONS))}"
            f"{nearest(unknown[0], ARM_WORDS)}",
            do="correct the name, or leave it out",
        )
    if "factory" in options and model.backend in OWN_BACKENDS - {"pytorch"}:
        raise ModelError(
            f"factory={options['factory']} cannot be used with {model.path.name}",
            why=f"a {model.kind} holds its network; only a PyTorch state dict needs one made",
            do="leave factory= out, or name the state dict",
        )
    if model.kind in WEIGHTS_ALONE and ":" not in options.get("factory", ""):
        raise ModelError(
            f"{model.path.name} holds weights without a network ({model.kind})",
            why="only your own code can make the network that they belong to",
            do="give factory=module:callable, a function that returns it as it was saved",
        )


def check_output(patches: NDArray[np.complex64], n_groups: int, patch_px: int) -> None:
    """Refuse anything but one finite complex64 patch per group.

    Parameters
    ----------
    patches : ndarray of complex64, shape (B, N, N)
        What the predictor gave.
    n_groups, patch_px : int
        B groups that it was given, and the side N of a patch in pixels.

    Raises
    ------
    PredictionError
        If number, shape or dtype differ, or a value is not finite.
    """
    check_form(patches, n_groups, patch_px)
    if bad := int(np.count_nonzero(~np.isfinite(patches))):
        raise PredictionError(
            f"{bad} of {patches.size} predicted values are not finite",
            why="the network overflowed, or its weights or inputs hold NaN",
            do="look at the weights and at the scan's normalisation",
        )


def check_form(patches: NDArray[np.complex64], n_groups: int, patch_px: int) -> None:
    """Refuse anything but one complex64 patch per group, whatever its values.

    Parameters
    ----------
    patches : ndarray of complex64, shape (B, N, N)
        What the predictor gave.
    n_groups, patch_px : int
        B groups that it was given, and the side N of a patch in pixels.

    Raises
    ------
    WrongFormError
        If number, shape or dtype differ.
    """
    check_form_of(patches.shape, str(patches.dtype), n_groups, patch_px)


def check_form_of(shape: tuple[int, ...], dtype: str, n_groups: int, patch_px: int) -> None:
    """Refuse patches of another shape or dtype, as `check_form` does."""
    wanted = (n_groups, patch_px, patch_px)
    if shape != wanted:
        raise WrongFormError(
            f"the predictor gave an array of shape {shape} for {counted(n_groups, 'group')}",
            why=f"one patch per group has shape {wanted}",
            do="use a model that gives one patch per group at this batch size",
        )
    if dtype != "complex64":
        raise WrongFormError(
            f"the predictor gave {dtype} patches",
            why="patches are stored as complex64",
            do="correct the predictor",
        )
