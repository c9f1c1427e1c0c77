from __future__ import annotations

import argparse
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.backends import torch_weights
from ptyrun.backends.torch_weights import PREFIXES, fill, unpickled, weights_in
from ptyrun.errors import ModelError

State = dict[str, torch.Tensor]


class Net(torch.nn.Module):
    """Two layers and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(1, 2, 3)
        self.norm = torch.nn.BatchNorm2d(2)


def weights() -> State:
    torch.manual_seed(7)
    return {key: torch.rand_like(t.float()).to(t) for key, t in Net().state_dict().items()}


def put(prefix: str) -> Callable[[State], Any]:
    return lambda state: {prefix + key: each for key, each in state.items()}


def lightning(state: State) -> dict[str, Any]:
    loss = {"loss_fn.weight": torch.ones(3)}
    return {
        "state_dict": OrderedDict({**put("model.")(state), **loss}),
        "hyper_parameters": argparse.Namespace(lr=1e-3),
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}],
        "epoch": 3,
    }


CHECKPOINTS: dict[str, Callable[[State], Any]] = {
    "bare": dict,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model_state_dict": lambda state: {
        "epoch": 3,
        "model_state_dict": state,
        "optimizer_state_dict": {"state": {0: {"momentum": torch.ones(2)}}},
        "loss": torch.tensor(0.1),
        "best": np.float64(0.1),
    },
    "model": lambda state: {"model": state, "args": argparse.Namespace(lr=1)},
    "nested": lambda state: {"model": {"state_dict": state}},
    "a key of its own": lambda state: {"sd": state, "step": 1},
    "module.": put("module."),
    "_orig_mod.": put("_orig_mod."),
    "model.": put("model."),
    "module._orig_mod.": put("module._orig_mod."),
    "model.net.": put("model.net."),
    "inner parts": lambda state: {
        key.replace("first.", "first._orig_mod.").replace("norm.", "norm.module."): each
        for key, each in state.items()
    },
    "averaged": lambda state: {"n_averaged": torch.tensor(1), **put("module.")(state)},
    "lightning": lightning,
    "arrays beside": lambda state: {"state_dict": state, "history": np.arange(4.0)},
    "without counts": lambda state: {
        key: each for key, each in state.items() if "num_batches" not in key
    },
}


def filled(content: Any, path: Path) -> tuple[Net, tuple[str, ...]]:
    torch.save(content, path)
    state, notes = weights_in(unpickled(path, path.name), path.name)
    network = Net()
    return network, notes + fill(network, state, path.name)


def differences(network: torch.nn.Module) -> set[str]:
    """Names of weights that are not those of `weights`."""
    wanted = weights()
    return {key for key, each in network.state_dict().items() if not torch.equal(each, wanted[key])}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_weights_are_found_under_every_common_name(tmp_path: Path, kind: str) -> None:
    network, notes = filled(CHECKPOINTS[kind](weights()), tmp_path / "net.ckpt")
    assert not differences(network)
    said = {"averaged": "n_averaged", "lightning": "loss_fn.weight"}.get(kind, "")
    assert [said in note for note in notes] == ([True] if said else [])


def test_weights_from_before_archives_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(weights(), path, _use_new_zipfile_serialization=False)
    network = Net()
    fill(network, weights_in(unpickled(path, path.name), path.name)[0], path.name)
    assert not differences(network)


@given(st.lists(st.sampled_from([p for p in PREFIXES if p != "state_dict."]), max_size=4))
def test_any_row_of_known_prefixes_is_taken_off(prefixes: list[str]) -> None:
    network = Net()
    assert fill(network, put("".join(prefixes))(weights()), "net.pth") == ()
    assert not differences(network)


class Wrapped(torch.nn.Module):
    """Gives a network of somebody else's the inputs that it wants."""

    def __init__(self) -> None:
        super().__init__()
        self.theirs = torch.nn.ModuleDict({"net": Net()})


@pytest.mark.parametrize("prefix", ["", "model.", "module."])
def test_a_factory_may_wrap_the_network_that_the_weights_belong_to(prefix: str) -> None:
    network = Wrapped()
    assert fill(network, put(prefix)(weights()), "net.pth") == ()
    assert not differences(network.theirs["net"])


