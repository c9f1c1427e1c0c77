"""Does a process on a busy machine end without words of Zarr's?"""

from __future__ import annotations

import subprocess
import sys


def test_a_busy_thread_of_zarrs_is_waited_for_without_a_word() -> None:
    """Zarr itself waits for 0.2 s, and then closes what still runs."""
    code = (
        "import time, ptyrun.engine.plain_store\n"
        "from zarr.core import sync\n"
        "sync._get_loop().call_soon_threadsafe(time.sleep, 1)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
