"""How is a deflated stream taken up where an earlier process left it?

A stream can be entered between two of its blocks, given the last bits read and the last 32 KiB that
came out (RFC 1951; the functions of zlib.h that follow). Python's own module has no words for that:
the library it is made of is called directly, where it is there.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

_LIBRARIES = ("libz.so.1", "libz.1.dylib")
_RAW = -zlib.MAX_WBITS
_IN_BYTES, _OUT_BYTES = 1 << 20, 4 << 20
_BLOCK, _OK, _END, _BUFFER = 5, 0, 1, -5  # Z_BLOCK, Z_OK, Z_STREAM_END, Z_BUF_ERROR
_AFTER_BLOCK, _LAST_BLOCK, _BITS = 128, 64, 7


class _Stream(ctypes.Structure):
    """``z_stream`` of zlib.h."""

    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_uint),
        ("total_in", ctypes.c_ulong),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint),
        ("total_out", ctypes.c_ulong),
        ("msg", ctypes.c_char_p),
        ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p),
        ("zfree", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("adler", ctypes.c_ulong),
        ("reserved", ctypes.c_ulong),
    )


@dataclass(frozen=True)
class Entry:
    """Where a stream can be entered: bytes read and given before, and bits left of the last one."""

    read_bytes: int
    given_bytes: int
    bits: int


@cache
def library() -> ctypes.CDLL | None:
    """Find zlib; None where it is not to be had, and streams are read from their start."""
    for name in _LIBRARIES:
        try:
            found = ctypes.CDLL(name)
            found.zlibVersion.restype = ctypes.c_char_p
            if found.zlibVersion().split(b".")[0] == b"1":
                return found
        except (OSError, AttributeError):
            continue
    return None


def inflated(
    file: BinaryIO, offset: int, length: int, entry: Entry, window: bytes, every_bytes: int
) -> Iterator[tuple[bytes, Entry | None]]:
    """Give what a raw deflated stream holds, from an entry on.

    Parameters
    ----------
    file : file of bytes
        Read from, and left anywhere.
    offset, length : int
        Of the whole stream in it, in bytes.
    entry : Entry
        Where to begin.
    window : bytes
        The last 32 KiB, or all, of what came out before.
    every_bytes : int
        How far apart entries are.

    Yields
    ------
    (bytes, Entry or None)
        A piece, and an entry right behind it from time to time.

    Raises
    ------
    zlib.error
        If the stream is damaged or cut off, or the library is not there.
    """
    zlib_ = library()
    if zlib_ is None:
        raise zlib.error("there is no library of zlib")
    stream = _Stream()
    pointer = ctypes.byref(stream)
    _require(
        zlib_.inflateInit2_(pointer, _RAW, zlib_.zlibVersion(), ctypes.sizeof(_Stream)), stream
    )
    try:
        if entry.bits:
            file.seek(offset + entry.read_bytes - 1)
            (last,) = file.read(1)
            _require(zlib_.inflatePrime(pointer, entry.bits, last >> (8 - entry.bits)), stream)
        if window:
            _require(zlib_.inflateSetDictionary(pointer, window, len(window)), stream)
        yield from _pieces(zlib_, stream, file, offset, length, entry, every_bytes)
    finally:
        zlib_.inflateEnd(pointer)


def _pieces(
    zlib_: ctypes.CDLL,
    stream: _Stream,
    file: BinaryIO,
    offset: int,
    length: int,
    entry: Entry,
    every_bytes: int,
) -> Iterator[tuple[bytes, Entry | None]]:
    out = ctypes.create_string_buffer(_OUT_BYTES)
    read, given, since = entry.read_bytes, entry.given_bytes, 0
    packed = ctypes.create_string_buffer(b"", 1)
    code = _OK
    while code != _END:
        stream.next_out, stream.avail_out = ctypes.addressof(out), _OUT_BYTES
        found = None
        while stream.avail_out and code != _END and found is None:
            if not stream.avail_in and read < length:
                file.seek(offset + read)
                block = file.read(min(_IN_BYTES, length - read))
                if not block:
                    break
                packed = ctypes.create_string_buffer(block, len(block))
                stream.next_in, stream.avail_in = ctypes.addressof(packed), len(block)
                read += len(block)
            code = zlib_.inflate(ctypes.byref(stream), _BLOCK)
            if code == _BUFFER:
                break
            _require(code, stream)
            here = since + _OUT_BYTES - stream.avail_out
            is_between = stream.data_type & _AFTER_BLOCK and not stream.data_type & _LAST_BLOCK
            if is_between and here >= every_bytes:
                bits = stream.data_type & _BITS
                found = Entry(read - stream.avail_in, given + _OUT_BYTES - stream.avail_out, bits)
        piece = ctypes.string_at(out, _OUT_BYTES - stream.avail_out)
        if not piece and code != _END:
            raise zlib.error("the stream is cut off")
        given += len(piece)
        since = 0 if found else since + len(piece)
        yield piece, found


def _require(code: int, stream: _Stream) -> None:
    if code not in (_OK, _END):
        said = (stream.msg or b"").decode(errors="replace")
        raise zlib.error(f"Error {code} while decompressing data: {said}")
