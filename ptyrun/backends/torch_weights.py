"""Which weights does a file hold, and how do they fit a network?

Training codes wrap weights in checkpoints, beside optimizers, losses and settings, and put prefixes
before their names. Only tensors and plain values are unpickled: an object of any other class
becomes an empty one, and no code that a file names is imported or called.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import torch

from ptyrun.errors import ModelError

State = dict[str, torch.Tensor]

# Where training codes keep the weights in a checkpoint; the first of these that is there counts.
KEYS = (
    *("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network"),
    *("net_state_dict", "network_state_dict", "weights", "params"),
)
# What wrappers put before the names of a network: data-parallel, compiled, Lightning, one's own.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "state_dict.")
# Wrappers of a network's parts leave these in the middle of names.
INNER = ("_orig_mod", "module")
MAX_CPU_S = 8.0  # to unpickle a file, besides what its numbers take: steps may be made to last
CPU_S_PER_BYTE = 1 / 50e6
MAX_DEPTH = 4
MAX_NAMES = 4
SAVE_WEIGHTS = "save weights alone: torch.save(network.state_dict(), ...)"
ZIP = b"PK\3\4"


class Opaque:
    """Stands for an object whose class is not to be imported; holds nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


def unpickled(source: Path | bytes, name: str) -> Any:
    """Read what `torch.save` wrote: tensors, plain values, and `Opaque` in place of the rest.

    Raises
    ------
    ModelError
        If only code that the file names could read it.
    Exception
        Whatever PyTorch raises for what is damaged.
    """

    def opened() -> IO[bytes]:
        return BytesIO(source) if isinstance(source, bytes) else source.open("rb")

    n_bytes = len(source) if isinstance(source, bytes) else source.stat().st_size
    with _within(MAX_CPU_S + CPU_S_PER_BYTE * n_bytes, name):
        return _unpickled(opened, name)


@contextmanager
def _within(cpu_s: float, name: str) -> Iterator[None]:
    """Give up on a file that takes more CPU time; only a main thread hears of that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    began = os.times().user

    def look(_number: int, _frame: Any) -> None:
        if (took := os.times().user - began) >= cpu_s:
            raise ModelError(
                f"{name} takes too long to read",
                why=f"unpickling it took {took:.0f} s of CPU time, and was not done",
                do=SAVE_WEIGHTS,
            )

    before = signal.signal(signal.SIGVTALRM, look)
    # Again and again: what is raised may be caught by what it interrupts.
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _unpickled(opened: Callable[[], IO[bytes]], name: str) -> Any:
    with opened() as file:
        is_archive = file.read(4) == ZIP
    unknown: list[str] = []
    if is_archive:
        with opened() as file:
            unknown = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    with torch.serialization.safe_globals([(Opaque, name) for name in unknown]), opened() as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise ModelError(
                f"{name} holds more than weights and plain values",
                why=f"reading the rest would run code ({_reason(error)})",
                do=SAVE_WEIGHTS,
            ) from error


def _reason(error: Exception) -> str:
    """What PyTorch says is wrong, without its advice to read it all the same."""
    lines = str(error).rpartition("WeightsUnpickler error:")[2].strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def weights_in(content: Any, name: str) -> tuple[State, tuple[str, ...]]:
    """Find the weights in what a file held.

    Returns
    -------
    state : dict of str to tensor
    notes : tuple of str
        What was chosen where there was a choice.

    Raises
    ------
    ModelError
        If there are none, or several of which none is named as the network's.
    """
    notes: list[str] = []
    for _ in range(MAX_DEPTH):
        inner = {key: each for key, each in _items(content) if _leads_to_tensors(each)}
        key = next((key for key in KEYS if key in inner), None)
        if key is None and not _holds_tensors(content) and len(inner) == 1:
            key = next(iter(inner))
        if key is None:
            break
        if others := [other for other in inner if other != key and "optim" not in other]:
            notes.append(f"takes the weights under {key!r}, and none under {_listed(others)}")
        content = inner[key]
    if _holds_tensors(content):
        tensors = {key: each for key, each in _items(content) if isinstance(each, torch.Tensor)}
        return tensors, tuple(notes)
    raise _no_weights(content, name)


def _no_weights(content: Any, name: str) -> ModelError:
    networks = isinstance(content, Opaque) or any(
        isinstance(each, Opaque) for key, each in _items(content) if key in KEYS
    )
    if networks:
        return ModelError(
            f"{name} holds a whole network, not its weights",
            why="it was pickled with the code that it needs, which would be run to read it",
            do=SAVE_WEIGHTS,
        )
    inner = [key for key, each in _items(content) if _holds_tensors(each)]
    return ModelError(
        f"{name} holds no weights of a network",
        why=f"there are tensors under {_listed(inner)}; looked for one of {', '.join(KEYS)}"
        if inner
        else f"it holds {_described(content)}",
        do=SAVE_WEIGHTS,
    )


def _described(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"a dictionary of {_listed(list(map(str, content)))}"
    return f"a {type(content).__name__}"


def _items(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        yield from ((key, each) for key, each in content.items() if isinstance(key, str))


def _holds_tensors(content: Any) -> bool:
    """Whether it is a state dict: names of tensors, and hardly anything else."""
    values = [each for _, each in _items(content)]
    return any(isinstance(each, torch.Tensor) for each in values) and not any(
        isinstance(each, Mapping) and _holds_tensors(each) for each in values
    )


def _leads_to_tensors(content: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether it is a state dict, or holds one under one of the known keys."""
    return _holds_tensors(content) or (
        depth > 0 and any(_leads_to_tensors(e, depth - 1) for k, e in _items(content) if k in KEYS)
    )


