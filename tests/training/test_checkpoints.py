"""Is a state that was kept given back bit by bit, and is a bad one named and never run?"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ptyrun.training.checkpoints import _CODES, Checkpoint, Checkpoints, packed, unpacked

ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
    st.sampled_from(sorted(_CODES, key=str)).flatmap(
        lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0, max_side=3))
    ),
    max_size=4,
)


@given(ARRAYS)
def test_a_state_comes_back_bit_by_bit(arrays: dict[str, np.ndarray]) -> None:
    found = unpacked(packed(arrays, "facts"), "facts")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


WHOLE = packed({"w": np.arange(6.0).reshape(2, 3), "n": np.array(3)}, "facts")


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_found(at: int, by: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= by
    try:
        found = unpacked(bytes(changed), "facts")
    except ValueError:
        return
    # White space and the spelling of the header may change, and what it says may not.
    assert packed(found, "facts") == WHOLE


@given(st.integers(0, len(WHOLE) - 1))
def test_any_cut_is_found(length: int) -> None:
    with pytest.raises(ValueError):
        unpacked(WHOLE[:length], "facts")


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_no_bytes_are_taken_for_a_state(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpacked(data, "facts")


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("it was unpickled",)


def test_a_bad_state_is_named_and_the_one_before_is_given(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "facts")
    for step in (1, 2):
        kept.save(Checkpoint(step, {"w": np.full(3, step)}))
    newest = tmp_path / "state-000000000002.safetensors"
    for content in (newest.read_bytes()[:-1], pickle.dumps(Bomb()), b"", packed({}, "others")):
        newest.write_bytes(content)
        said, good = kept.find()
        assert isinstance(said, str)
        assert said.startswith("state-000000000002.safetensors is not resumed: it")
        assert isinstance(good, Checkpoint)
        assert good.step == 1
    newest.unlink()
    newest.symlink_to(tmp_path / "state-000000000001.safetensors")
    said, _ = kept.find()
    assert "a symbolic link" in str(said) or "regular" in str(said)


def test_the_last_two_states_are_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "facts")
    for step in range(5):
        kept.save(Checkpoint(step, {"w": np.zeros(1)}))
    assert [each.step for each in kept.find() if isinstance(each, Checkpoint)] == [4, 3]


def test_an_array_that_the_format_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="no complex128 called 'w'"):
        packed({"w": np.zeros(1, np.complex128)}, "facts")
