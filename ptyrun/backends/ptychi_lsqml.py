"""How does pty-chi find an object, if it is installed?

LSQML: M. Odstrcil, A. Menzel, M. Guizar-Sicairos, Opt. Express 26, 3108 (2018),
doi:10.1364/OE.26.003108.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ptyrun.backends.gaussian_blur import torchvision_or_stand_in
from ptyrun.ptycho.reconstruction.frames import Frames, blocks
from ptyrun.ptycho.reconstruction.reconstructor import (
    Found,
    ReconstructionError,
    ReconstructionRequest,
    State,
)

os.environ["TQDM_DISABLE"] = "1"
with torchvision_or_stand_in():
    import ptychi
    import ptychi.api as api
    from ptychi.api.task import PtychographyTask


class PtyChi:
    """LSQML with pty-chi, one epoch per step, on the CPU and on one thread.

    The order of frames in an epoch is drawn from seed and epoch alone, so that it is not part of
    the state; frames are read when their turn comes. A resumed reconstruction is that of an
    uninterrupted one within 1e-3 of its largest magnitude.
    """

    algorithm = f"LSQML (pty-chi {ptychi.__version__})"

    def __init__(self, request: ReconstructionRequest, state: State) -> None:
        torch.set_num_threads(1)
        self._request = request
        self._loss: list[float] = state["loss"].tolist()
        y, x = request.positions_px.T
        patterns: Any = _Patterns(request.amplitudes)
        with _without_warnings():
            task: Any = PtychographyTask(
                _options(request),
                diffraction_data=patterns,
                object_data=state["object"][None],
                # pty-chi's far field is the sum of N x N terms, not divided by N.
                probe_data=state["probe"][None, None] / request.probe.shape[0],
                probe_position_x_px=x,
                probe_position_y_px=y,
            )
            self._task = task.__enter__()

    @classmethod
    def open(cls, request: ReconstructionRequest, state: State | None = None) -> Self:
        """Begin with an even object, or go on from a state.

        Raises
        ------
        ReconstructionError
            If the state is not one of this request.
        """
        begun: State = {
            "object": np.ones(request.object_shape, np.complex64),
            "probe": request.probe,
            "loss": np.empty(0),
        }
        if state is None:
            return cls(request, begun)
        for name in ("object", "probe"):
            kept = state.get(name)
            if kept is None or kept.shape != begun[name].shape or kept.dtype != np.complex64:
                raise _refusal(f"its {name} is not complex64 of shape {begun[name].shape}")
        loss = state.get("loss")
        if loss is None or loss.dtype != np.float64 or loss.ndim != 1:
            raise _refusal("it has no loss")
        if len(loss) > request.epochs:
            raise _refusal(f"it is {len(loss)} epochs old, and {request.epochs} are asked for")
        return cls(request, state)

    @property
    def epochs_done(self) -> int:
        """Passes over all frames so far."""
        return len(self._loss)

    def advance(self) -> None:
        """Take one epoch."""
        seed = np.random.SeedSequence([self._request.seed, self.epochs_done]).generate_state(1)
        torch.manual_seed(int(seed[0]))
        self._task.reconstructor.dataloader.generator.manual_seed(int(seed[0]))
        np.random.seed(int(seed[0]))
        with _without_warnings():
            self._task.run(1)
        self._loss.append(float(self._task.reconstructor.loss_tracker.table["loss"].iloc[-1]))

    def state(self) -> dict[str, NDArray[Any]]:
        """Give object and probe as they are, and the loss of each epoch so far."""
        found = self.found()
        return {"object": found.object, "probe": found.probe, "loss": found.loss}

    def found(self) -> Found:
        """Give the object as it is now; what no frame lights is 1."""
        image = self._task.get_data_to_cpu("object", as_numpy=True)[0]
        probe = self._task.get_data_to_cpu("probe", as_numpy=True)[0, 0]
        return Found(
            image.astype(np.complex64),
            (probe * self._request.probe.shape[0]).astype(np.complex64),
            np.array(self._loss, np.float64),
        )

    def close(self) -> None:
        """End pty-chi's task."""
        self._task.__exit__(None, None, None)


class _Patterns:
    """What pty-chi takes for a tensor (n, N, N) of intensities; frames are read when it asks.

    It has as much of a tensor as pty-chi uses: shape, kind and place, some frames by their
    numbers, and the power of all.
    """

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self, amplitudes: Frames) -> None:
        self._amplitudes = amplitudes
        self.shape = amplitudes.shape

    def __len__(self) -> int:
        return len(self._amplitudes)

    def __getitem__(self, numbers: Any) -> Any:
        wanted = np.asarray(numbers, np.int64)
        found = np.square(self._amplitudes[np.atleast_1d(wanted)]).reshape(
            *wanted.shape, *self.shape[1:]
        )
        # Zero frequency first, as pty-chi computes.
        found = np.fft.ifftshift(found, axes=(-2, -1))
        return torch.from_numpy(found) if isinstance(numbers, torch.Tensor) else found

    def sum(self, axis: Any = None, **_: Any) -> NDArray[np.float32]:
        """Give the power of each frame, all that pty-chi sums."""
        if axis != (1, 2):
            raise NotImplementedError(f"frames are summed one by one, not along {axis}")
        powers = [np.sum(np.square(each), axis=axis) for each in blocks(self._amplitudes)]
        return np.concatenate(powers)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Pass over what PyTorch says of pty-chi's own code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _options(request: ReconstructionRequest) -> Any:
    """Settings of pty-chi: known positions, one thread, repeatable."""
    chosen = api.LSQMLOptions()
    method = chosen.reconstructor_options
    method.num_epochs = request.epochs
    method.batch_size = request.batch_frames
    method.default_device = api.Devices.CPU
    method.random_seed = request.seed
    method.allow_nondeterministic_algorithms = False
    method.rescale_probe_intensity_in_first_epoch = False
    chosen.data_options.fft_shift = False  # of frames that are asked for, where they are read
    chosen.object_options.remove_object_probe_ambiguity.enabled = False
    # pty-chi centres a patch between its two middle pixels, the study on the upper one.
    origin = api.ObjectPosOriginCoordsMethods.SPECIFIED
    chosen.object_options.determine_position_origin_coords_by = origin
    chosen.object_options.position_origin_coords = [-0.5, -0.5]
    chosen.probe_options.optimizable = request.update_probe
    chosen.probe_position_options.optimizable = False
    return chosen


def _refusal(why: str) -> ReconstructionError:
    return ReconstructionError(
        "the saved state does not fit the requested reconstruction",
        why=why,
        do="delete it; the reconstruction then starts from the beginning",
    )
