from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from browser import Page, open_browser

from mertools.clip import Clip
from mertools.corpus import Corpus
from mertools.lexicon import lexicon
from mertools.media import write_clip
from mertools.ov.clues import Clue
from mertools.ov.descriptions import Description
from mertools.ov.join import Evidence
from mertools.ov.labels import OpenLabels
from mertools.report.classifier import Classifier
from mertools.report.clips_page import Choice, write_clips_page
from mertools.report.explanations import ExplainingSystem, Explanation

SCRIPT = "<script>document.title = 'taken'</script>"
IMAGE = "<img src=x onerror=\"document.title = 'taken'\">"
MADE = {"command": "mertools ov report", "started": "2024-07-01T12:00:00Z", "versions": {"mertools": "0.1.0"}}
CLAUSES = [
    {"clause": "loud", "signal": "loudness, median", "value": 0.734, "percentile": 91.4},
    {"clause": "fast", "signal": "segments a second", "value": None, "percentile": "much", "seconds": [0.5, 1.25]},
]
REFUSAL = "the answer was a refusal"
CLIPS = (
    Clip(
        "anna 1",
        subtitle="我恨透了！",
        subtitle_english="I hate this!",
        split="semi",
        label="angry",
        speaker="Anna",
        open_labels=("furious", "tired"),
        columns={"description": "She is told of it for the third time."},
    ),
    Clip("ben 2", subtitle="他每天早上喝茶。", split="semi", label="happy", speaker="Ben"),
    Clip(f"cleo {IMAGE}", subtitle=SCRIPT, split="noise", speaker=IMAGE),
    Clip("dora 4", subtitle="x", split="noise", label="sad", speaker="Anna"),
)
SYSTEMS = (
    ExplainingSystem(
        "observer",
        {
            "anna 1": Explanation(
                (
                    Clue("anna 1", "audio", "The voice is loud and fast.", {"observer": 1, "clauses": CLAUSES}),
                    Clue("anna 1", "video", "", failed="no face"),
                ),
                labels=OpenLabels("anna 1", ("angrily", "curious")),
            ),
            "ben 2": Explanation(labels=OpenLabels("ben 2", ("sad", "unhappy"))),
            "dora 4": Explanation(labels=OpenLabels("dora 4", ("sadly",))),
        },
    ),
    ExplainingSystem(
        f"model {SCRIPT}",
        {
            "anna 1": Explanation(
                (),
                Description("anna 1", "", f"She shouts. {SCRIPT}", {"label": "angry"}, {"model": "tiny"}),
                OpenLabels("anna 1", ("happy", IMAGE)),
            ),
            "ben 2": Explanation((), Description("ben 2", "", "", failed=REFUSAL), OpenLabels("ben 2", (), REFUSAL)),
            CLIPS[2].name: Explanation(labels=OpenLabels(CLIPS[2].name, ())),
            "dora 4": Explanation(labels=OpenLabels("dora 4", ("grief",))),
        },
    ),
)
EVIDENCE = Evidence({"angry": 0.9, "happy": 0.1}, {"egemaps": 0.25, "minilm": 0.75}, "out-of-fold")
CLASSIFIER = Classifier(dict.fromkeys([clip.name for clip in CLIPS], EVIDENCE), {"egemaps": "audio", "minilm": "text"})


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with open_browser() as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Page:
    """The browser's tab, with nothing noted yet."""
    browser.problems.clear()
    browser.requests.clear()
    return browser


def write(
    folder: Path,
    clips: Sequence[Clip] = CLIPS,
    media: bool = False,
    count: int = 48,
    systems: Sequence[ExplainingSystem] = SYSTEMS,
) -> Path:
    """The page of `clips` and `systems`, by default those above."""
    path, choice = folder / "explained.html", Choice(count, 0, media)
    corpus = Corpus(Path("manifest.csv"), tuple(clips), "Generated: a test.")
    write_clips_page(path, corpus, systems, CLASSIFIER, lexicon(), choice, MADE, lambda *_: None)
    return path


def shown(page: Page, selector: str) -> list[str]:
    """The texts of the elements that `selector` finds and a reader sees, white space collapsed."""
    script = f"[...document.querySelectorAll({selector!r})].filter(e => e.checkVisibility()).map(e => e.innerText)"
    return [" ".join(text.split()) for text in page.evaluate(script)]


def card(page: Page, name: str) -> str:
    """A selector of the card of the clip whose name begins with `name`."""
    names = page.evaluate("[...document.querySelectorAll('.clip h2')].map(e => e.textContent)")
    return f"#clip-{1 + next(i for i, found in enumerate(names) if found.startswith(name))}"


