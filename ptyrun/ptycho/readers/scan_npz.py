"""How is a scan read from the field's NPZ files, old and new?"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.complex_images import checked_complex, require_complex
from ptyrun.ptycho.readers.detector import (
    CorrectedFrames,
    checked_bad_pixels,
    gaps,
    mask_doubts,
    sampled,
)
from ptyrun.ptycho.readers.frame_kind import doubt_of_whole, untold
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.positions import Column, StoredPositions
from ptyrun.ptycho.readers.probe_modes import (
    first_variation,
    modes_note,
    split_modes,
    stacked_modes,
    variations_note,
)
from ptyrun.ptycho.readers.scan import Scan
from ptyrun.texts import enumerated, one_line

PAIR = ("scale_contract_version", "measurement_domain")
DOMAINS = {
    ("legacy_v1", "normalized_amplitude"): "amplitude",
    ("ci_intensity_v2", "count_intensity"): "intensity",
}
FRAME_NAMES = ("diffraction", "diff3d")
# Of ptyrun's own: upstream's contract has no mask, and other readers leave a further array alone.
BAD_PIXELS = "bad_pixels"
SLAB_BYTES = 4 << 20

# Counts of frames are this much nearer to the middle of a detector's axis than elsewhere.
CENTRED = 0.75

# An amplitude of 1e5 would be 1e10 photons in one pixel.
PLAUSIBLE_AMPLITUDE = 1e5


@dataclass(frozen=True)
class NpzFrames:
    """Frames of one NPZ member, first or last axis first; axes of length 1 before are left out."""

    file: NpzFile
    name: str
    last_axis: bool
    lone_axes: int = 0

    def read(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        """Frames as stored, shape (k, N, N)."""
        return self.file.rows(self.name, frames, last_axis=self.last_axis, lone_axes=self.lone_axes)

    def check(self) -> None:
        """Compare the CRC that the archive keeps of the frames."""
        self.file.check(self.name)


def read_contract(path: Path, kind: str | None = None, cache_dir: Path | None = None) -> Scan:
    """Open a scan NPZ: ``diffraction`` or ``diff3d``, positions, probe, optional object.

    Parameters
    ----------
    path : Path
        The NPZ file.
    kind : {"amplitude", "intensity"}, optional
        What the frames are, where the file does not tell.
    cache_dir : Path, optional
        Where compressed members are unpacked.

    Raises
    ------
    InputError
        If something is missing or wrong, or amplitude and intensity cannot be told apart.
    """
    file = NpzFile(path, cache_dir)
    name = _frames_name(file)
    along_x = file.header("xcoords").shape
    last_axis, patch_px = _layout(file, name, along_x[0] if len(along_x) == 1 else -1)
    frames = NpzFrames(file, name, last_axis)
    shape = file.header(name).shape
    n_frames = shape[-1] if last_axis else shape[0]
    x, y = (Column.in_npz(file, name) for name in ("xcoords", "ycoords"))
    positions_px = StoredPositions.checked(path, x, y, n_frames)
    metadata, metadata_notes = _metadata(file)
    found, reason = _kind(frames, n_frames, kind, _domain(file, metadata))
    probe, weaker_modes, probe_notes = _probe(file, patch_px)
    guess, guess_notes = _object_guess(file)
    simulated = _simulation(metadata)
    bad = None
    if BAD_PIXELS in file:
        bad = checked_bad_pixels(path, BAD_PIXELS, file.array(BAD_PIXELS), patch_px)
    layout = "(N, N, n)" if last_axis else "(n, N, N)"
    dtype = file.header(name).dtype
    said = f"{name} {dtype} {layout} is taken as {found}: {reason}"
    return Scan(
        path=path,
        positions_px=positions_px,
        patch_px=patch_px,
        source=frames if bad is None else CorrectedFrames(frames, bad),
        bad_pixels=bad,
        doubts=mask_doubts(bad, frames, n_frames),
        intensity=found == "intensity",
        probe=probe,
        object_guess=guess,
        object_is_truth=bool(simulated),
        notes=(
            said,
            *_other_frames(file, name),
            *probe_notes,
            *guess_notes,
            *_role_notes(guess, simulated),
            *metadata_notes,
        ),
        weaker_modes=weaker_modes,
        photons_per_frame=_photons(metadata),
    )


def _frames_name(file: NpzFile) -> str:
    for name in ("xcoords", "ycoords"):
        file.header(name)
    for name in FRAME_NAMES:
        if name in file:
            return name
    raise InputError(
        f"{file.path} holds no diffraction",
        why=f"neither diffraction nor diff3d is among: {enumerated(file.names)}",
        do="give a scan file",
    )


def _other_frames(file: NpzFile, taken: str) -> tuple[str, ...]:
    return tuple(
        f"{each} is there, too, and is not read"
        for each in FRAME_NAMES
        if each != taken and each in file
    )


def _layout(file: NpzFile, name: str, n_positions: int) -> tuple[bool, int]:
    """Whether frames lie along the last axis, and the side N of a frame."""
    header = file.header(name)
    if len(header.shape) == 3 and header.dtype.kind in "fiu" and min(header.shape) > 0:
        a, b, c = header.shape
        if a == b == c == n_positions:
            return _is_legacy_cube(file, name), a
        if a == b != c == n_positions:
            return True, a
        if b == c:
            return False, b
        if a == b:
            return True, a
    raise InputError(
        f"{name} of {file.path} is not a stack of square frames",
        why=f"it is {header.dtype} of shape {header.shape} for {n_positions} positions",
        do="store real numbers of shape (n, N, N)",
    )


def _is_legacy_cube(file: NpzFile, name: str) -> bool:
    """Whether the frames of a cube, whose shape does not tell, lie along its last axis.

    About the middle of a frame there is more than elsewhere, and of all frames about as much.
    """
    header = file.header(name)
    side = header.shape[0]
    step = max(1, SLAB_BYTES // (side**2 * header.dtype.itemsize))
    sums = np.zeros((2, side))
    for start in range(0, side, step):
        rows = np.arange(start, min(start + step, side))
        slab = file.rows(name, rows, last_axis=header.fortran_order).astype(np.float64)
        if header.dtype.kind == "f":  # amplitudes, most likely: their squares are counts
            slab *= slab
        sums[0, rows] = slab.sum(axis=(1, 2))
        sums[1] += slab.sum(axis=(0, 1) if not header.fortran_order else (0, 2))
    first, last = sums[::-1] if header.fortran_order else sums
    spread_first, spread_last = _spread(first), _spread(last)
    if min(spread_first, spread_last) < CENTRED * min(max(spread_first, spread_last), 1.0):
        return spread_first < spread_last
    if name == FRAME_NAMES[0]:  # whose contract has frames first
        return False
    raise InputError(
        f"{name} of {file.path} does not say along which axis its frames lie",
        why=f"its shape {header.shape} can be read as (n, N, N) or (N, N, n), and its counts lie "
        "about the middle of neither the first nor the last axis, where the zero frequency of "
        "frames should be",
        do="store the frames as 'diffraction' of shape (n, N, N)",
    )


def _spread(sums: NDArray[np.float64]) -> float:
    """Mean distance of counts from the middle of an axis; 1 where they lie evenly along it."""
    distance = np.abs(np.arange(len(sums)) - len(sums) // 2)
    total = float(sums.sum())
    return float(sums @ distance) / total / float(distance.mean()) if total > 0 else 1.0


def _domain(file: NpzFile, metadata: dict[str, Any]) -> tuple[str, str] | None:
    """What the pair of contract and domain says that the frames are, and in which words.

    Source: PtychoPINN (2026), ptycho_torch/scaling_contract.py.
    """
    said = {name: _said(file, metadata, name) for name in PAIR}
    version, domain = said.values()
    if version is None and domain is None:
        return None
    if version is None or domain is None:
        missing, given = PAIR if version is None else PAIR[::-1]
        raise InputError(
            f"{file.path} does not say what its frames hold",
            why=f"{given} is {said[given]!r:.60}, and {missing} is missing: only both together "
            "say it",
            do=f"write {missing} too, or leave both out and use --diffraction-kind",
        )
    kind = DOMAINS.get((version, domain))
    if kind is None:
        known = "; ".join(" with ".join(pair) for pair in DOMAINS)
        raise InputError(
            f"{file.path} does not say what its frames hold",
            why=f"{PAIR[0]} {version!r:.60} with {PAIR[1]} {domain!r:.60} is unknown; known are: "
            f"{known}",
            do="correct the pair, or leave both out and use --diffraction-kind",
        )
    return kind, f"{PAIR[0]} {version}, {PAIR[1]} {domain}"


def _said(file: NpzFile, metadata: dict[str, Any], name: str) -> str | None:
    """One text, of a member of the file or of its metadata, wherever it stands in these."""
    found = [section[name] for section in _sections(metadata) if section.get(name) is not None]
    if name in file:
        found.append(file.text(name))
    for value in found:
        if not isinstance(value, str):
            raise InputError(
                f"{name} of {file.path} cannot be used",
                why=f"it is {value!r:.60}, not text",
                do="correct it, or leave it out and use --diffraction-kind",
            )
    said = sorted({one_line(value.strip()) for value in found})
    if len(said) > 1:
        raise InputError(
            f"{file.path} does not say what its frames hold",
            why=f"{name} is said to be {' and '.join(map(repr, said))!s:.120}",
            do="correct it, or leave it out and use --diffraction-kind",
        )
    return said[0] if said else None


def _sections(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the metadata and what is nested in them."""
    return [metadata, *(each for each in metadata.values() if isinstance(each, dict))]


