"""Which string does a pickled array of one hold? Its pickle is walked, and never run."""

from __future__ import annotations

import pickletools
from io import BytesIO

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
    steps = [
        (opcode.name, argument)
        for opcode, argument, _ in pickletools.genops(BytesIO(pickled))
        if opcode.name not in bookkeeping
    ]
    *before, (kind, text), _, _, _, _ = steps
    if [name for name, _ in steps[-4:]] != ["APPEND", "TUPLE", "BUILD", "STOP"]:
        raise ValueError("it is not an array of one element")
    if "UNICODE" not in kind or not isinstance(text, str):
        raise ValueError(f"its element is {kind}")
    words = {word for _, said in before if isinstance(said, str) for word in said.split()}
    if not words <= STRING_ARRAY_WORDS:
        raise ValueError(f"it also names {', '.join(sorted(words - STRING_ARRAY_WORDS))}")
    return text
