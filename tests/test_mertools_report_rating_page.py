"""The rating page as a person uses it: by key and by mouse, over reloads, on a phone, where nothing is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import PATIENCE_SECONDS, Page, open_browser

from mertools.media import write_clip, write_sound
from mertools.ov.rating_sheets import Answers, read_answers
from mertools.report.rating_page import (
    Choice,
    Question,
    ShownClip,
    ShownItem,
    Sitting,
    TextQuestion,
    write_rating_page,
)

RATING = Question("rating", "How good?", tuple(Choice(str(n), f"choice {n}") for n in range(1, 5)))
LABELS = ("neutral", "angry", "happy", "sad", "worried", "surprise")
EMOTION = Question("emotion", "Which emotion?", tuple(Choice(label, label) for label in LABELS))
SURE = Question("sure", "How sure?", (Choice("yes", "sure"), Choice("no", "not sure")))

HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=alert(1)> <b>&amp;</b> {{ 7 * 7 }}"

NOTHING_KEPT = (
    "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError') } })"
)
"""What a browser does that gives pages opened from a file no storage."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[ShownClip]:
    """A video with sound, a sound alone, and a text alone."""
    folder = tmp_path_factory.mktemp("clips")
    sound = np.sin(np.arange(8000) / 9).astype(np.float32) / 4
    frames = [np.full((48, 64, 3), 40 + 8 * number, np.uint8) for number in range(12)]
    write_clip(folder / "clip-01.mp4", frames, 25, sound)
    write_sound(folder / "clip-02.flac", sound)
    return [
        ShownClip("clip-01", folder / "clip-01.mp4", "我没事。", "I am fine."),
        ShownClip("clip-02", folder / "clip-02.flac", "", "Only heard."),
        ShownClip("clip-03", None, HOSTILE, ""),
    ]


def sitting(clips: list[ShownClip], count: int = 6, questions: tuple[Question, ...] = (RATING,), **changed) -> Sitting:
    items = [ShownItem(f"item-{n}", clips[n % len(clips)].id, f"Text {n}.") for n in range(count)]
    told = {"study": "abc", "rater": "rater-1", "title": "Rate", "guide": "Look.", "text_heading": "Description"}
    return Sitting(**{**told, "questions": questions, "clips": clips, "items": items, **changed})


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with open_browser() as page:
        yield page


@pytest.fixture
def page(browser: Page, tmp_path: Path) -> Page:
    """The browser's tab, with nothing noted yet; downloads land in the test's folder."""
    browser.problems.clear()
    browser.requests.clear()
    browser.save_downloads(tmp_path)
    return browser


def opened(page: Page, path: Path, **screen) -> Page:
    """Open a page that the browser has not seen before."""
    page.open(path, **screen)
    page.evaluate("localStorage.clear()")
    page.evaluate("history.replaceState(null, '')")
    page.open(path, **screen)
    return page


def shown(page: Page, selector: str) -> str:
    """What a reader sees of the first element that `selector` finds; "" where it is hidden."""
    return page.evaluate(f"(e => e.checkVisibility() ? e.innerText : '')(document.querySelector({selector!r}))")


def chosen(page: Page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('[aria-pressed=true]')].map(e => e.lastChild.textContent)")


def downloaded(path: Path) -> Path:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path.name} came"
        time.sleep(0.05)
    return path


