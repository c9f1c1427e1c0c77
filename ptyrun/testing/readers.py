"""How does another package test that its reader keeps to ptyrun's contract?"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ptyrun.errors import PtyrunError
from ptyrun.ptycho.readers.plugged_in import fault_of_reconstruction, fault_of_scan
from ptyrun.ptycho.readers.reader import ForeignFile, Held, Reader, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.registry import own_readers


class ReaderContract:
    """Tests that a reader must pass, for a pytest class of its own package to inherit.

    Attributes
    ----------
    reader : type
        The class that the package offers under the entry point ``ptyrun.readers``.

    See Also
    --------
    ptyrun.readers.Reader : what its methods take and give, with shapes and units.

    Examples
    --------
    A test module of another package::

        class TestMyReader(ReaderContract):
            reader = MyReader

            @pytest.fixture
            def foreign_path(self, tmp_path):
                return write_small_file(tmp_path / "small.xyz")
    """

    reader: ClassVar[type[Reader]]

    @pytest.fixture
    def foreign_path(self) -> Path:
        """Give a small file of the reader's layout; each subclass has its own."""
        raise NotImplementedError("the fixture foreign_path gives a small file")

    def test_its_card_fills_a_row_of_the_table(self) -> None:
        card = self.reader().card
        assert isinstance(card, ReaderCard)
        assert all(vars(card).values()), f"the card of {card.name!r} has an empty entry"
        assert not any("|" in said or "\n" in said for said in vars(card).values())

    def test_it_knows_its_own_file(self, foreign_path: Path) -> None:
        assert self.reader().holds(ForeignFile(foreign_path, "scan"))

    def test_it_knows_nothing_of_other_files(self, tmp_path: Path) -> None:
        path = tmp_path / "other.npz"
        np.savez(path, of_no_layout=np.zeros(3))
        assert self.reader().holds(ForeignFile(path, "scan")) is Held.NOTHING

    def test_no_reader_of_ptyrun_takes_its_file(self, foreign_path: Path) -> None:
        file = ForeignFile(foreign_path, "scan")
        taken = [each.card.name for each in own_readers() if each.holds(file)]
        assert taken in ([], [self.reader().card.name]), f"its file is read by {taken}"

    def test_what_it_gives_is_whole(self, foreign_path: Path) -> None:
        file = ForeignFile(foreign_path, "scan")
        reader = self.reader()
        held = reader.holds(file)
        if Held.SCAN in held:
            scan = reader.scan(file, ScanRequest(diffraction_kind="amplitude"))
            assert not fault_of_scan(scan), fault_of_scan(scan)
            some = np.array([0, scan.n_frames - 1, 0])
            assert len(scan.amplitudes(some)) == len(some)
            assert np.array_equal(*scan.amplitudes(some)[[0, 2]])
        if Held.RECONSTRUCTION in held:
            found = reader.reconstruction(file)
            assert not fault_of_reconstruction(found), fault_of_reconstruction(found)

    def test_a_file_that_is_cut_off_ends_in_words(self, foreign_path: Path, tmp_path: Path) -> None:
        whole = foreign_path.read_bytes()
        for share in (0.3, 0.9):
            path = tmp_path / foreign_path.name
            path.write_bytes(whole[: int(len(whole) * share)])
            try:
                file = ForeignFile(path, "scan")
                reader = self.reader()
                held = reader.holds(file)
                if Held.SCAN in held:
                    scan = reader.scan(file, ScanRequest(diffraction_kind="amplitude"))
                    scan.amplitudes(np.arange(scan.n_frames))
                if Held.RECONSTRUCTION in held:
                    reader.reconstruction(file)
            except PtyrunError:
                continue
