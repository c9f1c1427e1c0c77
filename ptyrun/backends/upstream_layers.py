"""What do the layers that upstream adds to Keras compute?

Written from their formulas, one group at a time: no layer here ever mixes groups, whatever
the batch. Upstream: PtychoPINN, Hoidn et al., Sci. Rep. 13, 22789 (2023),
doi:10.1038/s41598-023-48351-7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ptyrun.backends.quiet_tensorflow import GPUS, keras, tf

# Keeps the division finite where no mask reaches; upstream's value.
MASK_FLOOR = 0.001

Shape = tuple[int | None, ...]

ACTIVATIONS: Mapping[str, Callable[[tf.Tensor, float], tf.Tensor]] = {
    "sigmoid": lambda x, scale: tf.sigmoid(x),
    "tanh": lambda x, scale: scale * tf.tanh(x),
    "swish": lambda x, scale: tf.nn.swish(x),
    "softplus": lambda x, scale: tf.nn.softplus(x),
    "relu": lambda x, scale: tf.nn.relu(x),
}


class _Layer(keras.layers.Layer):  # type: ignore[misc]
    """Takes inputs as they are: upstream's policies would turn offsets into complex numbers.

    Each layer tells its output's shape: Keras would find it out by tracing the layer once more.
    """

    output_dtype = "float32"

    def __init__(self, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Shape and type of the output."""
        first = inputs[0] if isinstance(inputs, list | tuple) else inputs
        return keras.KerasTensor(self.shape_from(first.shape), dtype=self.output_dtype)

    def shape_from(self, shape: Shape) -> Shape:
        """Shape of the output, from that of the first input."""
        return shape


class IntensityScaler(_Layer):
    """Divides by the scale that upstream multiplies its inputs with.

    That is done before the network is called, so nothing is left to do here.
    """

    def call(self, inputs: Any) -> tf.Tensor:
        """Amplitudes (B, N, N, C), possibly in a list of one."""
        return inputs[0] if isinstance(inputs, list | tuple) else inputs


