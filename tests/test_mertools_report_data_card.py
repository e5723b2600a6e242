"""The data card: what a corpus of explanations says of itself."""

from __future__ import annotations

from pathlib import Path

from mertools.ov.explanation_quality import quality
from mertools.ov.explanations import Explanation
from mertools.report.data_card import write_data_card

ROWS = [
    Explanation(
        "a",
        description_en="He sounds and looks sad.",
        labels_en=("sad", "lonely"),
        clues={"audio": "He is sad.", "video": "He is happy."},
    ),
    Explanation("b", failed="no | sound"),
]


def card(tmp_path: Path, **changed: object) -> str:
    told = {
        "title": "A corpus",
        "procedure": "EMER-Coarse",
        "steps": {"labels": ["gpt-4o", "Qwen/Qwen3-8B"], "clues": ["the observer: measured signals"]},
        "prompts": {"Labels": "Name them.\n\nAll."},
        "checked": False,
        "commands": ["mertools ov build coarse"],
        "notes": ["A note."],
    }
    result = {
        "started": "2026-01-01T00:00:00Z",
        "versions": {"mertools": "0.1.0"},
        "corpus": {"manifest": "m.csv", "clips": 2, "fingerprint": "f", "notice": "Generated."},
        "card": {**told, **changed},
        "quality": quality(ROWS),
    }
    write_data_card(tmp_path / "DATA_CARD.md", result)
    return (tmp_path / "DATA_CARD.md").read_text(encoding="utf-8")


def test_what_it_says(tmp_path: Path) -> None:
    text = card(tmp_path)
    for line in (
        "# A corpus",
        "**Generated.**",
        "| labels | gpt-4o | closed |",
        "| labels | Qwen/Qwen3-8B | open, as far as its name tells |",
        "| clues | the observer: measured signals | – |",
        "| explained | 1 | 50.0 % |",
        "| no / sound | 1 |",
        "A note.",
        "Labels: sad 1, lonely 1.",
        "Families: sadness 2.",
        "> Name them.\n>\n> All.",
        "in 1 of them (100.0 %) no family of emotions is in both.",
        "MER2024's agreement",
    ):
        assert line in text, line
    assert "1 of 2 clips explained, made 2026-01-01" in text and "Nobody has checked these texts" in text
    assert "classifier" not in text.replace("## Licence", "")


def test_people_and_no_prompts(tmp_path: Path) -> None:
    text = card(tmp_path, checked=True, prompts={}, notes=[])
    assert "People wrote the clues and checked" in text and "None: no language model was asked." in text
