"""How does a session use a predictor that lives in a process of its own? As if it lived here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.child.answers import PredictorRaisedError, card_of, require_form
from ptyrun.child.arrays import Layout, SharedArrays
from ptyrun.child.fence import Yard
from ptyrun.child.predictor_process import Patience, PredictorProcess
from ptyrun.errors import PredictionError, PredictorDiedError, UsageError
from ptyrun.models.files import ModelCard
from ptyrun.models.halving import Halving, HalvingPredictor
from ptyrun.models.predictors import ModelRequest
from ptyrun.texts import counted

LOADS = 8  # so often a process is begun anew that somebody ended before it was ready


@dataclass(frozen=True)
class Waits:
    """When a session stops waiting for its predictor.

    Attributes
    ----------
    loading : callable
        Whether to wait no more for a model.
    computing : callable
        Whether to wait no more for a batch.
    """

    loading: Callable[[], bool] = lambda: False
    computing: Callable[[], bool] = lambda: False


@dataclass
class Hosted:
    """A predictor of one arm, in one process after the other.

    Parameters
    ----------
    backend : str
    request : ModelRequest
    digest : str
        The model's, which names its cache.
    is_confined : bool
        Whether its processes are to be fenced in.
    label : str
        The arm's.
    waits : Waits
    patience : Patience
    say : callable
        Told why a process is not confined, once.
    """

    backend: str
    request: ModelRequest
    digest: str
    is_confined: bool = True
    label: str = "predictor"
    waits: Waits = field(default_factory=Waits)
    patience: Patience = field(default_factory=Patience)
    say: Callable[[str], None] = lambda text: None
    process: PredictorProcess | None = None
    _said: bool = False
    _loading: dict[str, Any] | None = None  # what it was asked to load, and has not answered

    def begin(self) -> PredictorProcess:
        """Start a process that imports what it will need; it is not waited for."""
        self.end()
        yard = Yard.made(self.backend, self.request, self.digest, is_confined=self.is_confined)
        self.process = PredictorProcess(yard, self.label, self.patience)
        self.process.begin({"do": "import", "backend": self.backend})
        return self.process

    def load(self) -> None:
        """Have the process that was begun load the model as well; it is not waited for."""
        if self.process is not None and self._loading is None:
            self._loading = self._message(self.request)
            self.process.begin(self._loading)

    def _message(self, request: ModelRequest) -> dict[str, Any]:
        asked = {**vars(request), "path": os.path.abspath(request.path)}  # noqa: PTH100
        asked["options"] = dict(request.options)
        return {"do": "open", "backend": self.backend, "request": asked}

    def open_at(self, batch_items: int) -> HostedPredictor:
        """Load the model for a batch; raises as `ptyrun.models.predictors.open_predictor`."""
        return HostedPredictor(self, replace(self.request, batch_items=batch_items))

    def opened(self, request: ModelRequest) -> tuple[PredictorProcess, ModelCard, int]:
        """Load the model in the process that there is, or in a new one."""
        message = self._message(request)
        loads = 0
        while True:
            process = self.process
            if process is None or not process.is_there:
                process = self.begin()
            try:
                loading, self._loading = self._loading, None
                is_under_way = loading == message
                process.settle(self.waits.loading, leave=int(is_under_way))
                self._tell(process)
                if process.unfit:
                    self.is_confined = False
                    self.end()
                    continue
                if is_under_way:
                    card, batch_items = process.answered(self.waits.loading, card_of)
                else:
                    card, batch_items = process.asked(message, self.waits.loading, card_of)
            except PredictorDiedError as error:
                loads += 1
                if not error.by_chance or loads >= LOADS:
                    raise
                continue
            if process.holds(Layout(batch_items, request.patch_px, request.gridsize**2)):
                return process, card, batch_items
            self.end()  # memory that was given its size keeps it

    def _tell(self, process: PredictorProcess) -> None:
        why = process.unfit or process.why_free
        if self.is_confined and why and not self._said:
            self._said = True
            self.say(f"{self.label}: its predictor runs unconfined: {why}")

    def end(self) -> None:
        """End the process, if there is one."""
        process, self.process, self._loading = self.process, None, None
        if process is not None:
            process.end()


class HostedPredictor:
    """The model in its process, at one batch; a process that died is replaced when it is needed."""

    def __init__(self, host: Hosted, request: ModelRequest) -> None:
        self._host = host
        self._request = request
        self._process, self.card, self.batch_items = host.opened(request)
        self._layout = Layout(self.batch_items, request.patch_px, request.gridsize**2)
        self._process.require_room(self._layout)
        self._arrays: SharedArrays | None = None

    def predict(
        self, diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        """One patch per group; see :class:`ptyrun.models.predictors.Predictor`.

        Raises
        ------
        PredictorRaisedError
            If it says that its input or use is at fault: when it was opened, it did not.
        PredictorDiedError
            If the process ended while it computed; the next call begins a new one.
        CutOffError
            If the session has to end before.
        """

        def read(answer: dict[str, Any]) -> None:
            require_form(answer, self._layout.patches_shape)

        loads = 0
        while True:
            arrays = self._ready()
            arrays.diffraction[...] = diffraction
            arrays.local_offsets_px[...] = local_offsets_px
            try:
                self._process.asked({"do": "predict"}, self._host.waits.computing, read)
            except PredictorDiedError as error:
                loads += 1
                if error.began or loads >= LOADS:
                    raise
                continue  # it died before it took the batch, which is not to blame
            except UsageError as error:
                # Of a batch, it is a failure like any other: the words to it are the predictor's.
                raise PredictorRaisedError(
                    f"the predictor failed with {type(error).__name__}: {error.what}",
                    why=error.why,
                    do="look at its traceback in the log, and correct it or what it was given",
                ) from error
            return arrays.patches.copy()

    def _ready(self) -> SharedArrays:
        if not self._process.is_there:
            self._arrays = None
            self._process, card, batch_items = self._host.opened(self._request)
            if batch_items != self.batch_items:
                raise PredictionError(
                    f"the model now takes {counted(batch_items, 'group')} at once, "
                    f"not {self.batch_items}",
                    why=f"it was opened again, and says: {card.description}",
                    do="correct the predictor; ptyrun.testing.PredictorContract tests it",
                )
        if self._arrays is None:
            self._arrays = self._process.arrays(self._layout)
        return self._arrays

    def close(self) -> None:
        """Let go of the model; its process stays for who opens it again."""
        self._arrays = None
        if self._process.is_there:
            self._process.asked({"do": "close"}, self._host.waits.computing, lambda told: None)


def open_hosted(
    host: Hosted, on_halving: Callable[[Halving], None] = lambda halving: None
) -> HalvingPredictor:
    """Open a predictor in a process of its own that survives running out of memory.

    Raises
    ------
    PtyrunError
        As `ptyrun.models.halving.open_halving`.
    PredictorDiedError
        If the process ends, or gives no answer, while it loads the model.
    CutOffError
        If the session has to end before.
    """
    try:
        return HalvingPredictor.opened(host.open_at, host.request.batch_items, on_halving, host.end)
    except BaseException:
        host.end()
        raise
