"""Subtitles as stretches to cut at, and what of them is left out and told."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertools.errors import InputError
from mertools.prepare.subtitles import read_subtitles, spoken

SRT = """\
1
00:00:01,000 --> 00:00:03,500
<i>I did not expect that.</i>

2
00:00:04,000 --> 00:00:06,000
[door slams]

3
00:00:06,500 --> 00:00:09,000
- Are you all right?
- Yes.

4
00:00:12,000 --> 00:00:11,000
Backwards.

5
00:09:00,000 --> 00:09:02,000
After the end.
"""


def test_a_file_gives_what_is_spoken_and_notes_on_the_rest(tmp_path: Path) -> None:
    pytest.importorskip("pysubs2")
    path = tmp_path / "film.srt"
    path.write_text(SRT, encoding="utf-8")
    found = read_subtitles(path, "english", 60)
    texts = [(one.begin, one.end, one.subtitle_english, one.turns) for one in found.stretches]
    assert texts == [(1.0, 3.5, "I did not expect that.", 1), (6.5, 9.0, "Are you all right? Yes.", 2)]
    assert found.notes == [
        "1 subtitles end before they begin",
        "1 subtitles lie beyond the film's end",
        "1 subtitles are of no speech",
    ]


def test_an_old_encoding_is_read_and_told(tmp_path: Path) -> None:
    pytest.importorskip("pysubs2")
    path = tmp_path / "film.srt"
    path.write_bytes("1\n00:00:01,000 --> 00:00:03,000\n我没有想到。\n\n2\nbroken --> x\n??\n".encode("gb18030"))
    found = read_subtitles(path, "chinese", 60)
    assert found.stretches[0].subtitle.startswith("我没有想到。")
    assert found.notes == ["the subtitles are not UTF-8; read as gb18030", "1 of 2 subtitles are broken"]


@pytest.mark.parametrize("content", ["", "<html>nothing here</html>"])
def test_what_holds_no_subtitles_is_refused(tmp_path: Path, content: str) -> None:
    pytest.importorskip("pysubs2")
    path = tmp_path / "film.srt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="holds no subtitles"):
        read_subtitles(path, "english", 60)


def test_two_languages_go_into_two_columns() -> None:
    cues = [(1.0, 3.0, "我没有想到。\nI did not expect that."), (4.0, 6.0, "- 你好\n- 好\n- Hi\n- Hello")]
    cues += [(7.0, 9.0, "在不同的行"), (7.0, 9.0, "On a line of its own")]
    first, second, third = spoken(cues, "chinese", 60).stretches
    assert (first.subtitle, first.subtitle_english, first.turns) == ("我没有想到。", "I did not expect that.", 1)
    assert second.turns == 2
    assert (third.subtitle, third.subtitle_english) == ("在不同的行", "On a line of its own")


def test_other_languages_stay_in_one_column() -> None:
    (one,) = spoken([(1.0, 3.0, "Je ne sais pas.\nVraiment.")], "french", 60).stretches
    assert (one.subtitle, one.subtitle_english) == ("Je ne sais pas. Vraiment.", "")


def test_overlapping_subtitles_are_of_several_speakers_and_a_slip_is_none() -> None:
    slip, after = spoken([(1.0, 3.05, "One."), (3.0, 5.0, "Two.")], "english", 60).stretches
    assert (slip.end, after.begin, slip.turns) == (3.0, 3.0, 1)
    (both,) = spoken([(1.0, 4.0, "One."), (2.0, 5.0, "Two.")], "english", 60).stretches
    assert (both.begin, both.end, both.turns) == (1.0, 5.0, 2)
