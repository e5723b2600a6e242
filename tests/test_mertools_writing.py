"""In which writing a text is."""

from __future__ import annotations

import pytest

from mertools.writing import writing_of


@pytest.mark.parametrize(
    ("text", "writing"),
    [
        ("我没事。", "Chinese"),
        ("他说 OK 就走了。", "Chinese"),
        ("I am fine, 你好!", "Latin"),
        ("大丈夫です。", "Japanese"),
        ("괜찮아요", "Korean"),
        ("Всё хорошо", "Cyrillic"),
        ("… 12!", ""),
        ("", ""),
    ],
)
def test_writing(text: str, writing: str) -> None:
    assert writing_of(text) == writing
