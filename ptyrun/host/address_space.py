"""Is there address space enough for the libraries of linear algebra?

OpenBLAS, which NumPy and SciPy each bring, asks for memory for each of its threads as soon as it is
imported, and asks again for ever where the system refuses. So this is asked before.
"""

from __future__ import annotations

import os
import resource

from ptyrun.errors import PtyrunError

BASE_BYTES = 384 << 20
THREAD_BYTES = 64 << 20  # 32 MiB in each of the two
THREADS = "OPENBLAS_NUM_THREADS"


def require_address_space() -> None:
    """See that importing NumPy and SciPy comes to an end here.

    Raises
    ------
    PtyrunError
        If a limit (``ulimit -v``) leaves them too little.
    """
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed == resource.RLIM_INFINITY:
        return
    from ptyrun.host.processes import n_cores  # only where there is a limit: every start waits

    told = os.environ.get(THREADS, "")
    threads = int(told) if told.isdecimal() else n_cores()
    needed = BASE_BYTES + THREAD_BYTES * max(1, threads)
    if allowed < needed:
        raise PtyrunError(
            f"{allowed >> 20} MiB of address space are too few",
            why=f"NumPy and SciPy hang while they start with less than {needed >> 20} MiB",
            do=f"raise the limit (`ulimit -v`), or set {THREADS}=1",
        )
