"""What is one arm of a comparison, and how is it cut into chunks?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from ptyrun.config import Fact
from ptyrun.errors import UsageError
from ptyrun.host.documents import AsRead, digest_of

PREDICTOR = "predictor"
RECONSTRUCTION = "reconstruction"


@dataclass(frozen=True)
class ArmPlan:
    """One thing compared, cut into chunks.

    Parameters
    ----------
    name, label : str
        In paths and in tables.
    kind : str
        ``predictor``, or ``reconstruction``: finished, without items and chunks.
    n_items, chunk_items : int
        How many items there are, and how many make one chunk; the last chunk may be shorter.
    item_shape : tuple of int
        Shape of one item's output.
    dtype : str
        NumPy's name of the output's type.
    facts : mapping
        Whatever the outputs depend on, by name.
    index_sha256 : mapping
        Digests of this arm's index arrays, by their path below ``arrays.zarr``.
    as_read : AsRead, optional
        What the manifest on disk says of it, perhaps in the words of an older ptyrun.
    """

    name: str
    label: str
    kind: str
    n_items: int
    chunk_items: int
    item_shape: tuple[int, ...]
    dtype: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    index_sha256: Mapping[str, str] = field(default_factory=dict)
    as_read: AsRead | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a cut that makes no sense."""
        if self.kind not in (PREDICTOR, RECONSTRUCTION):
            raise _no_plan(self.name, f"its kind is {self.kind!r}, not predictor or reconstruction")
        if self.n_items < 0 or (self.n_items and self.chunk_items < 1):
            raise _no_plan(self.name, f"{self.n_items} items in chunks of {self.chunk_items}")

    @property
    def n_chunks(self) -> int:
        """Number of chunks, the last one possibly shorter."""
        return -(-self.n_items // self.chunk_items) if self.n_items else 0

    def chunk_range(self, chunk: int) -> range:
        """Items of *chunk*.

        Raises
        ------
        IndexError
            If there is no such chunk.
        """
        if not 0 <= chunk < self.n_chunks:
            raise IndexError(f"arm {self.name!r} has {self.n_chunks} chunks, no chunk {chunk}")
        start = chunk * self.chunk_items
        return range(start, min(start + self.chunk_items, self.n_items))

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """What a manifest says of it: as it was read, so that what was not said stays unsaid."""
        if self.as_read is not None and self.as_read.meaning == self.meaning:
            return self.as_read.document
        return self._said()

    @cached_property
    def meaning(self) -> str:
        """Equal for equal arms, whichever ptyrun wrote them down."""
        return digest_of(self._said())

    def _said(self) -> dict[str, Any]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.compare}

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over everything that this arm's chunks on disk depend on."""
        return digest_of(self.document)[:16]


def patches_path(arm: str) -> str:
    """Path of an arm's outputs below ``arrays.zarr``."""
    return f"{arm}/patches"


def chunk_key(arm: ArmPlan, chunk: int) -> str:
    """Path of one chunk's file below ``arrays.zarr``."""
    return f"{patches_path(arm.name)}/c.{chunk}{'.0' * len(arm.item_shape)}"


def _no_plan(arm: str, why: str) -> UsageError:
    return UsageError(f"arm {arm!r} cannot be planned", why=why, do="correct the plan")