def look_for(page: Page, text: str) -> list[str]:
    """The clips that are left by the filter `text`, by their first names."""
    page.evaluate("document.getElementById('find').value = ''")
    page.evaluate("document.getElementById('find').focus()")
    page.type(text)
    return [name.split()[0] for name in shown(page, ".clip h2")]


def current(page: Page) -> str:
    return page.evaluate("document.querySelector('.clip[aria-current] h2')?.textContent.split(' ')[0] ?? ''")


@pytest.mark.page
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_opens_offline_and_fits_the_screen(tmp_path: Path, page: Page, width: int, dark: bool) -> None:
    images = [np.full((48, 64, 3), 5 * number, np.uint8) for number in range(50)]
    write_clip(tmp_path / "a.mp4", images, 25, np.sin(np.arange(32_000) / 8).astype(np.float32))
    clips = (Clip("anna 1", video=tmp_path / "a.mp4", label="angry"), *CLIPS[1:])
    path = write(tmp_path, clips, media=True)
    page.open(path, width=width, height=844, dark=dark)
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith("data:image/jpeg;base64,")] == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert shown(page, ".notice") == ["Generated: a test."]
    anna = card(page, "anna")
    page.evaluate(f"document.querySelector('{anna}').scrollIntoView({{behavior: 'instant'}})")
    page.evaluate(f"Promise.all([...document.querySelectorAll('{anna} img')].map(image => image.decode()))")
    sizes = page.evaluate(
        f"[...document.querySelectorAll('{anna} img')].map(e => [e.naturalWidth, e.clientWidth > 40])"
    )
    assert sizes == [[64, True]] * 5
    assert page.evaluate(f"document.querySelector('{anna} .loudness').clientHeight > 20")
    assert shown(page, f"{card(page, 'ben')} .seen p")[0] == "No pictures: the manifest names no video."


@pytest.mark.page
def test_a_card_shows_what_is_known_and_what_each_system_says(tmp_path: Path, page: Page) -> None:
    page.open(write(tmp_path))
    anna = card(page, "anna")
    assert shown(page, f"{anna} .title p") == ["MER-SEMI · Anna"]
    assert shown(page, f"{anna} .subtitle") == ["我恨透了！", "I hate this!"]
    assert page.evaluate(f"document.querySelector('{anna} .subtitle').lang") == "zh"
    assert shown(page, f"{anna} .given .labels li") == ["angry", "furious", "tired"]
    assert shown(page, f"{anna} .given .text") == ["She is told of it for the third time."]
    assert shown(page, f"{anna} .classifier tr") == ["angry ✓ (the truth) 90 %", "happy 10 %"]
    assert shown(page, f"{anna} .legend li") == ["audio 25 %", "text 75 %"]
    # "angrily" says the same as the true "angry": a hit.
    assert shown(page, f"{anna} .system .labels") == ["✓ angrily (also true) curious", f"happy {IMAGE}"]
    assert shown(page, f"{anna} .system .said") == [
        "No description.",
        f"She shouts. {SCRIPT} tiny, given the classifier's evidence",
    ]
    assert shown(page, f"{anna} .system .clues h4") == ["audio observer 1", "video"]
    assert shown(page, f"{anna} .system .clues .text") == ["The voice is loud and fast."]
    assert "No clue: no face" in shown(page, f"{anna} .system .clues")[0]
    ben = card(page, "ben")
    assert shown(page, f"{ben} .system .answer")[1].endswith(f"No labels: {REFUSAL}")
    assert shown(page, f"{ben} .system .labels li") == ["sad", "unhappy"]
    cleo = card(page, "cleo")
    assert shown(page, f"{cleo} .system")[0] == "observer Says nothing of this clip."
    assert "An empty list of labels." in shown(page, f"{cleo} .system")[1]
    # One group of synonyms: no dispute.
    assert shown(page, f"{card(page, 'dora')} .marks li") == []
    assert shown(page, f"{ben} .title .marks li") == ["truth missed", "failed"]


@pytest.mark.page
def test_the_numbers_behind_a_clue_are_at_hand(tmp_path: Path, page: Page) -> None:
    page.open(write(tmp_path))
    clause = f"{card(page, 'anna')} .clause"
    told = page.evaluate(f"[...document.querySelectorAll('{clause}')].map(e => [e.textContent, e.title])")
    assert told == [
        ["loud", "loudness, median 0.734, above 91 % of the corpus"],
        ["fast", "segments a second, 0.5–1.2 s"],
    ]
    page.evaluate(f"document.querySelector('{card(page, 'anna')} summary').click()")
    assert shown(page, f"{card(page, 'anna')} details tbody tr") == [
        "loud loudness, median 0.734 91",
        "fast segments a second 0.5–1.2 s – –",
    ]