def _kind(
    frames: NpzFrames, n_frames: int, asked: str | None, told: tuple[str, str] | None
) -> tuple[str, str]:
    """Decide what the frames are, and say why."""
    if asked is not None and told is not None and asked != told[0]:
        raise InputError(
            f"--diffraction-kind {asked} contradicts {frames.file.path}",
            why=f"the file says {told[0]}: {told[1]}",
            do="leave the option out, or correct the file",
        )
    if told is not None:
        return told
    if asked is not None:
        return asked, "as --diffraction-kind says"
    if frames.file.header(frames.name).dtype.kind in "iu":
        return "intensity", "integers are counts"
    sample = frames.read(sampled(n_frames))
    sample = sample[:, ~gaps(sample)[0]]
    highest = float(sample[np.isfinite(sample)].max(initial=0.0))
    if whole := doubt_of_whole(sample):
        doubt = whole
    elif highest > PLAUSIBLE_AMPLITUDE:
        doubt = f"values up to {highest:g} would be {highest**2:.1e} photons in a pixel"
    elif frames.last_axis:
        doubt = "files of this layout hold intensity as integers, this one floating point"
    else:
        return "amplitude", "floating-point values are amplitudes by convention"
    raise untold(frames.file.path, doubt)


_Modes = NDArray[np.complex64] | None


