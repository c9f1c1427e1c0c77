"""One way to work through blocks, as its own documents show it; run in an environment of its own.

``python peer_work.py WAY FOLDER BLOCKS ITEM_S SCALE``: reads ``FOLDER/in.npy`` (n, N, N), writes
what `work` makes of each block below ``FOLDER/out``, goes on where it was if the way can, and
prints what it took as JSON. Needs NumPy and the way's own package alone.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def work(block: Any, item_s: float, scale: float) -> Any:
    """Transform one block (N, N), keeping a core busy for *item_s*."""
    until_s = time.thread_time() + item_s
    while time.thread_time() < until_s:
        pass
    return (scale * np.fft.fft2(block)).astype(np.complex64)


class Work:
    """`work` as a function that can be sent to other processes."""

    def __init__(self, item_s: float, scale: float, calls: Path) -> None:
        self.item_s = item_s
        self.scale = scale
        self.calls = calls  # one byte for each block, so that what is done twice can be counted

    def __call__(self, blocks: Any) -> Any:
        """Transform the blocks of one chunk (k, N, N)."""
        with self.calls.open("ab") as stream:
            stream.write(b"." * len(blocks))
        return np.stack([work(block, self.item_s, self.scale) for block in blocks])


def plain(folder: Path, n_blocks: int, do: Work) -> None:
    """A loop with ``np.save``: a file that is there counts as done."""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    source = np.load(folder / "in.npy", mmap_mode="r")
    there = {path.name for path in out.iterdir()}
    for number in range(n_blocks):
        if f"{number}.npy" not in there:
            np.save(out / f"{number}.npy", do(source[number : number + 1])[0])


def dask(folder: Path, n_blocks: int, do: Work) -> None:
    """``map_blocks`` into Zarr: begins anew each time."""
    dask_itself: Any = import_module("dask")
    da: Any = import_module("dask.array")

    source = np.load(folder / "in.npy", mmap_mode="r")[:n_blocks]
    chunks = (1, *source.shape[1:])
    array = da.from_array(source, chunks=chunks).map_blocks(do, dtype=np.complex64)
    with dask_itself.config.set(scheduler="threads", num_workers=1):
        da.to_zarr(array, str(folder / "out"), overwrite=True)


def cubed(folder: Path, n_blocks: int, do: Work) -> None:
    """``map_blocks`` into Zarr, with ``resume``."""
    cubed_itself: Any = import_module("cubed")
    zarr: Any = import_module("zarr")

    if not (folder / "in.zarr").exists():
        raw = np.load(folder / "in.npy", mmap_mode="r")[:n_blocks]
        array = zarr.create_array(
            str(folder / "in.zarr"), shape=raw.shape, chunks=(1, *raw.shape[1:]), dtype=raw.dtype
        )
        array[...] = raw
    spec = cubed_itself.Spec(work_dir=str(folder / "work"), allowed_mem="500MB")
    source = cubed_itself.from_zarr(str(folder / "in.zarr"), spec=spec)
    made = cubed_itself.map_blocks(do, source, dtype=np.complex64)
    cubed_itself.to_zarr(made, str(folder / "out"), resume=(folder / "out").exists())


def daisy(folder: Path, n_blocks: int, do: Work) -> None:
    """``run_blockwise`` over a Zarr array, with markers of what is done."""
    daisy_itself: Any = import_module("daisy")
    zarr: Any = import_module("zarr")

    source = np.load(folder / "in.npy", mmap_mode="r")
    block_shape = (1, *source.shape[1:])
    shape = (n_blocks, *source.shape[1:])
    out = zarr.open_array(
        str(folder / "out"), mode="a", shape=shape, chunks=block_shape, dtype="complex64"
    )

    def process(block: Any) -> None:
        first = int(block.write_roi.begin[0])
        out[first : first + 1] = do(source[first : first + 1])

    whole = daisy_itself.Roi((0, 0, 0), shape)
    one = daisy_itself.Roi((0, 0, 0), block_shape)
    task = daisy_itself.Task(
        "work",
        total_roi=whole,
        read_roi=one,
        write_roi=one,
        process_function=process,
        read_write_conflict=False,
        done_marker_path=str(folder / "markers"),
    )
    daisy_itself.run_blockwise(task, multiprocessing=False, progress=False, summary=False)


WAYS: dict[str, Callable[[Path, int, Work], None]] = {
    "plain": plain,
    "dask": dask,
    "cubed": cubed,
    "daisy": daisy,
}


def peak_mib() -> float:
    """Peak memory of this process; ``ru_maxrss`` would be that of who began it, if that is more."""
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def took(begun_s: float) -> str:
    """What this process took since then, as JSON."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = usage.ru_utime + usage.ru_stime
    wall_s = time.perf_counter() - begun_s
    return json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "mib": peak_mib()})


def main(way: str, folder: str, n_blocks: str, item_s: str, scale: str) -> None:
    """Work, and say what it took."""
    begun_s = time.perf_counter()
    root = Path(folder).resolve()
    WAYS[way](root, int(n_blocks), Work(float(item_s), float(scale), root / "calls"))
    print(took(begun_s))


if __name__ == "__main__":
    main(*sys.argv[1:])
