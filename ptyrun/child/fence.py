"""What may a process of foreign code read and write, and what is it told of its surroundings?

It reads programs and packages, its model, and nothing else of homes and data. It writes into a
folder of its own, which goes with it, and into a cache for what is compiled for this very model, so
that not every window compiles it again and nobody else uses what it put there. One that trains or
reconstructs has a folder besides, for states from which a later window goes on.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import ptyrun
from ptyrun.errors import ModelError
from ptyrun.host import partials, trees
from ptyrun.models.files import locate
from ptyrun.models.onnx_files import data_files
from ptyrun.models.predictors import ModelRequest, find

CACHES_KEPT = 40
# Where libraries keep what they compile and download, whatever HOME says.
_CACHE_NAMES = (
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR", "KERAS_HOME"),
    *("TORCH_HOME", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "CUDA_CACHE_PATH", "HF_HOME"),
    *("NUMBA_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR"),
)
# Each batch takes the same memory: glibc keeps it, instead of having the kernel clear it anew.
_MEMORY_KEPT = {
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # the most that glibc takes
}
# Of what is whispered in the environment, a network needs nothing.
_SECRET = (
    *("TOKEN", "SECRET", "PASSW", "PASSPHRASE", "SSHPASS", "_PASS", "CREDENTIAL", "KEY", "AUTH"),
    *("COOKIE", "DBUS_", "XDG_RUNTIME_DIR"),  # and the ways to who keeps them
)
_WITH_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]*@")


@dataclass(frozen=True)
class Yard:
    """Where a process of foreign code lives.

    Attributes
    ----------
    is_confined : bool
        Whether it is to be fenced in.
    reads : tuple of str
        Beside programs and packages.
    cache : Path
        For what is compiled for this model.
    private : Path
        Goes when the process ends.
    keeps : tuple of str
        Folders that it may write besides, and that stay.
    """

    is_confined: bool
    reads: tuple[str, ...]
    cache: Path
    private: Path
    keeps: tuple[str, ...] = ()

    @classmethod
    def made(cls, backend: str, request: ModelRequest, digest: str, *, is_confined: bool) -> Yard:
        """Make that of a predictor, which reads its model."""
        reads = _reads_of_model(backend, request)
        return cls.around(f"{backend}\n{digest}", reads, is_confined=is_confined)

    @classmethod
    def around(
        cls, name: str, reads: Iterable[str], keeps: Iterable[str] = (), *, is_confined: bool
    ) -> Yard:
        """Make both folders; what shares a *name* shares what is compiled."""
        home = _home()
        cache = home / "compiled" / hashlib.sha256(name.encode()).hexdigest()[:32]
        private = partials.name(home / "private" / "predictor")
        try:
            for folder in (cache, private):
                folder.mkdir(mode=0o700, parents=True, exist_ok=folder is cache)
            if cache.is_symlink() or cache.stat().st_uid != os.geteuid():
                raise PermissionError(f"{cache} does not belong to this user")
            _forget_old(cache.parent)
            _sweep(private.parent)
        except OSError:  # a home that takes nothing: then nothing stays
            private = cache = Path(tempfile.mkdtemp(prefix="ptyrun-predictor-"))
        return cls(is_confined, (*_always(), *reads), cache, private, tuple(keeps))

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Give what the process is told: folders that it may write, and no secrets."""
        own = {"PYTHONPATH": os.pathsep.join(_import_path()), "PYTHONSAFEPATH": "1"}
        told = {**_MEMORY_KEPT, **given, **own}
        if not self.is_confined:
            return told
        told = {name: value for name, value in told.items() if not _is_secret(name, value)}
        told.update(dict.fromkeys(_CACHE_NAMES, str(self.cache)))
        told.update({"HOME": str(self.cache), "TMPDIR": str(self.private)})
        # Python runs what lies in a home's packages as it starts, before any fence; and in this
        # home lies what the model put there in an earlier window.
        told["PYTHONNOUSERSITE"] = "1"
        return told

    def fence(self) -> dict[str, object]:
        """What the process is told to be fenced in by."""
        return {
            "confined": self.is_confined,
            "reads": list(self.reads),
            "writes": [str(self.cache), str(self.private), *self.keeps],
            "cuda": os.path.exists("/dev/nvidiactl") and _shows_gpus(),  # noqa: PTH110
        }

    def leave(self) -> None:
        """Delete what goes with the process."""
        trees.discard(self.private, whatever_modes=True)


def _is_secret(name: str, value: str) -> bool:
    return any(part in name.upper() for part in _SECRET) or bool(_WITH_PASSWORD.search(value))


def may_have_gpus() -> bool:
    """Whether a framework might take hold of a device when it loads a model."""
    names = ("nvidiactl", "kfd", "dxg")
    return _shows_gpus() and any(os.path.exists(f"/dev/{name}") for name in names)  # noqa: PTH110


def _shows_gpus() -> bool:
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    return shown is None or shown.strip() not in ("", "-1", "NoDevFiles")


def _home() -> Path:
    # https://specifications.freedesktop.org/basedir-spec
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(home) / "ptyrun"


def _import_path() -> Iterable[str]:
    """Where this process finds packages, in its order."""
    return dict.fromkeys(each or str(Path.cwd()) for each in sys.path if isinstance(each, str))


def _always() -> Iterator[str]:
    yield os.path.realpath(Path(ptyrun.__file__).parent)
    for name, module in [*sys.modules.items()]:
        # Packages that setuptools installed to be edited where they are.
        if name.startswith("__editable__"):
            places = getattr(module, "MAPPING", {})
            yield from map(str, places.values() if isinstance(places, dict) else ())


def _reads_of_model(backend: str, request: ModelRequest) -> Iterator[str]:
    factory = request.options.get("factory", "").partition(":")[0]
    for named in filter(None, (find(backend).module, factory)):
        yield from package(named)
    yield os.path.realpath(request.path)
    with suppress(ModelError):  # which is said when it is opened
        model = locate(request.path)
        yield os.path.realpath(model.path)
        yield from (os.path.realpath(model.path.parent / name) for name in data_files(model))


def package(module: str) -> Iterator[str]:
    """Give where the package lies that has *module*."""
    with suppress(ImportError, ValueError, AttributeError):
        spec = find_spec(module.partition(".")[0])
        if spec is not None:
            yield from (os.path.realpath(place) for place in spec.submodule_search_locations or ())
            if spec.origin and spec.has_location:
                yield os.path.realpath(spec.origin)


def _forget_old(folder: Path) -> None:
    caches = sorted(folder.iterdir(), key=lambda each: each.lstat().st_mtime)
    for old in caches[:-CACHES_KEPT]:
        trees.discard(old, whatever_modes=True)


def _sweep(folder: Path) -> None:
    """Delete what killed sessions left."""
    for each in folder.iterdir():
        if partials.is_alive(each.name) is False:
            trees.discard(each, whatever_modes=True)