def _probe(file: NpzFile, patch_px: int) -> tuple[_Modes, _Modes, tuple[str, ...]]:
    """Give the strongest mode (N, N), the others (M - 1, N, N), and what to say of them."""
    if "probeGuess" not in file:
        return None, None, ("there is no probeGuess",)
    stored = file.array("probeGuess")
    probe, others = split_modes(file.path, "probeGuess", stored, None, patch_px)
    modes = stacked_modes(probe, others)
    real = (
        ("probeGuess is not complex: its phase is taken as 0",) if stored.dtype.kind != "c" else ()
    )
    notes = (*real, *modes_note(modes, "strongest"), *variations_note(stored.size, modes))
    if probe.shape != (patch_px, patch_px):
        raise InputError(
            f"probe and diffraction of {file.path} do not fit together",
            why=f"the probe is {probe.shape}, a frame {(patch_px, patch_px)}",
            do="store both with the same side",
        )
    return probe, others, notes


def shared_probe(file: NpzFile, name: str, side: int | None) -> tuple[_Modes, _Modes]:
    """Give the first mode (N, N) and the others of the first position of a probe (..., M, N, N).

    None without a complex one, or where it has not the *side* N that is known.
    """
    if name not in file or file.header(name).dtype.kind != "c":
        return None, None
    values = file.array(name)
    if values.ndim < 2 or (side is not None and values.shape[-2:] != (side, side)):
        return None, None
    return split_modes(file.path, name, first_variation(values), patch_px=side)


def _object_guess(file: NpzFile) -> tuple[NDArray[np.complex64] | None, tuple[str, ...]]:
    if "objectGuess" not in file:
        return None, ("there is no objectGuess",)
    stored = file.array("objectGuess")
    if stored.size <= 1 or np.ptp(np.abs(stored)) == 0 == np.ptp(np.angle(stored)):
        return None, ("objectGuess is constant: a placeholder, not used",)
    require_complex(file.path, "objectGuess", stored)
    return checked_complex(file.path, "objectGuess", stored), ()


def _role_notes(guess: NDArray[np.complex64] | None, simulated: str) -> tuple[str, ...]:
    if guess is None:
        return ()
    if simulated:
        return (f"objectGuess is the ground truth: the scan was simulated ({simulated})",)
    return (
        "objectGuess is a reference: nothing in the scan says that it was simulated; "
        "if it is the truth, use --ground-truth objectGuess",
    )


def _simulation(metadata: dict[str, Any]) -> str:
    """Find what of a scan's metadata says that it was simulated; empty if nothing does.

    PtychoPINN's simulation and that of a study write ``simulation_type`` among
    ``additional_parameters``, and name their script.
    """
    for section in _sections(metadata):
        for name, value in section.items():
            is_said = isinstance(value, str | bool | int) and bool(value)
            if is_said and (name.startswith("simulat") or name == "is_simulated"):
                return f"{name} {value!s:.40}"
            if name == "script" and isinstance(value, str) and "simulat" in value:
                return f"script {value:.40}"
    return ""


def _photons(metadata: dict[str, Any]) -> float | None:
    """How many photons a frame of a simulation has on average, as PtychoPINN writes it."""
    physics = metadata.get("physics_parameters")
    for place in (physics if isinstance(physics, dict) else {}, metadata):
        told = place.get("nphotons")
        if isinstance(told, (int, float)) and math.isfinite(told) and told > 0:
            return float(told)
    return None


def _metadata(file: NpzFile) -> tuple[dict[str, Any], tuple[str, ...]]:
    if "_metadata" not in file:
        return {}, ()
    try:
        text = file.text("_metadata")
    except InputError as error:  # nothing of it is needed
        return {}, (f"_metadata was not read: {one_line(error.why)}",)
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, (f"_metadata is not JSON: {error}",)
    if not isinstance(metadata, dict):
        return {}, ("_metadata is not a JSON object",)
    names = one_line(", ".join(sorted(metadata)))
    return metadata, (f"the scan's _metadata says {names:.400}",)
