"""Which number in SI units does a file mean? Its attribute ``units`` says it, if there is one."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.texts import printable

JOULES_PER_EV = 1.602176634e-19  # exact: the SI, 9th edition (2019), section 2.2
PLANCK_TIMES_LIGHT_J_M = 1.9864458571489286e-25
PLANCK_TIMES_LIGHT_EV_M = PLANCK_TIMES_LIGHT_J_M / JOULES_PER_EV

# What the standard calls ``units`` is found spelled otherwise, too.
_ATTRIBUTES = ("units", "unit")

# No light source that a lens-less image was made with is outside of it.
_PHOTONS_EV = (0.1, 1e6)


class Quantity(Enum):
    """What a number measures: its SI unit, and what other units are worth in it."""

    LENGTH = "m"
    ENERGY = "J"

    @property
    def known(self) -> dict[str, float]:
        """Units by their name in lower case, and what each is worth."""
        return _KNOWN[self]


_PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "\u00b5": 1e-6, "\u03bc": 1e-6}
_LONG = {"femto": 1e-15, "pico": 1e-12, "nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "centi": 1e-2}
_KNOWN = {
    Quantity.LENGTH: {
        "m": 1.0, "mm": 1e-3, "cm": 1e-2, "km": 1e3, "micron": 1e-6, "microns": 1e-6,
        **{f"{prefix}m": worth for prefix, worth in _PREFIXES.items()},
        **{
            f"{prefix}{name}": worth
            for prefix, worth in {"": 1.0, **_LONG}.items()
            for name in ("metre", "metres", "meter", "meters")
        },
        **dict.fromkeys(("angstrom", "angstroms", "\u00e5", "a", "ang"), 1e-10),
    },
    Quantity.ENERGY: {
        "j": 1.0, "joule": 1.0, "joules": 1.0,
        **{
            f"{prefix}{name}": worth * JOULES_PER_EV
            for prefix, worth in {"": 1.0, "k": 1e3, "kilo": 1e3, "g": 1e9, "giga": 1e9}.items()
            for name in ("ev", "electronvolt", "electronvolts")
        },
    },
}  # fmt: skip
_EXAMPLES = {Quantity.LENGTH: "m, mm, um, nm, pm, angstrom", Quantity.ENERGY: "J, eV, keV"}
# In lower case they are the same: only as they are written do they differ by 10^9.
_MILLI_OR_MEGA = {"meV": 1e-3 * JOULES_PER_EV, "MeV": 1e6 * JOULES_PER_EV}


def worth_of(unit: str, quantity: Quantity) -> float | None:
    """Say how many SI units one *unit* is; None where it is unknown.

    Examples
    --------
    >>> worth_of("um", Quantity.LENGTH), worth_of("pixels", Quantity.LENGTH)
    (1e-06, None)
    """
    said = unit.strip()
    if quantity is Quantity.ENERGY and said in _MILLI_OR_MEGA:
        return _MILLI_OR_MEGA[said]
    return quantity.known.get(said.lower())


def in_si(
    path: Path,
    dataset: h5py.Dataset,
    values: NDArray[Any],
    quantity: Quantity,
    unwritten: float = 1.0,
) -> NDArray[np.float64]:
    """Give the *values* of a dataset in SI units, which they are in unless ``units`` says other.

    Parameters
    ----------
    unwritten : float
        What one is worth in SI units where nothing is said, if a layout has other units.

    Raises
    ------
    InputError
        If ``units`` names one that is unknown, or cannot be read.
    """
    unit = unit_of(path, dataset)
    worth = worth_of(unit, quantity) if unit else unwritten
    if worth is None:
        raise InputError(
            f"the unit of {dataset.name} of {path} is unknown: {printable(unit)[:40]!r}",
            why=f"it is not a unit of {quantity.name.lower()}; known: "
            f"{_EXAMPLES[quantity]} and their like",
            do="correct the attribute `units`, or remove it where the values are in the units that "
            "the layout has",
        )
    return np.asarray(values, np.float64) * worth


def number_in_si(
    file: Hdf5File, name: str, quantity: Quantity, unwritten: float = 1.0
) -> float | None:
    """Give the first value of a dataset in SI units; None where there is none. See `in_si`."""
    value = file.number(name)
    if value is None:
        return None
    return float(in_si(file.path, file.required(name), np.array(value), quantity, unwritten))


def unit_of(path: Path, dataset: h5py.Dataset) -> str:
    """Read the attribute ``units`` of a dataset, however spelled; empty where there is none.

    Raises
    ------
    InputError
        If it is there and no text.
    """
    try:
        names = [name for name in dataset.attrs if name.lower() in _ATTRIBUTES]
        found = dataset.attrs[names[0]] if names else None
        if found is None or isinstance(found, h5py.Empty):
            return ""
        said = np.asarray(found).reshape(-1)
        # Some name a unit for each axis: they can be one.
        one = said[0] if said.size and (said == said[0]).all() else said.tolist()
        text = one.decode() if isinstance(one, bytes) else one
    except (OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        text, one = None, error
    if not isinstance(text, str):
        raise InputError(
            f"the attribute units of {dataset.name} of {path} cannot be read",
            why=f"it is not text ({one!r:.80})",
            do="correct it, or remove it where the values are in SI units",
        )
    return text.strip()


def wavelength_m_of(path: Path, name: str, energy_j: float) -> float:
    """Turn the energy of a photon into its wavelength.

    Parameters
    ----------
    path, name
        Where it stands, for the error.
    energy_j : float
        In joules.

    Raises
    ------
    InputError
        If no photons of an imaging experiment have it: the value is the machine's, or its unit is
        another.
    """
    energy_ev = energy_j / JOULES_PER_EV
    if not _PHOTONS_EV[0] <= energy_ev <= _PHOTONS_EV[1]:
        raise InputError(
            f"{name} of {path} is not the energy of a photon: {energy_j:.4g} J",
            why=f"that is {energy_ev:.4g} eV; expected are {_PHOTONS_EV[0]:g} to "
            f"{_PHOTONS_EV[1]:g} eV. It may be that of the machine, or in another unit than its "
            "attribute `units` says (where there is none, in that of the layout)",
            do="correct it, with `units`; in CXI and NeXus the photons' energy stands in "
            "entry_1/instrument_1/beam_1/energy",
        )
    return PLANCK_TIMES_LIGHT_J_M / energy_j
