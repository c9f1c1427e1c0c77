"""Is what ptyrun uses of disk, memory and processor held against what these can do?"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import limits, network_flop
from benchmarks.figures import Figure, Scale
from benchmarks.network_flop import Candidate, Pace


def named(found: list[Figure], what: str) -> Figure:
    (figure,) = (figure for figure in found if what in figure.name)
    return figure


def test_networks_are_held_against_the_fastest_product() -> None:
    found = limits.shares(
        [
            Pace("NumPy", 2e9, (0.02, 0.02, 0.02)),
            Pace("PyTorch", 2e9, (0.01, 0.01, 0.02)),
            Pace("PtychoPINN", 32e9, (0.32, 0.32, 0.32), items=32),
        ],
        1000,
    )
    assert named(found, "NumPy").value == 100
    assert "the peak" not in named(found, "NumPy").note
    assert named(found, "PyTorch").value == 200
    assert named(found, "PyTorch").note.endswith("the peak")
    share = named(found, "PtychoPINN, of the peak")
    assert share.value == pytest.approx(50)
    assert "1.00 GFLOP a group" in share.note
    assert "10.0 ms" in share.note


def test_candidates_are_warm_and_take_turns() -> None:
    order: list[str] = []
    each = [Candidate(name, 1.0, lambda name=name: order.append(name)) for name in "ab"]  # type: ignore[misc]
    found = network_flop.paces(each, 2)
    assert "".join(order) == "ababba"
    assert [len(pace.cpu_s) for pace in found] == [2, 2]


def test_without_reference_networks_the_machine_alone_is_measured(tmp_path: Path) -> None:
    scale = Scale(rounds=1, quick=True, scratch=tmp_path, shared=tmp_path / "nothing")
    found = limits.measure(scale)
    assert all(figure.value > 0 for figure in found)
    assert {figure.name.partition(":")[0] for figure in found} == {
        "disk",
        "page cache",
        "memory",
        "processor",
    }
    assert not [figure for figure in found if "of the peak" in figure.name]


def test_arithmetic_is_counted_in_convolutions_and_products() -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

    def network(image: object) -> object:
        wide = tf.nn.conv2d(image, tf.ones((3, 3, 2, 5)), 1, "SAME")  # 2 * 8 * 8 * 5 * 9 * 2
        twice = tf.nn.conv2d_transpose(wide, tf.ones((2, 2, 3, 5)), (1, 16, 16, 3), 2)
        return tf.linalg.matmul(tf.reshape(twice, (16, 48)), tf.ones((48, 7)))

    traced = tf.function(network, input_signature=[tf.TensorSpec((1, 8, 8, 2))], autograph=False)
    flop = network_flop.convolution_flop(traced.get_concrete_function().graph)
    assert flop == 2 * 64 * 5 * 9 * 2 + 2 * 64 * 5 * 4 * 3 + 2 * 16 * 7 * 48