class ActivationLayer(_Layer):
    """An activation by name; only tanh is scaled."""

    def __init__(self, activation_name: str = "sigmoid", scale: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        if activation_name not in ACTIVATIONS:
            raise ValueError(f"there is no activation {activation_name!r}")
        self._function = ACTIVATIONS[activation_name]
        self._scale = scale

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Values of any shape."""
        return self._function(inputs, self._scale)


class CenterMaskLayer(_Layer):
    """A mask of *c* channels: 1 in the central N/2 x N/2 (``center``) or around it (``border``)."""

    def __init__(self, N: int, c: int, kind: str = "center", **kwargs: Any):
        super().__init__(**kwargs)
        if kind not in ("center", "border"):
            raise ValueError(f"there is no mask of kind {kind!r}")
        self._N, self._c, self._kind = N, c, kind

    def shape_from(self, shape: Shape) -> Shape:
        """(B, N, N, c)."""
        return shape[0], self._N, self._N, self._c

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(B, N, N, any) to (B, N, N, c)."""
        mask = central_mask(self._N)
        if self._kind == "border":
            mask = 1.0 - mask
        shape = [tf.shape(inputs)[0], self._N, self._N, self._c]
        return tf.broadcast_to(mask[None, :, :, None], shape)


class CombineComplexLayer(_Layer):
    """Two real images into a complex one: amplitude and phase, or real and imaginary part."""

    output_dtype = "complex64"

    def __init__(self, use_polar: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self._use_polar = use_polar

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Twice (B, N, N, C) float32 to (B, N, N, C) complex64."""
        first, second = (tf.cast(part, tf.float32) for part in inputs)
        if self._use_polar:
            return tf.complex(first * tf.cos(second), first * tf.sin(second))
        return tf.complex(first, second)


class ReassemblePatchesLayer(_Layer):
    r"""The patches of each group, laid at their offsets and averaged, one canvas per group.

    Notes
    -----
    With patches :math:`o_i`, shifts :math:`T_i` by minus the local offset (bilinear, zero
    outside) and the mask *m* of the central half,
    :math:`\\sum_i T_i o_i / (\\sum_i T_i m + 0.001)`. Upstream sums over the whole batch as
    soon as it holds 64 patches; here every group keeps its own canvas.
    """

    output_dtype = "complex64"

    def __init__(self, padded_size: int, N: int, gridsize: int, **kwargs: Any):
        super().__init__(**kwargs)
        self._padded_px, self._N, self._gridsize = padded_size, N, gridsize

    def shape_from(self, shape: Shape) -> Shape:
        """(B, padded, padded, 1)."""
        return shape[0], self._padded_px, self._padded_px, 1

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """(B, N, N, C) complex64 and (B, 1, 2, C) [x, y] px to (B, padded, padded, 1)."""
        patches, offsets_px = inputs
        channels = patches.shape[-1]
        mask = tf.broadcast_to(central_mask(self._N)[None, :, :, None], tf.shape(patches))
        parts = tf.stack([tf.math.real(patches), tf.math.imag(patches), mask], axis=-1)
        images = tf.reshape(tf.transpose(parts, [0, 3, 1, 2, 4]), [-1, self._N, self._N, 3])
        shifts_px = tf.reshape(tf.transpose(-offsets_px[:, 0], [0, 2, 1]), [-1, 2])
        laid = shifted(images, shifts_px, self._padded_px)
        laid = tf.reshape(laid, [-1, channels, self._padded_px, self._padded_px, 3])
        total = tf.reduce_sum(laid, axis=1)
        weight = total[..., 2] + MASK_FLOOR
        return tf.expand_dims(tf.complex(total[..., 0] / weight, total[..., 1] / weight), -1)


class TrimReconstructionLayer(_Layer):
    """The central *output_size* pixels of a canvas, both ways."""

    output_dtype = "complex64"

    def __init__(self, output_size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self._size_px = output_size

    def shape_from(self, shape: Shape) -> Shape:
        """(B, output_size, output_size, any)."""
        return shape[0], self._size_px, self._size_px, shape[-1]

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(B, M, M, any) to (B, output_size, output_size, any)."""
        start = (inputs.shape[1] - self._size_px) // 2
        stop = start + self._size_px
        return inputs[:, start:stop, start:stop, :]


def central_mask(n: int) -> tf.Tensor:
    """1 in the central n/2 x n/2 pixels, else 0; shape (n, n)."""
    border = n // 4
    line = tf.constant([float(border <= i < n - border) for i in range(n)])
    return line[:, None] * line


@tf.function(jit_compile=not GPUS, autograph=False)  # type: ignore[untyped-decorator]
def shifted(images: tf.Tensor, shifts_px: tf.Tensor, padded_px: int) -> tf.Tensor:
    """Lay images on larger canvases, shifted by bilinear interpolation.

    Compiled by XLA, as upstream does: its products are added without being rounded first, and
    only so the bits are upstream's.

    Parameters
    ----------
    images : tensor of float32, shape (M, N, N, K)
        K images are shifted alike.
    shifts_px : tensor of float32, shape (M, 2)
        [x, y], towards larger indices.
    padded_px : int
        Side of a canvas, which shares its centre with the image.

    Returns
    -------
    tensor of float32, shape (M, padded_px, padded_px, K)
        Zero where no pixel is near.
    """
    n = images.shape[1]
    border = (padded_px - n) // 2
    # Rounded as upstream rounds it: the coordinate on the canvas, from which the image is cut.
    source_px = tf.range(padded_px, dtype=tf.float32)[None, :, None] - shifts_px[:, None, :]
    before_px = tf.floor(source_px)
    after = source_px - before_px
    first = tf.cast(before_px, tf.int32) - border
    x, y = after[:, None, :, 0, None], after[:, :, None, 1, None]
    pixels = tf.reshape(images, [-1, n * n, images.shape[-1]])

    def neighbours(right: int, below: int) -> tf.Tensor:
        column, row = first[:, None, :, 0] + right, first[:, :, None, 1] + below
        inside = (column >= 0) & (column < n) & (row >= 0) & (row < n)
        index = tf.clip_by_value(row, 0, n - 1) * n + tf.clip_by_value(column, 0, n - 1)
        found = tf.gather(pixels, tf.reshape(index, [-1, padded_px**2]), batch_dims=1)
        found = tf.reshape(found, [-1, padded_px, padded_px, images.shape[-1]])
        return found * tf.cast(inside, tf.float32)[..., None]

    return (
        (1.0 - x) * (1.0 - y) * neighbours(0, 0)
        + x * (1.0 - y) * neighbours(1, 0)
        + (1.0 - x) * y * neighbours(0, 1)
        + x * y * neighbours(1, 1)
    )


LAYERS: Mapping[str, type[keras.layers.Layer]] = {
    layer.__name__: layer
    for layer in (
        IntensityScaler,
        ActivationLayer,
        CenterMaskLayer,
        CombineComplexLayer,
        ReassemblePatchesLayer,
        TrimReconstructionLayer,
    )
}
