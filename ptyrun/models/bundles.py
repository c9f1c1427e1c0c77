"""What does one of upstream's model bundles (``wts.h5.zip``) say, read without running its code?

Layout: ``manifest.dill`` {models, version}; per model ``model.keras`` (a zip of ``config.json``
and ``model.weights.h5``), ``params.dill`` and ``model.h5`` (attribute ``intensity_scale``). With
version 2.0-pytorch there is a state dict, ``model.pth``, in place of ``model.keras``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ptyrun.errors import ModelError
from ptyrun.models.archives import MAX_WEIGHTS_BYTES, SafeArchive
from ptyrun.models.plain_pickles import plain

NETWORK = "diffraction_to_obj"
TORCH_WEIGHTS = f"{NETWORK}/model.pth"
KERAS_VERSIONS = ("1.0",)
PYTORCH_VERSION = "2.0-pytorch"
MAX_PICKLE_BYTES = 8 << 20  # of parameters; in memory, up to seventy times as much
MAX_SIDE = 2**31 - 1  # of patches, and of groups
MAX_SCALE = 1e38  # of amplitudes in single precision


class ForeignBundleError(ModelError):
    """A whole bundle that only upstream's package could read, by running its code."""


@dataclass(frozen=True)
class BundleParameters:
    """The parameters that inference needs."""

    patch_px: int
    gridsize: int
    intensity_scale: float | None

    @property
    def channels(self) -> int:
        """Patterns per group."""
        return self.gridsize**2


@dataclass(frozen=True)
class Bundle:
    """One network of a bundle: architecture, weights and parameters."""

    name: str
    parameters: BundleParameters
    config: Mapping[str, Any]
    weights_h5: bytes


def plain_dict(data: bytes, name: str) -> dict[str, Any]:
    """Unpickle a dictionary of plain values.

    Raises
    ------
    ModelError
        If the bytes are no pickle of a dictionary with text keys.
    """
    try:
        document = plain(data)
    except ValueError as error:
        raise _damaged(name, str(error)) from error
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise _damaged(name, "it does not hold a dictionary")
    return document


class BundleReader:
    """A bundle's archive, open for reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive = SafeArchive(path, path.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._archive.__exit__(None, None, None)

    def version(self) -> str:
        """Name the flavour of the bundle, as its manifest has it."""
        return _shown(self._document("manifest").get("version"))

    def parameters(self) -> BundleParameters:
        """Read ``params.dill`` of the inference network."""
        name = f"{NETWORK}/params"
        values = self._document(name)
        return BundleParameters(
            patch_px=_positive(values, "N", name),
            gridsize=_positive(values, "gridsize", name),
            intensity_scale=_scale(values, name),
        )

    def has_torch_weights(self) -> bool:
        """Whether it holds a state dict for the inference network."""
        return TORCH_WEIGHTS in self._archive.names()

    def torch_weights(self) -> bytes:
        """Read the state dict of the inference network, as PyTorch saved it."""
        return self._archive.read(TORCH_WEIGHTS, MAX_WEIGHTS_BYTES)

    def _document(self, name: str) -> dict[str, Any]:
        """Read a pickle, or the JSON that later versions of upstream write in its place."""
        if f"{name}.json" in self._archive.names():
            return _json_object(self._archive.read(f"{name}.json"), f"{name}.json")
        return plain_dict(self._archive.read(f"{name}.dill", MAX_PICKLE_BYTES), f"{name}.dill")

    def load(self) -> Bundle:
        """Read the inference network.

        Raises
        ------
        ModelError
            If the bundle is damaged.
        ForeignBundleError
            If it is of a version that cannot be read so.
        """
        version = self.version()
        if version not in KERAS_VERSIONS:
            raise ForeignBundleError(
                f"{self.path.name} is a bundle of version {version!r}",
                why=f"without running its code, versions {', '.join(KERAS_VERSIONS)} can be read",
                do="use --trust-model ARM with upstream's package installed, or export the network",
            )
        inner = f"{NETWORK}/model.keras"
        data = self._archive.read(inner, MAX_WEIGHTS_BYTES)
        with SafeArchive(data, f"{self.path.name}/{inner}") as keras_file:
            config = _json_object(keras_file.read("config.json"), f"{inner}/config.json")
            weights = keras_file.read("model.weights.h5", MAX_WEIGHTS_BYTES)
        return Bundle(NETWORK, self.parameters(), config, weights)


def _positive(values: Mapping[str, Any], key: str, name: str) -> int:
    value = values.get(key)
    if type(value) is not int or not 1 <= value <= MAX_SIDE:
        raise _damaged(name, f"{key} is {_shown(value)}, not a number from 1 to {MAX_SIDE}")
    return value


def _scale(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get("intensity_scale")
    if not isinstance(value, int | float):
        return None
    if not abs(value) <= MAX_SCALE:  # nor NaN
        raise _damaged(name, f"intensity_scale is {_shown(value)}, not a number of that size")
    return float(value)


def _shown(value: object) -> str:
    """Name a value of somebody else's: what it holds may have no end."""
    if isinstance(value, int) and abs(value) >> 64:
        return "a number beyond 64 bits"
    if value is None or isinstance(value, str | int | float):
        return str(value)[:80]
    return f"a {type(value).__name__}"


def _json_object(data: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged(name, str(error)) from error
    if not isinstance(document, dict):
        raise _damaged(name, "it does not hold an object")
    return document


def _damaged(name: str, why: str) -> ModelError:
    return ModelError(
        f"{name} of the bundle cannot be read", why=why, do="get an intact copy of the bundle"
    )