def wait_for(page: Page, condition: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


@pytest.mark.page
def test_ten_items_by_key_over_a_reload(tmp_path, page, clips):
    path = tmp_path / "rater-1.html"
    size = write_rating_page(path, sitting(clips, 10))
    assert size == path.stat().st_size
    opened(page, path)
    assert shown(page, "#place") == "1 of 10" and shown(page, "#count") == "0 answered, 10 to go"
    assert shown(page, "#text") == "Text 0." and shown(page, "#guide p") == "Look."

    for key in "1234":
        page.press(key)
    # The first answer was a slip: back to it, correct it, and on.
    for _ in range(4):
        page.press("ArrowLeft")
    assert chosen(page) == ["choice 1"]
    page.press("2")
    assert shown(page, "#place") == "2 of 10" and shown(page, "#said") == "Item 1: choice 2."
    page.click("#open-item")
    assert shown(page, "#place") == "5 of 10"

    page.reload()
    assert shown(page, "#place") == "5 of 10" and shown(page, "#count") == "4 answered, 6 to go"
    assert not page.evaluate("document.getElementById('guide').open")
    # A key that is held answers once.
    page.press("4", held=True)
    assert shown(page, "#place") == "6 of 10"
    for key in "32143":
        page.press(key)
    assert shown(page, "#done h2") == "All 10 are answered"
    page.click("#save-done")
    saved = downloaded(tmp_path / "answers-abc-rater-1.json")
    wanted = tuple(zip((f"item-{n}" for n in range(10)), "2234432143", strict=True))
    assert read_answers(saved, "rating") == Answers(saved, "abc", "rater-1", wanted)

    page.click(".more summary")
    page.click("#save-csv")
    sheet = downloaded(tmp_path / "answers-abc-rater-1.csv")
    assert read_answers(sheet, "rating").given == wanted
    assert page.problems == []
    # The browser's own player asks for pictures in data: addresses.
    assert {request.split(":")[0] for request in page.requests} <= {"file", "blob", "data"}
    assert {request for request in page.requests if request.startswith("file:")} == {path.as_uri()}


@pytest.mark.page
def test_clips_play_and_the_space_bar_is_theirs(tmp_path, page, clips):
    write_rating_page(tmp_path / "p.html", sitting(clips))
    opened(page, tmp_path / "p.html")
    ready = "document.querySelector('video, audio')?.readyState === 4"
    wait_for(page, ready)
    assert page.evaluate("document.querySelector('video').videoWidth") == 64
    page.press(" ")
    wait_for(page, "document.querySelector('video').ended")
    assert (shown(page, "#original"), shown(page, "#english")) == ("我没事。", "I am fine.")
    assert page.evaluate("document.getElementById('original').lang") == "zh-CN"

    # After a click on an answer the space bar plays the next clip, and answers nothing.
    page.click("[aria-pressed]:nth-child(3)")
    wait_for(page, ready)
    assert page.evaluate("document.querySelectorAll('video').length") == 0
    page.press(" ")
    wait_for(page, "document.querySelector('audio').currentTime > 0")
    assert shown(page, "#count") == "1 answered, 5 to go"
    page.press("ArrowRight")
    assert page.evaluate("document.querySelector('#screen').children.length") == 0
    assert page.problems == []


@pytest.mark.page
def test_clips_may_lie_beside_the_page(page, clips):
    folder = clips[0].media.parent
    small = write_rating_page(folder / "linked.html", sitting(clips), embedded=False)
    assert small < write_rating_page(folder / "whole.html", sitting(clips))
    opened(page, folder / "linked.html")
    wait_for(page, "document.querySelector('video').readyState === 4")
    assert page.problems == []


@pytest.mark.page
def test_where_nothing_is_kept_a_reload_and_a_file_still_go_on(tmp_path, page, clips):
    path = tmp_path / "p.html"
    write_rating_page(path, sitting(clips))
    opened(page, path)
    assert shown(page, "#unkept") == ""
    with page.running_first(NOTHING_KEPT):
        page.open(path)
        assert "keeps nothing" in shown(page, "#unkept")
        page.press("3")
        page.press("4")
        page.click("#save")
        saved = downloaded(tmp_path / "answers-abc-rater-1.json")
        assert [answer for _, answer in read_answers(saved, "rating").given] == ["3", "4", "", "", "", ""]
        page.reload()
        assert shown(page, "#place") == "3 of 6" and shown(page, "#count") == "2 answered, 4 to go"

    # Elsewhere: another browser, with the file.
    opened(page, path)
    assert shown(page, "#count") == "0 answered, 6 to go"
    page.choose_file("#file", saved)
    wait_for(page, "document.getElementById('said').textContent !== ''")
    assert shown(page, "#said") == "Opened answers-abc-rater-1.json."
    assert shown(page, "#place") == "3 of 6" and shown(page, "#count") == "2 answered, 4 to go"
    assert page.problems == []


@pytest.mark.page
def test_another_tab_with_the_same_page_is_heard(tmp_path, page, clips):
    write_rating_page(tmp_path / "p.html", sitting(clips))
    opened(page, tmp_path / "p.html")
    page.press("1")
    there = json.dumps({"answers": {"item-3": {"rating": "2"}, "item-4": {"rating": "9"}, "other": {"rating": "1"}}})
    page.evaluate(
        f"void dispatchEvent(new StorageEvent('storage', {{ key: 'mertools abc rater-1', newValue: {there!r} }}))"
    )
    assert shown(page, "#count") == "2 answered, 4 to go"


@pytest.mark.page
def test_files_of_others_are_not_opened(tmp_path, page, clips):
    write_rating_page(tmp_path / "p.html", sitting(clips))
    opened(page, tmp_path / "p.html")
    row = {"item": "item-0", "rating": "3"}
    of_another = {"format": "mertools answers 1", "study": "abc", "rater": "rater-2", "answers": [row]}
    for content, said in [("{", "holds no saved answers"), (json.dumps(of_another), "the answers of rater-2")]:
        (tmp_path / "x.json").write_text(content)
        page.evaluate("document.getElementById('said').textContent = ''")
        page.choose_file("#file", tmp_path / "x.json")
        wait_for(page, f"document.getElementById('said').textContent.includes({said!r})")
    assert shown(page, "#count") == "0 answered, 6 to go"


@pytest.mark.page
def test_two_questions_with_six_labels_are_the_same_page(tmp_path, page, clips):
    write_rating_page(tmp_path / "p.html", sitting(clips, 2, (EMOTION, SURE)))
    opened(page, tmp_path / "p.html")
    assert "1–6" in shown(page, ".keys")
    page.press("5")
    # The item has another question: the page stays until it is answered.
    assert shown(page, "#place") == "1 of 2" and chosen(page) == ["worried"]
    # There is no third choice now.
    page.press("3")
    assert chosen(page) == ["worried"]
    page.press("2")
    assert shown(page, "#place") == "2 of 2"
    page.press("6")
    page.press("1")
    assert shown(page, "#done h2") == "All 2 are answered"
    page.click("#save")
    saved = downloaded(tmp_path / "answers-abc-rater-1.json")
    assert read_answers(saved, "emotion").given == (("item-0", "worried"), ("item-1", "surprise"))
    assert read_answers(saved, "sure").given == (("item-0", "no"), ("item-1", "yes"))
    assert page.problems == []


def write_in(page: Page, place: int, text: str) -> None:
    """Type into the field of the question at `place`, over what is there."""
    page.evaluate(f"document.querySelectorAll('textarea')[{place}].select()")
    page.evaluate(f"document.querySelectorAll('textarea')[{place}].focus()")
    page.type(text)


@pytest.mark.page
def test_texts_are_written_and_corrected(tmp_path, page, clips):
    face = TextQuestion("face", "What do you see?", required=False)
    summary = TextQuestion("summary", "Correct the summary")
    ready = Question("ready", "Ready?", (Choice("yes", "ready"),))
    items = [
        ShownItem(f"item-{n}", clips[n].id, "Four clues.", {"summary": f"Draft {n}."} if n < 2 else {})
        for n in range(3)
    ]
    path = tmp_path / "p.html"
    write_rating_page(path, sitting(clips, questions=(face, summary, ready), items=items))
    opened(page, path)
    assert shown(page, "#count") == "0 answered, 3 to go"
    assert "1 answer" in shown(page, ".keys") and "Enter write" in shown(page, ".keys")
    value = "document.querySelectorAll('textarea')[1].value"
    assert page.evaluate(value) == "Draft 0."
    # Enter goes to the first field, where digits, arrows and the space bar are text; Escape comes back.
    page.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    page.press("1")
    page.press("ArrowRight")
    assert shown(page, "#place") == "1 of 3"
    page.press("Escape")
    write_in(page, 0, 'He smiles.\n"=1+1"')
    write_in(page, 1, "Corrected.")
    page.reload()
    assert page.evaluate(value) == "Corrected." and shown(page, "#count") == "0 answered, 3 to go"
    page.press("1")
    # A draft that is right is an answer as it stands.
    assert shown(page, "#place") == "2 of 3" and page.evaluate(value) == "Draft 1."
    page.press("1")
    # Without a draft something has to be written: the choice alone does not answer the item.
    assert page.evaluate(value) == ""
    page.press("1")
    assert shown(page, "#place") == "3 of 3" and shown(page, "#count") == "2 answered, 1 to go"
    write_in(page, 1, "=Written.")
    assert shown(page, "#count") == "3 answered, 0 to go" and shown(page, "#done h2") == "All 3 are answered"
    page.click("#save-done")
    page.click(".more summary")
    page.click("#save-csv")
    for suffix in ("json", "csv"):
        saved = downloaded(tmp_path / f"answers-abc-rater-1.{suffix}")
        assert [text for _, text in read_answers(saved, "summary").given] == ["Corrected.", "Draft 1.", "=Written."]
        assert [text for _, text in read_answers(saved, "face").given] == ['He smiles.\n"=1+1"', "", ""]
        assert [text for _, text in read_answers(saved, "ready").given] == ["yes"] * 3

    # The file goes on elsewhere, texts included.
    opened(page, path)
    page.choose_file("#file", tmp_path / "answers-abc-rater-1.json")
    wait_for(page, "document.getElementById('said').textContent !== ''")
    assert shown(page, "#count") == "3 answered, 0 to go" and page.evaluate(value) == "Corrected."
    assert page.problems == []


@pytest.mark.page
def test_hostile_texts_are_shown_and_never_run(tmp_path, page, clips):
    items = [ShownItem("item-0", "clip-03", HOSTILE)]
    question = Question("rating", HOSTILE, (Choice("1", HOSTILE), Choice("2", "b")))
    asked = sitting(clips, questions=(question,), items=items, title=HOSTILE, guide=HOSTILE, text_heading=HOSTILE)
    write_rating_page(tmp_path / "p.html", asked)
    opened(page, tmp_path / "p.html")
    assert page.problems == []
    assert page.evaluate("document.title").startswith("</script>")
    assert page.evaluate("document.querySelectorAll('img, main b').length") == 0
    for selector in ("h1", "#text", "#original", "#guide p", ".judgement h2", ".question h2"):
        assert shown(page, selector) == HOSTILE
    # Even a script that found its way into the page would not run.
    page.evaluate(
        "(s => { s.textContent = 'window.ran = true'; document.body.append(s) })(document.createElement('script'))"
    )
    assert page.evaluate("window.ran") is None
    page.problems.clear()


@pytest.mark.page
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (800, False), (390, False), (390, True)])
def test_it_fits_the_screen(tmp_path, page, clips, width, dark):
    long = [ShownItem("item-0", "clip-01", "Incomprehensibility" * 20 + "\n\n" + "Word by word. " * 60)]
    write_rating_page(tmp_path / "p.html", sitting(clips, items=long))
    opened(page, tmp_path / "p.html", width=width, height=844, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(16, 19, 22)") == dark
    assert page.problems == []


@pytest.mark.parametrize("count", [0, 10])
def test_a_choice_has_a_digit(count):
    with pytest.raises(ValueError, match="1 to 9"):
        Question("q", "?", tuple(Choice(str(number), "c") for number in range(count)))


def test_the_page_says_nothing_that_it_was_not_told(tmp_path, clips):
    """A rater who reads the page's source finds the clips' bytes, and no path."""
    write_rating_page(tmp_path / "p.html", sitting(clips))
    assert str(clips[0].media.parent) not in (tmp_path / "p.html").read_text(encoding="utf-8")
