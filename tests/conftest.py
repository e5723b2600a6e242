"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before torch is imported: its threads and those of other tests' processes would only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def media_folder() -> Path:
    """The folder of real clips named by MERTOOLS_MEDIA; tests that need it skip without it."""
    folder = os.environ.get("MERTOOLS_MEDIA")
    if not folder:
        pytest.skip("MERTOOLS_MEDIA is not set: no real clips to test on")
    if not Path(folder).is_dir():
        pytest.skip(f"MERTOOLS_MEDIA={folder} is not a folder")
    return Path(folder)
