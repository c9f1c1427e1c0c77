from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.errors import ModelError
from ptyrun.models.inputs import DIFFRACTION, FLOATS, OFFSETS, NetworkInput, require_floats, roles

FREE = (None, None, None, None)
IMAGE, SHIFT = (None, 64, 64, 4), (None, 1, 2, 4)


@pytest.mark.parametrize(
    ("image", "offsets"),
    [
        (NetworkInput("a", IMAGE), NetworkInput("b", SHIFT)),
        (NetworkInput("a", (None, 4, 64, 64)), NetworkInput("b", (None, 4, 2))),
        (NetworkInput("a", FREE), NetworkInput("b", SHIFT)),
        (NetworkInput("a", IMAGE), NetworkInput("b", FREE)),
        (NetworkInput("diffraction", FREE), NetworkInput("local_offsets", FREE)),
        (NetworkInput("Patterns", FREE), NetworkInput("xy_Positions")),
        (NetworkInput("frames"), NetworkInput("other")),
        (NetworkInput("input", FREE), NetworkInput("coords", FREE)),
        # What shapes say counts more than names.
        (NetworkInput("position_images", IMAGE), NetworkInput("frame", SHIFT)),
    ],
)
def test_two_inputs_are_told_apart_in_either_order(
    image: NetworkInput, offsets: NetworkInput
) -> None:
    assert roles([image, offsets], "net") == ((DIFFRACTION, OFFSETS), "")
    assert roles([offsets, image], "net") == ((OFFSETS, DIFFRACTION), "")


@pytest.mark.parametrize(
    "inputs",
    [
        [NetworkInput("input_1", FREE), NetworkInput("input_2", FREE)],
        [NetworkInput("diffraction", FREE), NetworkInput("probe", FREE)],
        [NetworkInput("diffraction", IMAGE), NetworkInput("probe", IMAGE)],
        [NetworkInput("a", IMAGE), NetworkInput("intensity_scale", FREE)],
        [NetworkInput("shift_1", FREE), NetworkInput("shift_2", FREE)],
        [NetworkInput("x", SHIFT)],
        [NetworkInput("x", IMAGE), NetworkInput("offsets", SHIFT), NetworkInput("dose", (None, 1))],
        [],
    ],
)
def test_what_cannot_be_told_apart_is_refused_by_name(inputs: list[NetworkInput]) -> None:
    with pytest.raises(ModelError) as refused:
        roles(inputs, "net.keras")
    assert "net.keras" in refused.value.what
    assert any(each.name in refused.value.what for each in inputs) or not inputs


def test_inputs_that_must_come_in_order_are_taken_so_and_that_is_said() -> None:
    order, note = roles([NetworkInput("a"), NetworkInput("b")], "net.ts", ordered=True)
    assert (order, note) == ((0, 1), "its inputs, a and b, are taken as diffraction and offsets")


def test_one_input_is_the_diffraction_whatever_it_is_called() -> None:
    assert roles([NetworkInput("probe_positions", FREE)], "net") == ((DIFFRACTION,), "")


@given(st.sampled_from([*sorted(FLOATS), "", "uint8", "int64", "bool", "complex64", "float8"]))
def test_floats_pass_and_nothing_else_does(dtype: str) -> None:
    try:
        require_floats([NetworkInput("x", None, dtype)], "net")
    except ModelError as error:
        assert dtype not in {*FLOATS, ""} and dtype in error.what
    else:
        assert dtype in {*FLOATS, ""}
