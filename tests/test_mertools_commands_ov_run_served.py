"""From clips to labels with models that are really served on this machine, and once more without any server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from local_servers import LocalModel, smollm2_server, transformers_server

from mertools.clip import Clip
from mertools.commands import ov_run
from mertools.corpus import write_manifest
from mertools.ov.clues import Clue, write_clues
from mertools.ov.labels import read_labels
from mertools.run_record import read_result

SMILES = "The person smiles broadly and laughs: happy."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "least_labelled"),
    [pytest.param(transformers_server, 3, id="transformers"), pytest.param(smollm2_server, 0, id="llama.cpp")],
)
def test_from_clues_to_labels(
    tmp_path: Path, server: Callable[..., AbstractContextManager[LocalModel]], least_labelled: int
) -> None:
    names = ("a", "b", "no words")
    texts = ("I won!", "Good morning.", "")
    clips = [
        Clip(name, video=tmp_path / "a.mp4", subtitle_english=text) for name, text in zip(names, texts, strict=True)
    ]
    write_manifest(tmp_path / "manifest.csv", clips)
    write_clues(tmp_path / "clues.jsonl", [Clue(clip.name, "video", SMILES, {"model": "hand-made"}) for clip in clips])
    out = tmp_path / "ov"
    words = ["--data", str(tmp_path / "manifest.csv"), "--clues", str(tmp_path / "clues.jsonl"), "--out", str(out)]
    words += ["--max-tokens", "200", "--runs", "2"]
    arguments = () if server is smollm2_server else (tmp_path,)
    with server(*arguments) as model:
        assert ov_run.main([*words, "--server", model.address, "--model", model.model]) == 0
    files = [out / f"run-{run}" / "labels.csv" for run in (1, 2)]
    rows = [read_labels(path) for path in files]
    for labelled in rows:
        assert [row.name for row in labelled] == list(names)
        assert all(row.labels or row.failed for row in labelled)
        assert sum(not row.failed for row in labelled) >= least_labelled
    assert model.model in str(read_result(out))
    # The server is gone: the same files come out of the cache.
    assert ov_run.main([*words, "--model", model.model, "--replay"]) == 0
    assert [read_labels(path) for path in files] == rows