@pytest.mark.page
def test_what_systems_share_is_shown_once(tmp_path: Path, page: Page) -> None:
    def system(name: str, description: str, *labels: str) -> ExplainingSystem:
        clues = (Clue("anna 1", "audio", "The voice is loud."),)
        said = Explanation(clues, Description("anna 1", "", description), OpenLabels("anna 1", labels))
        return ExplainingSystem(name, {"anna 1": said})

    systems = [system("alone", "She shouts.", "angry"), system("joined", "She shouts.", "angry", "sad")]
    systems.append(system("other", "She sings.", "happy"))
    page.open(write(tmp_path, CLIPS[:1], systems=systems))
    assert shown(page, ".said") == ["She shouts.", "The same description as alone.", "She sings."]
    same = "The same clues as alone."
    assert shown(page, ".clues") == ["audio The voice is loud.", same, same]


@pytest.mark.page
def test_the_overview_counts_the_whole_corpus(tmp_path: Path, page: Page) -> None:
    page.open(write(tmp_path, count=2))
    assert shown(page, ".headlines div")[0] == "Clips 4 2 on this page"
    assert shown(page, "#overview .metrics tbody tr") == [
        "observer 3 0 0 1 1.67",
        f"model {SCRIPT} 2 1 1 0 1.00",
    ]
    assert shown(page, ".frequent")[1].startswith("observer: 5 different labels angrily 1 curious 1")
    assert len(shown(page, ".clip")) == 2


@pytest.mark.page
def test_texts_of_a_model_are_shown_and_never_run(tmp_path: Path, page: Page) -> None:
    path = write(tmp_path)
    page.open(path)
    assert page.evaluate("document.title") == "Explained clips · mertools"
    assert page.problems == []
    assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert any(SCRIPT in text for text in shown(page, ".clip"))
    assert SCRIPT not in path.read_text(encoding="utf-8")


@pytest.mark.page
def test_clips_are_gone_through_by_keys(tmp_path: Path, page: Page) -> None:
    page.open(write(tmp_path), height=700)
    order = [name.split()[0] for name in shown(page, ".clip h2")]
    assert current(page) == ""
    for key, place in (("j", 0), ("j", 1), ("ArrowRight", 2), ("k", 1), ("ArrowLeft", 0), ("k", 0)):
        page.press(key)
        assert current(page) == order[place]
    assert shown(page, "#place") == ["1 / 4"]
    # Below the bar, not under it.
    top = "document.querySelector('[aria-current]').getBoundingClientRect().top"
    assert page.evaluate(f"{top} >= document.querySelector('.finder').getBoundingClientRect().bottom")
    assert page.evaluate(f"{top} < 200")
    # In the filter the same keys are letters.
    page.press("/")
    page.press("j")
    assert page.evaluate("document.getElementById('find').value") == "j"
    assert current(page) == ""
    page.press("Escape")
    assert len(shown(page, ".clip")) == 4
    page.press("j")
    assert current(page) == order[0]


@pytest.mark.page
def test_clips_are_found_by_label_name_speaker_and_mark(tmp_path: Path, page: Page) -> None:
    page.open(write(tmp_path))
    assert look_for(page, "anna") == ["anna", "dora"]
    assert look_for(page, "Anna semi") == ["anna"]
    # "happy" is a label of two clips; "unhappy" is another word.
    assert sorted(look_for(page, "happy")) == ["anna", "ben"]
    assert look_for(page, "unhappy") == ["ben"]
    assert shown(page, "#place") == ["1 of 4"]
    assert look_for(page, "nowhere") == [] and "No clip matches" in shown(page, "#nothing")[0]
    page.evaluate("document.getElementById('clear').click()")
    for mark, names in (("disputed", ["anna"]), ("failed", ["ben"]), ("missed", ["ben"])):
        page.evaluate(f"document.querySelector('.finder [value={mark}]').click()")
        assert [name.split()[0] for name in shown(page, ".clip h2")] == names
        page.evaluate(f"document.querySelector('.finder [value={mark}]').click()")
    page.evaluate("[...document.querySelectorAll('[data-find]')].find(e => e.textContent === 'curious').click()")
    assert [name.split()[0] for name in shown(page, ".clip h2")] == ["anna"]


def test_a_page_without_media_is_small(tmp_path: Path) -> None:
    text = write(tmp_path).read_text(encoding="utf-8")
    assert len(text) < 60_000 and "<img" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
