"""How near does ptyrun come to what the disk, the memory and the processor can do at all?

Disk: a file of the bench's own. Memory: what NumPy copies and adds. Processor: products of large
matrices, and the reference networks beside them. All in one call, and in turns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import commit, network_flop
from benchmarks.child import told
from benchmarks.figures import Figure, Scale, in_turns, summed_up
from benchmarks.network_flop import Pace
from ptyrun.host import durable

MIB = 2**20
FILE_MIB, QUICK_FILE_MIB = 1024, 32
BLOCK_BYTES = 4 * MIB
ARRAY_MIB, QUICK_ARRAY_MIB = 256, 32
SIDE, QUICK_SIDE = 4096, 512
# OpenBLAS does not know every processor, and then leaves half of its width unused.
WIDE = {"OPENBLAS_CORETYPE": "SkylakeX"}


def measure(scale: Scale) -> list[Figure]:
    """Measure what there is, and how much of it is used."""
    return [*disk(scale), *memory(scale), *processor(scale)]


def disk(scale: Scale) -> Iterator[Figure]:
    """Write and read a file, and commit chunks beside raw writes of the same bytes."""
    size_mib = QUICK_FILE_MIB if scale.quick else FILE_MIB
    path = scale.scratch / "file"
    block = np.random.default_rng(6).bytes(BLOCK_BYTES)
    count = size_mib * MIB // BLOCK_BYTES

    def written() -> None:
        durable.write_partial(path, (block for _ in range(count))).replace(path)

    written()
    ways: dict[str, Callable[[], object]] = {
        "written": written,
        "dropped": partial(_read, path, drop=True),
        "kept": partial(_read, path, drop=False),
    }
    seconds = in_turns(ways, scale.rounds)
    path.unlink()
    said = f"{size_mib} MiB in blocks of {BLOCK_BYTES // MIB} MiB"
    named = {
        "written": ("disk: write and fsync", said),
        "dropped": ("disk: read", f"{said}; dropped from the page cache before, which is this "
                    "system's own: a host may keep it, too"),
        "kept": ("page cache: read", said),
    }  # fmt: skip
    for name, (label, note) in named.items():
        yield summed_up(label, [size_mib / each for each in seconds[name]], "MiB/s", note=note)
    cut = commit.CUTS[1] if scale.quick else commit.CUTS[0]
    turns = commit.turns(scale, *cut)
    rates = {name: [turns.mib / each for each in took] for name, took in turns.seconds.items()}
    raw = summed_up("raw", rates["raw"], "MiB/s")
    yield summed_up(
        f"disk: chunks of {turns.mib:.0f} MiB committed",
        rates["commit"],
        "MiB/s",
        note=f"raw writes and fsync of the same bytes, in turns: {raw.value:.0f} MiB/s",
    )
    yield summed_up(
        "disk: chunks committed, of raw writes",
        [100 * of / all_ for of, all_ in zip(rates["commit"], rates["raw"], strict=True)],
        "%",
        note="checksum, write, fsync, a line of the ledger, fsync",
    )


def _read(path: Path, *, drop: bool) -> None:
    """Read a file from its first block to its last, into one buffer."""
    buffer = memoryview(bytearray(BLOCK_BYTES))
    with path.open("rb", buffering=0) as file:
        if drop and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.readinto(buffer):
            pass


def memory(scale: Scale) -> Iterator[Figure]:
    """Copy arrays, and scale and add them, by one thread and by all."""
    n_bytes = (QUICK_ARRAY_MIB if scale.quick else ARRAY_MIB) * MIB
    first, second, result = (np.full(n_bytes // 8, value) for value in (1.0, 2.0, 0.0))
    # What the calls read and write: a copy 2 arrays; NumPy's triad is two calls, of 2 and 3.
    works: dict[str, tuple[int, Callable[[slice], object]]] = {
        "copy": (2, lambda part: np.copyto(result[part], first[part])),
        "triad": (5, lambda part: _triad(result[part], first[part], second[part])),
    }
    ways = [(name, n) for name in works for n in sorted({1, _n_cores()})]
    with ThreadPoolExecutor(_n_cores()) as pool:

        def by(name: str, n_threads: int) -> None:
            edges = np.linspace(0, len(first), n_threads + 1).astype(int).tolist()
            list(pool.map(works[name][1], map(slice, edges[:-1], edges[1:])))

        calls = {_by_threads(*way): partial(by, *way) for way in ways}
        seconds = in_turns(calls, scale.rounds)
    for name, n_threads in ways:
        arrays, label = works[name][0], _by_threads(name, n_threads)
        yield summed_up(
            f"memory: {label}",
            [arrays * n_bytes / 1e9 / each for each in seconds[label]],
            "GB/s",
            note=f"arrays of {n_bytes // MIB} MiB; {arrays} of them read or written",
        )


def _by_threads(name: str, n_threads: int) -> str:
    return f"NumPy's {name}, {n_threads} thread{'s' if n_threads > 1 else ''}"


def _triad(
    result: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    np.multiply(second, 3.0, out=result)
    np.add(result, first, out=result)


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor(scale: Scale) -> list[Figure]:
    """Multiply matrices, and predict with both reference networks, in one process and in turns."""
    side = QUICK_SIDE if scale.quick else SIDE
    words = map(str, (scale.rounds, side, scale.shared))
    environment = {"OPENBLAS_NUM_THREADS": "1", **(WIDE if _is_wide() else {})}
    paces = told(network_flop.__name__, *words, environment=environment)
    return shares([Pace(**each) for each in paces], side)


def _is_wide() -> bool:
    """Whether the processor has AVX-512."""
    about = Path("/proc/cpuinfo")
    return about.exists() and " avx512f " in about.read_text()


def shares(paces: list[Pace], side: int) -> list[Figure]:
    """Hold the networks against the fastest product, round by round."""
    rates = {each.name: [each.flop / 1e9 / s for s in each.cpu_s] for each in paces}
    products = [each for each in paces if each.items == 1]
    medians = {each.name: summed_up("", rates[each.name], "").value for each in products}
    fastest = max(medians, key=lambda name: medians[name])
    found = [
        summed_up(
            f"processor: matrix product, {each.name}",
            rates[each.name],
            "GFLOP/s",
            note=f"{side} x {side}, single precision; a core, by time of the processor"
            + ("; the peak" if each.name == fastest else ""),
        )
        for each in products
    ]
    for each in paces:
        if each.items > 1:
            rate = summed_up("", rates[each.name], "").value
            item_ms = 1e3 * each.flop / each.items / rate / 1e9
            pairs = zip(rates[each.name], rates[fastest], strict=True)
            found.append(
                summed_up(
                    f"processor: {each.name}, of the peak",
                    [100 * own / peak for own, peak in pairs],
                    "%",
                    note=f"{each.flop / each.items / 1e9:.2f} GFLOP a group in convolutions, "
                    f"{item_ms:.1f} ms of the processor: {rate:.0f} GFLOP/s a core",
                )
            )
    return found
