"""How is TensorFlow imported without its greetings on stderr, and without what no network needs?

``TF_CPP_MIN_LOG_LEVEL`` does not reach what is said before its logging is initialised, so
the import runs with stderr set aside; whatever is not a greeting is said afterwards.

Keras imports scikit-learn, pandas, Matplotlib and more where they are installed, for wrappers,
tables and galleries: a third of the whole import. It does without them where they are not, so they
are hidden from it.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ptyrun.errors import PredictorUnavailableError

GREETING = re.compile(
    rb"^(WARNING: All log messages before absl|[IW]0000 |To enable the following instructions"
    rb"|E0000 .*failed call to cuInit)"
)


@contextmanager
def _without_greetings() -> Iterator[None]:
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as aside:
        stderr_fd = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr_fd, 2)
            os.close(stderr_fd)
            aside.seek(0)
            said = [line for line in aside if line.strip() and not GREETING.match(line)]
            with suppress(OSError):  # a full stream ends nothing
                os.write(2, b"".join(said))


@contextmanager
def _without_modules(*names: str) -> Iterator[None]:
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: "not there"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _without_collections() -> Iterator[None]:
    """Look for no garbage among millions of objects that are there to stay, now or later.

    Saves a tenth of the import, and a quarter of a second whenever a network is let go.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Keras runs on what this says, or a file in the user's home: set by many, for other work.
os.environ["KERAS_BACKEND"] = "tensorflow"
# TensorFlow leaves oneDNN out on CPUs of some makers, where it is faster all the same; and patches
# of upstream's networks move by 4e-4 between kernels with it and without.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
with (
    _without_greetings(),
    _without_modules("sklearn", "pandas", "matplotlib", "IPython"),
    _without_collections(),
):
    import keras
    import tensorflow as tf

    GPUS = tf.config.list_physical_devices("GPU")

if keras.backend.backend() != "tensorflow":
    raise PredictorUnavailableError(
        "TensorFlow's networks cannot be opened in this process",
        why=f"Keras was imported before, to run on {keras.backend.backend()}; it runs on one "
        "framework in a process",
        do="set KERAS_BACKEND=tensorflow before Python starts, or use another process",
    )
# The same file says how wide new numbers are, and where channels lie.
keras.config.set_floatx("float32")
keras.config.set_image_data_format("channels_last")
tf.get_logger().setLevel("ERROR")

__all__ = ["GPUS", "keras", "tf"]
