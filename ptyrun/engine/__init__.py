"""The engine: chunks, files and seconds. It counts items and knows nothing of what they are.

Invariants, each proved by the tests of its name in ``tests/engine/test_invariants.py``:

I1
    A chunk that the ledger names is on disk, whole, with the checksum the ledger gives. The order
    is data, fsync of file and folder, claim in the ledger, fsync. A crash in between costs one
    recomputation and nothing else.
I2
    Every ledger file quotes the manifest's digest. A run whose inputs or configuration changed is
    refused by name and never mixed.
I3
    Running again never changes a committed chunk.
I4
    Everything but the manifest, the ledger and ``arrays.zarr`` can be deleted without losing
    computation.
I5
    Any number of windows, crashes, workers and hosts end in the same bytes as one uninterrupted
    run, and the values do not depend on the chunk size.

Nothing is imported here, so that ``ptyrun status`` pays only for what it reads.
"""
