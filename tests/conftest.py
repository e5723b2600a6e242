"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from mertools.clip import Clip

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


@pytest.fixture(scope="session")
def tiny_sources(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """By visual card the source of a tiny checkpoint, made when it is first asked for."""
    from tiny_video import Sources

    return Sources(tmp_path_factory)


@pytest.fixture(scope="session")
def crop_clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Ready crops of 3, 20 and 90 frames, blue first as OpenFace's are stored."""
    import numpy as np
    from tiny_video import crops

    folder = tmp_path_factory.mktemp("crops")
    for count in (3, 20, 90):
        np.save(folder / f"{count}.npy", crops(count, seed=count)[..., ::-1])
    return [Clip(str(count), faces=folder / f"{count}.npy", faces_order="bgr") for count in (3, 20, 90)]


@pytest.fixture(scope="session")
def frame_clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Videos of 3 and 20 frames, wider than high."""
    from tiny_video import crops

    from mertools.media import write_clip

    folder = tmp_path_factory.mktemp("videos")
    for count in (3, 20):
        write_clip(folder / f"{count}.mp4", [picture[:64] for picture in crops(count, seed=count)], 25)
    return [Clip(str(count), video=folder / f"{count}.mp4") for count in (3, 20)]