def test_of_several_sets_of_weights_the_one_with_the_known_name_is_taken_and_named(
    tmp_path: Path,
) -> None:
    averages = {key: torch.zeros_like(each) for key, each in weights().items()}
    content = {"model": weights(), "model_ema": averages}
    network, notes = filled(content, tmp_path / "net.pth")
    assert not differences(network)
    assert notes == ("takes the weights under 'model', and none under model_ema",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda state: {"generator": state, "critic": state}, "generator, critic"),
        (lambda state: {**put("model.")(state), **put("net.")(state)}, "more than once"),
        (lambda state: put("encoder.")(state), "missing: first.bias.*left over: encoder"),
        (lambda state: {k: v for k, v in state.items() if k != "first.bias"}, "first.bias"),
        (lambda state: {k: (9 * v).to(torch.int8) for k, v in state.items()}, "are quantised"),
        (lambda state: {"epoch": 3}, "a dictionary of epoch"),
        (lambda state: [1, 2], "a list"),
        (lambda state: Net(), "a whole network"),
        (lambda state: {"model": Net(), "epoch": 1}, "a whole network"),
    ],
)
def test_what_holds_no_weights_for_the_network_is_refused_by_what_it_holds(
    tmp_path: Path, content: Callable[[State], Any], said: str
) -> None:
    other = {key: each + 1 for key, each in weights().items()}
    made = content(weights())
    if said == "more than once":
        made = {**put("model.")(weights()), **put("net.")(other)}
    with pytest.raises(ModelError, match=said):
        filled(made, tmp_path / "net.pth")


def made_by_a_pickle(path: str) -> None:
    Path(path).touch()


class Hostile:
    """Makes a file when it is unpickled, if anything does."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return made_by_a_pickle, (self.path,)


def test_an_object_beside_the_weights_becomes_nothing_and_runs_nothing(tmp_path: Path) -> None:
    content = {"state_dict": weights(), "callbacks": Hostile(tmp_path / "ran")}
    network, _ = filled(content, tmp_path / "net.ckpt")
    assert not differences(network)
    assert not (tmp_path / "ran").exists()


class Deeper(Hostile):
    """Would call a method, which only its class could give."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (Path(self.path),)


def test_what_only_code_could_unpickle_is_refused_and_not_run(tmp_path: Path) -> None:
    for content in ({"state_dict": weights(), "callbacks": Deeper(tmp_path / "ran")}, [1]):
        torch.save(content, tmp_path / "net.ckpt")
        with pytest.raises(ModelError, match=r"net\.ckpt") as refused:
            filled(content, tmp_path / "net.ckpt")
        assert "weights_only" not in str(refused.value)
        assert "torch.save(network.state_dict()" in refused.value.do
    assert not (tmp_path / "ran").exists()


# A tuple of many, given as a key again and again; and a set made of many, again and again.
LASTING = {
    "a long key": b"\x80\x02}(" + b"N" * 300_000 + b"tq\x00Ns" + b"h\x00Ns" * 300_000 + b".",
    "copies": b"\x80\x02](cbuiltins\nset\nq\x00](" + b"K\x01" * 300_000 + b"e\x85q\x01"
    + b"h\x00h\x01R" * 100_000 + b"e.",
}  # fmt: skip


@pytest.mark.parametrize("how", LASTING)
def test_a_file_that_is_made_to_last_is_refused(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_weights, "MAX_CPU_S", 1.0)
    torch.save({"a": torch.zeros(1)}, tmp_path / "good.pth")
    with (
        zipfile.ZipFile(tmp_path / "good.pth") as good,
        zipfile.ZipFile(tmp_path / "long.pth", "w") as long,
    ):
        for name in good.namelist():
            data = LASTING[how] if name.endswith("data.pkl") else good.read(name)
            long.writestr(name, data)
    began_s = time.process_time()
    with pytest.raises(ModelError, match="takes too long to read"):
        unpickled(tmp_path / "long.pth", "long.pth")
    assert time.process_time() - began_s < 8
    assert unpickled(tmp_path / "good.pth", "good.pth")["a"] == 0
