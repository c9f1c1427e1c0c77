"""What tests of the stages share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quick_pictures(quick_pictures: None) -> None:
    """What pictures show is looked at by few tests of this folder."""
