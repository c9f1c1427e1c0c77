from __future__ import annotations

import numpy as np
import pytest

from ptyrun.backends.outputs import amplitude_and_phase, amplitude_doubts, channels
from ptyrun.errors import ModelError


@pytest.mark.parametrize(
    "names",
    [
        ("amplitude", "phase"),
        ("zamp", "phi"),
        ("image_magnitude", "image_phase"),
        ("sample_modulus", "sample_phase"),
        ("absolute", "angle"),
        ("ph_amp", "ph_phase"),
    ],
)
@pytest.mark.parametrize("ordered", [True, False])
def test_names_of_amplitude_and_phase_are_found_in_either_order(
    names: tuple[str, str], ordered: bool
) -> None:
    assert amplitude_and_phase(names, ordered=ordered) == (0, 1)
    assert amplitude_and_phase(names[::-1], ordered=ordered) == (1, 0)


@pytest.mark.parametrize(
    "names",
    [
        ("", ""),
        ("conv2d_9", "conv2d_10"),
        ("conv2d", "phi"),
        ("up_sampling2d", "image_head"),
        ("leaky_re_lu", "multiply"),
        ("absolute", "absolute_1"),
    ],
)
def test_a_sequence_whose_names_do_not_contradict_is_amplitude_and_phase(
    names: tuple[str, str],
) -> None:
    assert amplitude_and_phase(names, ordered=True) == (0, 1)


def test_numbered_outputs_of_a_mapping_keep_their_numbers_order() -> None:
    assert amplitude_and_phase(["output_1", "output_0"], ordered=False) == (1, 0)


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (("real", "imag"), True),
        (("re", "im"), True),
        (("phi", "conv2d_3"), True),
        (("phase", "absorption"), False),
        (("phase_left", "phase_right"), True),
        (("first", "second"), False),
        (("conv2d_9", "conv2d_10"), False),
    ],
)
def test_names_from_which_nothing_follows_are_listed_with_the_rule(
    names: tuple[str, str], ordered: bool
) -> None:
    with pytest.raises(ModelError, match=f"named {', '.join(names)}\n.*'phase'"):
        amplitude_and_phase(names, ordered=ordered)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("", (0, 1)),
        ("conv2d_7", (0, 1)),
        ("single_output", (0, 1)),
        ("reimaged", (0, 1)),
        ("amplitude_phase", (0, 1)),
        ("amp_ph", (0, 1)),
        ("phase_amplitude", (1, 0)),
        ("Phase_and_Magnitude", (1, 0)),
    ],
)
def test_the_name_of_one_output_tells_the_order_of_its_channels(
    name: str, order: tuple[int, int]
) -> None:
    assert channels(name) == order


@pytest.mark.parametrize(
    "name", ["real_imag", "re_im", "complex_ri", "RI", "cartesian", "sin_cos", "phase", "amplitude"]
)
def test_one_output_whose_name_says_something_else_is_refused_by_it(name: str) -> None:
    with pytest.raises(ModelError, match=f"is named {name}"):
        channels(name)


@pytest.mark.parametrize(("share", "doubted"), [(0.0, False), (0.25, False), (0.3, True)])
def test_an_amplitude_is_doubted_when_many_pixels_are_negative(share: float, doubted: bool) -> None:
    amplitude = np.where(np.arange(100) < 100 * share, -1.0, 1.0)
    assert bool(amplitude_doubts(amplitude)) is doubted
    assert amplitude_doubts(None) == ()
