"""Which string does a pickled array of one hold? Its pickle is walked, and never run."""

from __future__ import annotations

import pickletools
from io import BytesIO
from itertools import islice

MAX_STEPS = 1000  # NumPy's have forty
# The only words in NumPy's pickle of an array of one string, besides the string.
STRING_ARRAY_WORDS = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "ndarray"} | {
    *("_reconstruct", "dtype", "O8", "|", "b", "_codecs", "encode", "latin1")
}


def string_in_pickle(pickled: bytes) -> str:
    """Find the one string inside a pickled array of one element by reading the opcodes.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    bookkeeping = {"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"}
    found = [*islice(pickletools.genops(BytesIO(pickled)), MAX_STEPS + 1)]
    if len(found) > MAX_STEPS:
        raise ValueError(f"it has more than {MAX_STEPS} steps")
    steps = [(opcode.name, said) for opcode, said, _ in found if opcode.name not in bookkeeping]
    *before, (kind, text), _, _, _, _ = steps
    if [name for name, _ in steps[-4:]] != ["APPEND", "TUPLE", "BUILD", "STOP"]:
        raise ValueError("it is not an array of one element")
    if "UNICODE" not in kind or not isinstance(text, str):
        raise ValueError(f"its element is {kind}")
    words = {word for _, said in before if isinstance(said, str) for word in said.split()}
    if not words <= STRING_ARRAY_WORDS:
        raise ValueError(f"it also names {', '.join(sorted(words - STRING_ARRAY_WORDS))}")
    return text
