"""Which Dask scheduler is meant, and does it answer? One that is there, or one for this session."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ptyrun.config.session import local_workers
from ptyrun.errors import ClusterError, PredictorUnavailableError, UsageError
from ptyrun.host.devices import list_gpus, visible_gpus
from ptyrun.host.processes import n_cores

_CONNECT_S = 5.0
_LEAST_S = 0.5


def configured() -> str:
    """Give the address of the scheduler that Dask's configuration names.

    Raises
    ------
    UsageError
        If it names none.
    PredictorUnavailableError
        If Dask is not installed.
    """
    try:
        import dask
    except ImportError as error:
        raise _absent(error) from error
    address = dask.config.get("scheduler-address", None)
    if not isinstance(address, str) or not address:
        raise UsageError(
            "no Dask scheduler is named",
            why="neither --dask nor Dask's configuration gives its address",
            do="use --dask tcp://HOST:8786, or export DASK_SCHEDULER_ADDRESS",
        )
    return address


def _absent(error: ImportError) -> PredictorUnavailableError:
    return PredictorUnavailableError(
        "Dask's clusters cannot be reached",
        why=str(error),
        do="pip install 'ptyrun[dask]', here and where the workers run",
    )


@contextmanager
def connected(address: str, left_s: float) -> Iterator[Any]:
    """Give a client of the scheduler at *address*; ``local:N`` makes a cluster of N workers here.

    Raises
    ------
    ClusterError
        If no scheduler answers within 5 s, or within *left_s*.
    PredictorUnavailableError
        If Dask is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise _absent(error) from error
    # Every lost connection would be told twice: there, and here as a lost worker or scheduler.
    for name in ("distributed", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if n_workers := local_workers(address):
        with (
            _local(distributed, n_workers) as cluster,
            _client(cluster.scheduler_address) as client,
        ):
            yield client
        return
    patience_s = min(_CONNECT_S, max(_LEAST_S, left_s))
    try:
        opened = _client(address, patience_s)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address}",
            why=str(error) or type(error).__name__,
            do="start one with `dask scheduler`, and give the address that it prints",
        ) from error
    with opened as client:
        yield client


def _client(address: str, patience_s: float = _CONNECT_S) -> Any:
    import distributed

    return distributed.Client(  # type: ignore[no-untyped-call]
        address, timeout=patience_s, set_as_default=False
    )


def _local(distributed: Any, n_workers: int) -> Any:
    """A cluster of processes of this machine that ends with this one; cores and GPUs are shared."""
    gpus = visible_gpus(os.environ, list_gpus())
    cores = n_cores()
    workers = {
        place: {
            "cls": distributed.Nanny,
            "options": {
                "host": "127.0.0.1",
                "nthreads": max(1, cores // n_workers),
                "dashboard": False,
                "env": {"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if gpus else {},
            },
        }
        for place in range(n_workers)
    }
    options = {"host": "127.0.0.1", "port": 0, "dashboard": False}
    scheduler = {"cls": distributed.Scheduler, "options": options}
    return distributed.SpecCluster(workers=workers, scheduler=scheduler)
