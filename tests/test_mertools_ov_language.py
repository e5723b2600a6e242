"""Which language a text is in, and which subtitle is read."""

from __future__ import annotations

from mertools.clip import Clip
from mertools.ov.language import is_in, is_mostly_in, language_of, subtitle_of


def test_languages_are_told_by_their_letters() -> None:
    assert language_of("She says 我很好, yet her voice trembles.") == "en"
    assert language_of("视频中，人物皱着眉头，说 OK。") == "zh"
    assert language_of("1, 2, 3") == "en"


def test_what_needs_no_translation_is_all_in_the_language() -> None:
    assert is_in("en", "She smiles.") and not is_in("en", "She says 我很好.")
    assert is_in("zh", "她说 OK。") and not is_in("zh", "OK")
    assert not is_in("zh", "She says 我没事, but her brows are knitted and her voice trembles.")


def test_a_quotation_does_not_make_it_another_language() -> None:
    assert is_mostly_in("en", "He says 没事, but his voice trembles.") and is_mostly_in("en", "Hm!")
    assert is_mostly_in("zh", "他做OK手势。") and not is_mostly_in("zh", "He says 没事, but his voice trembles.")


def test_the_other_subtitle_stands_in() -> None:
    both = Clip("c", subtitle="你好", subtitle_english="Hello")
    assert (subtitle_of(both, "en"), subtitle_of(both, "zh")) == ("Hello", "你好")
    assert subtitle_of(Clip("c", subtitle="你好"), "en") == "你好"
