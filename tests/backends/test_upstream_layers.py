from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import shift

from ptyrun.backends import upstream
from ptyrun.backends.quiet_tensorflow import tf
from ptyrun.backends.upstream_layers import (
    ActivationLayer,
    CenterMaskLayer,
    CombineComplexLayer,
    ReassemblePatchesLayer,
    TrimReconstructionLayer,
)
from ptyrun.models.bundles import Bundle, BundleParameters, ForeignBundleError

N, PADDED = 16, 24


def groups(n: int, channels: int = 4) -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    generator = np.random.default_rng(1)
    parts = generator.normal(size=(2, n, N, N, channels))
    offsets = generator.uniform(-5, 5, (n, 1, 2, channels))
    return (parts[0] + 1j * parts[1]).astype(np.complex64), offsets.astype(np.float32)


def reassembled(
    patches: NDArray[np.complex64], offsets: NDArray[np.float32]
) -> NDArray[np.complex64]:
    """The formula, one group and one patch at a time."""
    mask = np.zeros((N, N))
    mask[N // 4 : -N // 4, N // 4 : -N // 4] = 1
    border = (PADDED - N) // 2

    def laid(image: NDArray[np.generic], offset: NDArray[np.float32]) -> NDArray[np.generic]:
        by_px = (-float(offset[1]), -float(offset[0]))  # [x, y], minus, to rows and columns
        return shift(np.pad(image, border), by_px, order=1, mode="grid-constant")

    canvases = []
    total: Any
    weight: Any
    for group, positions in zip(patches, offsets, strict=True):
        total = sum(laid(group[..., c], positions[0, :, c]) for c in range(group.shape[-1]))
        weight = sum(laid(mask, positions[0, :, c]) for c in range(group.shape[-1]))
        canvases.append(total / (weight + 0.001))
    return np.array(canvases)


@pytest.fixture
def uncompiled() -> Iterator[None]:
    """Without XLA, which takes a moment for each new batch."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("channels", [1, 4, 9])
def test_each_group_is_laid_by_the_formula_on_its_own_canvas(channels: int) -> None:
    patches, offsets = groups(5, channels)
    layer = ReassemblePatchesLayer(PADDED, N, int(channels**0.5))
    canvases = layer([patches, offsets]).numpy()
    assert canvases.shape == (5, PADDED, PADDED, 1)
    wanted = reassembled(patches, offsets)
    np.testing.assert_allclose(canvases[..., 0], wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_no_group_ever_enters_anothers_canvas_at_any_batch_from_1_to_64(uncompiled: None) -> None:
    patches, offsets = groups(64)
    layer = ReassemblePatchesLayer(PADDED, N, 2)
    alone = np.concatenate([layer([patches[i : i + 1], offsets[i : i + 1]]) for i in range(64)])
    for batch in range(1, 65):
        canvases = layer([patches[:batch], offsets[:batch]]).numpy()
        np.testing.assert_allclose(canvases, alone[:batch], rtol=1e-6, atol=1e-4)


def test_a_patch_without_offset_comes_back_where_it_was() -> None:
    patches, _ = groups(1, 1)
    canvas = ReassemblePatchesLayer(PADDED, N, 1)([patches, np.zeros((1, 1, 2, 1), np.float32)])
    trimmed = TrimReconstructionLayer(N)(canvas).numpy()[0, ..., 0]
    centre = slice(N // 4, -N // 4)
    np.testing.assert_allclose(
        trimmed[centre, centre] * 1.001, patches[0, centre, centre, 0], rtol=1e-5
    )


def test_masks_of_centre_and_border_complete_each_other() -> None:
    given = tf.zeros((2, N, N, 4))
    centre, border = (CenterMaskLayer(N, 1, kind)(given).numpy() for kind in ("center", "border"))
    assert centre.shape == (2, N, N, 1)
    assert centre.sum() == 2 * (N // 2) ** 2
    assert np.array_equal(centre + border, np.ones_like(centre))
    assert centre[0, N // 4, N // 4, 0] == centre[0, -N // 4 - 1, -N // 4 - 1, 0] == 1


@pytest.mark.parametrize(("use_polar", "wanted"), [(True, 2 * np.exp(0.5j)), (False, 2 + 0.5j)])
def test_two_images_become_polar_or_cartesian_numbers(use_polar: bool, wanted: complex) -> None:
    ones = tf.ones((1, 2, 2, 1))
    combined = CombineComplexLayer(use_polar)([2 * ones, 0.5 * ones]).numpy()
    np.testing.assert_allclose(combined, np.full((1, 2, 2, 1), wanted), rtol=1e-6)


def test_only_tanh_is_scaled() -> None:
    x = tf.constant([-1.0, 0.0, 2.0])
    np.testing.assert_allclose(
        ActivationLayer("tanh", np.pi)(x).numpy(), np.pi * np.tanh(x.numpy()), rtol=1e-6
    )
    sigmoid = 1 / (1 + np.exp(-x.numpy()))
    np.testing.assert_allclose(ActivationLayer("sigmoid", 7.0)(x).numpy(), sigmoid, rtol=1e-6)


def test_an_unknown_activation_or_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="'cosine'"):
        ActivationLayer("cosine")
    with pytest.raises(ValueError, match="'corner'"):
        CenterMaskLayer(N, 1, "corner")


@pytest.mark.parametrize("name", [[], {"class": []}, None, 1, 0.5], ids=str)
def test_what_no_layer_can_be_called_is_a_layer_that_is_not_known(name: Any) -> None:
    layer = {"module": "ptycho.custom_layers", "class_name": name, "config": {}}
    bundle = Bundle("net", BundleParameters(N, 2, None), {"config": {"layers": [layer]}}, b"")
    with pytest.raises(ForeignBundleError, match=r"unknown: ptycho\.custom_layers"):
        upstream.build(bundle)