def fill(network: torch.nn.Module, state: State, name: str) -> tuple[str, ...]:
    """Load weights into a network, whatever was put before their names.

    Returns
    -------
    tuple of str
        What was left out; nothing else needs to be said.

    Raises
    ------
    ModelError
        If names differ in more than known prefixes, or in a way that is not the only one.
    """
    wanted = frozenset(network.state_dict())
    found = _renamed(state, wanted, name)
    _require_floats(network, found, name)
    taken = {id(each) for each in found.values()}
    left = [key for key, each in state.items() if id(each) not in taken]
    network.load_state_dict({key: found[key] for key in found if key in wanted})
    return (f"left out of {name}: {_listed(left)}",) if left else ()


def _require_floats(network: torch.nn.Module, found: State, name: str) -> None:
    """See that none are integers where the network's are none: their scale is not among them."""
    for key, own in network.state_dict().items():
        given = found.get(key)
        if given is not None and own.is_floating_point() and not given.is_floating_point():
            raise ModelError(
                f"the weights in {name} are {'complex' if given.is_complex() else 'quantised'}",
                why=f"{key} holds {given.dtype} where the network has {own.dtype}",
                do="save the weights as floats (dequantised)",
            )


def _renamed(state: State, wanted: frozenset[str], name: str) -> State:
    """Give the weights under the network's own names; the fewest changes count."""
    stage = [state]
    closest = state
    for _ in range(MAX_DEPTH + 1):
        fitting = [each for each in stage if _fits(each, wanted)]
        if fitting:
            first = fitting[0]
            if any({*map(id, other.values())} != {*map(id, first.values())} for other in fitting):
                raise ModelError(
                    f"{name} holds weights for the network more than once",
                    why=f"among {_listed(list(state))} several sets fit",
                    do="save the weights of one network alone",
                )
            return first
        closest = max((closest, *stage), key=lambda each: len(wanted & each.keys()))
        stage = [shorter for each in stage for shorter in _shorter(each)]
    # A factory may wrap the network, too: Lightning's way, or to give it the inputs it wants.
    wrapper = _common_part(wanted)
    if wrapper:
        inner = _renamed(state, frozenset(key.removeprefix(wrapper) for key in wanted), name)
        return {wrapper + key: each for key, each in inner.items()}
    missing, unknown = sorted(wanted - closest.keys()), sorted(closest.keys() - wanted)
    raise ModelError(
        f"the weights in {name} do not fit the network that the factory makes",
        why=f"missing: {_listed(missing)}; left over: {_listed(unknown)}",
        do="correct the factory, or name the weights that belong to it",
    )


def _common_part(names: frozenset[str]) -> str:
    """Give the part that all names begin with, its dot included; empty if there is none."""
    first = {name.partition(".")[0] for name in names if "." in name}
    return f"{first.pop()}." if len(first) == 1 and all("." in name for name in names) else ""


def _fits(state: State, wanted: frozenset[str]) -> bool:
    missing = wanted - state.keys()
    # Before PyTorch 0.4.1 normalisation layers did not count their batches.
    return state.keys() <= wanted and all(m.endswith("num_batches_tracked") for m in missing)


def _shorter(state: State) -> Iterator[State]:
    for prefix in PREFIXES:
        inside = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
        if inside:
            yield inside
    for part in INNER:
        names = {key: ".".join(p for p in key.split(".") if p != part) for key in state}
        if len({*names.values()}) == len(state) and any(key != new for key, new in names.items()):
            yield {names[key]: each for key, each in state.items()}


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return (", ".join(names[:MAX_NAMES]) + more) or "none"
