"""How much arithmetic is in a network, and how fast does it run beside a large matrix product?

A process of its own, since frameworks stay with a process: ``python -m benchmarks.network_flop
ROUNDS SIDE SHARED`` prints what it finds as JSON. Candidates take turns and are timed by the
processor, which a busy machine disturbs least: products take one thread, as threads that wait for
each other use a processor, too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module, util
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.prediction import NETWORKS, Network

BATCH = 32


@dataclass(frozen=True)
class Pace:
    """Additions and multiplications of one call, and what each call took of the processor."""

    name: str
    flop: float
    cpu_s: tuple[float, ...]
    items: int = 1


@dataclass
class Candidate:
    """What is called, and how much arithmetic that is."""

    name: str
    flop: float
    call: Callable[[], object]
    items: int = 1


def convolution_flop(graph: Any) -> float:
    """Count the arithmetic of a TensorFlow graph: of convolutions and matrix products alone.

    A multiplication and an addition are two. What else a network does is far less.
    """
    found = 0.0
    for operation in graph.get_operations():
        if operation.type == "Conv2D":
            kernel, result = operation.inputs[1].shape, operation.outputs[0].shape
        elif operation.type == "Conv2DBackpropInput":  # a transposed convolution
            kernel, result = operation.inputs[1].shape, operation.inputs[2].shape
        elif operation.type == "MatMul":
            kernel, result = operation.inputs[1].shape, operation.outputs[0].shape
            inner = kernel[1] if operation.get_attr("transpose_b") else kernel[0]
            found += 2.0 * result.num_elements() * inner
            continue
        else:
            continue
        found += 2.0 * result.num_elements() * kernel[0] * kernel[1] * kernel[2]
    return found


def network_flop(network: Network, shared: Path) -> float:
    """Count the arithmetic of one of the reference networks for one group."""
    from ptyrun.backends.quiet_tensorflow import tf
    from ptyrun.backends.tf_networks import load_network
    from ptyrun.models.files import locate
    from ptyrun.models.predictors import ModelRequest

    diffraction, offsets = network.inputs(shared)
    model = locate(network.model(shared))
    request = ModelRequest(model.path, diffraction.shape[1], network.gridsize, BATCH)
    loaded = load_network(model, request)
    signature = [tf.TensorSpec((BATCH, *each.shape[1:])) for each in (diffraction, offsets)]
    traced = tf.function(
        lambda first, second: loaded.call(first, second), input_signature=signature, autograph=False
    )
    # With its variables made constants, functions that it calls are part of the graph itself.
    constants: Any = import_module("tensorflow.python.framework.convert_to_constants")
    frozen = constants.convert_variables_to_constants_v2(traced.get_concrete_function())
    return convolution_flop(frozen.graph) / BATCH


def products(side: int) -> Iterator[Candidate]:
    """Offer a product of two single-precision matrices in NumPy and in each framework there is."""
    random = np.random.default_rng(5)
    first, second = random.standard_normal((2, side, side), np.float32)
    result = np.empty_like(first)
    flop = 2.0 * side**3
    yield Candidate("NumPy", flop, lambda: np.matmul(first, second, out=result))
    if util.find_spec("torch"):
        torch: Any = import_module("torch")
        torch.set_num_threads(1)
        tensors = [torch.from_numpy(each) for each in (first, second)]
        into = torch.empty_like(tensors[0])
        yield Candidate("PyTorch", flop, lambda: torch.matmul(*tensors, out=into))
    if util.find_spec("tensorflow"):
        from ptyrun.backends.quiet_tensorflow import tf

        constants = [tf.constant(each) for each in (first, second)]
        product = tf.function(tf.linalg.matmul)
        yield Candidate("TensorFlow", flop, lambda: product(*constants).numpy())


def networks(shared: Path) -> Iterator[Candidate]:
    """Offer a batch of each reference network, as ptyrun calls it."""
    from ptyrun.models.files import locate
    from ptyrun.models.predictors import ModelRequest, open_predictor

    for network in NETWORKS:
        diffraction, offsets = (each[:BATCH] for each in network.inputs(shared))
        model = locate(network.model(shared))
        request = ModelRequest(model.path, diffraction.shape[1], network.gridsize, BATCH)
        predictor = open_predictor(model.backend, request)

        def predict(predictor: Any = predictor, given: Any = (diffraction, offsets)) -> object:
            return predictor.predict(*given)

        yield Candidate(network.label, BATCH * network_flop(network, shared), predict, BATCH)


def paces(candidates: list[Candidate], rounds: int) -> list[Pace]:
    """Call each once for nothing, then once per round, in an order that turns around."""
    for each in candidates:
        each.call()
    cpu_s: dict[str, list[float]] = {each.name: [] for each in candidates}
    for number in range(rounds):
        for each in candidates[:: -1 if number % 2 else 1]:
            used_s = time.process_time()
            each.call()
            cpu_s[each.name].append(time.process_time() - used_s)
    return [Pace(each.name, each.flop, tuple(cpu_s[each.name]), each.items) for each in candidates]


def main(rounds: str, side: str, shared: str) -> None:
    """Say how fast each is."""
    there = (Path(shared) / "golden").is_dir() and util.find_spec("tensorflow") is not None
    found = [*products(int(side)), *(networks(Path(shared)) if there else ())]
    print(json.dumps([asdict(pace) for pace in paces(found, int(rounds))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
