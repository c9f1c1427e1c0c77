"""What does a process see on a machine that is POSIX, but not Linux? Imported before all else.

Calls that macOS lacks are gone, and so are /proc and /sys. What `sys.platform` says changes when
ptyrun is imported: other packages are those of this machine and need what they were built for.
"""

import builtins
import fcntl
import io
import os
import resource
import select
import signal
import socket
import sys
import time

GONE = {
    os: (
        *("sched_getaffinity", "sched_setaffinity", "pidfd_open", "fdatasync", "posix_fadvise"),
        *("posix_fallocate", "copy_file_range", "memfd_create", "eventfd", "getrandom", "splice"),
        *("sendfile", "setresuid", "getresuid", "listxattr", "getxattr", "setxattr", "unshare"),
        *("O_PATH", "O_DIRECT", "O_TMPFILE", "O_NOATIME", "waitid"),
    ),
    signal: (
        *("pidfd_send_signal", "sigtimedwait", "sigwaitinfo", "SIGPWR", "SIGSTKFLT", "SIGRTMIN"),
    ),
    fcntl: ("F_OFD_SETLK", "F_SETPIPE_SZ", "F_ADD_SEALS"),
    resource: ("prlimit",),
    select: ("epoll",),
    socket: ("SO_PEERCRED",),
    time: ("CLOCK_BOOTTIME", "CLOCK_TAI"),
}
HIDDEN = ("/proc", "/sys")


def _hiding(call):
    def opened(name, *arguments, **words):
        path = name.__fspath__() if hasattr(name, "__fspath__") else name
        asking = sys._getframe(1).f_globals.get("__name__", "")
        is_hidden = isinstance(path, str) and path.startswith(HIDDEN)
        if is_hidden and not asking.startswith("psutil"):  # it would ask other calls there
            raise FileNotFoundError(2, "no such file on this machine", path)
        return call(name, *arguments, **words)

    return opened


class _Changing:
    """Comes before all finders, and finds nothing."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "ptyrun":
            return None
        sys.meta_path.remove(_Changing)
        # Built for this machine: they are to find what they were built for.
        for package in ("psutil", "numpy", "scipy.fft", "zarr", "h5py", "skimage", "ctypes.util"):
            __import__(package)
        for module, names in GONE.items():
            for each in names:
                if hasattr(module, each):
                    delattr(module, each)
        if hasattr(os, "process_cpu_count"):
            os.process_cpu_count = os.cpu_count  # as Python has it where no affinity is told
        for module in (builtins, io):
            module.open = _hiding(builtins.open if module is builtins else io.open)
        for each in ("open", "stat", "listdir", "scandir", "readlink"):
            setattr(os, each, _hiding(getattr(os, each)))
        sys.platform = "darwin"
        return None


sys.meta_path.insert(0, _Changing)
