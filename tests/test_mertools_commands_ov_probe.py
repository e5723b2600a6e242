"""`mertools ov probe` against a scripted server."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from perceived import colours
from scripted_server import Reply, ScriptedServer, prompt_of

from mertools.__main__ import dispatch
from mertools.ov.chat import Medium
from mertools.ov.probe import GREETING


def script(request: Mapping[str, Any]) -> Reply | str:
    """A server whose model sees images, of which it takes four at most, and hears nothing; it takes no video."""
    prompt, content = prompt_of(request), request["messages"][-1]["content"]
    if prompt == GREETING:
        return "Yes."
    kinds = {part["type"] for part in content}
    if "video_url" in kinds:
        return Reply("video input is not supported", status=400)
    if "image_url" in kinds:
        if len(content) > 5:
            return Reply("At most 4 image(s) may be provided in one prompt.", status=400)
        last = content[-2]["image_url"]["url"]
        return colours(Medium("image", b64decode(last.partition("base64,")[2]), "image/jpeg"))[0]
    return "silent"


def run(
    server: ScriptedServer, folder: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> dict[str, list[str]]:
    assert dispatch(["ov", "probe", "--server", server.url, "--out", str(folder), *options]) == 0
    header, *rows = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header == ["part", "accepted", "perceived", "answers"]
    return {row[0]: row[1:] for row in rows}


def test_tells_what_is_accepted_and_what_is_perceived(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer(script) as server:
        table = run(server, tmp_path, capsys, "--frames", "4")
        assert table["images"] == ["yes", "yes", "blue / red"]
        assert table["audio"] == ["yes", "no", "silent / silent"]
        assert table["video"][:2] == ["no", "no"] and "video input is not supported" in table["video"][2]
        assert table["sound of video"][:2] == ["no", "no"]
        assert len(server.requests) == 9

        assert run(server, tmp_path, capsys, "--frames", "4") == table
        assert len(server.requests) == 9, "the second probe asks nothing"


def test_a_limit_of_images_is_said_in_the_servers_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer(script) as server:
        table = run(server, tmp_path, capsys)
    assert table["images"][:2] == ["no", "no"] and "At most 4 image(s)" in table["images"][2]
