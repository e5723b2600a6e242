"""What people are given in EMER's procedure: a page and a sheet for each annotator, and two for the checker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools.ov.emer_answers import (
    BAD,
    DESCRIPTION,
    GOOD,
    LABELS,
    READY,
    SUMMARY,
    VERDICT,
    study_of,
)
from mertools.ov.emer_study import ASPECTS, CHECKER, Study, StudyClip
from mertools.ov.language import NAMES
from mertools.ov.prompts import combined
from mertools.ov.rating_sheets import write_sheet

if TYPE_CHECKING:
    from mertools.report.rating_page import Question, TextQuestion

PEOPLE = "people"
"""The folder of what people are given."""

ANNOTATE = (
    "Watch and listen as often as you like, then write down what tells of this person's emotional state: a field for "
    "each of four aspects, empty where there is no clue. Write in {language}, in whole sentences. Press 1 when a clip "
    "is done. What you write is kept as you go; save it to a file at the end, and hand that file back."
)
CHECK_SUMMARY = (
    "A summary was made of what annotators wrote of each clip. Take out what is said twice, correct what is wrong, and "
    "press 1; press 2 where nothing can be said of a clip. Write in {language}. Save at the end, and hand in the file."
)
CHECK_DESCRIPTION = (
    "Is the reasoning plausible that leads from the clues to the emotions? Correct the text or its labels where that "
    "makes it so, and press 1; press 2 where nothing does. Labels are separated by commas. Write in {language}. Save "
    "at the end, and hand in the file."
)
README = """\
NAME.html  Open it in a browser; it needs no network. Answer, save, and hand the file back.
NAME.csv   The same as a sheet: fill its last columns. The clips are in the folder clips.

Where a sheet asks whether you are ready, write yes; its verdicts are good and bad.
"""


@dataclass(frozen=True)
class Asked:
    """One clip as a person sees it: the text beside it, and drafts by question."""

    clip: StudyClip
    text: str = ""
    drafts: Mapping[str, str] = field(default_factory=dict)


def write_annotators_pages(folder: Path, study: Study) -> int:
    """The clue forms of all annotators; gives the size of the largest page in bytes."""
    from mertools.report.rating_page import Choice, Question, TextQuestion

    questions = [TextQuestion(aspect, text, required=False) for aspect, text in ASPECTS.items()]
    ready = Question(READY, "Have you written down all that there is?", (Choice("yes", "This clip is done"),))
    by_item = {clip.item: clip for clip in study.clips}
    (folder / "README.txt").write_text(README, encoding="utf-8")
    return max(
        _write(folder, study, "clues", annotator, "Clues to emotions", ANNOTATE, [*questions, ready], own)
        for annotator, own in (
            (annotator, [Asked(by_item[item]) for item in items]) for annotator, items in study.assigned.items()
        )
    )


def write_summaries_page(
    folder: Path, study: Study, clues: Mapping[str, Sequence[str]], summaries: Mapping[str, str]
) -> None:
    """The page on which the checker corrects summaries; `clues` are what was summarised, by clip's name."""
    questions = [
        _text(SUMMARY, "The summary, to be corrected"),
        _verdict("Is it right now?", "All that it says is there", "Nothing can be said of this clip"),
    ]
    asked = [
        Asked(clip, "\n".join(f"– {clue}" for clue in clues[clip.name]), {SUMMARY: summaries[clip.name]})
        for clip in study.clips
    ]
    _write(folder, study, "summaries", CHECKER, "Check summaries", CHECK_SUMMARY, questions, asked, "What people wrote")


def write_descriptions_page(
    folder: Path,
    study: Study,
    clips: Sequence[StudyClip],
    summaries: Mapping[str, str],
    emotions: Mapping[str, Sequence[str]],
) -> None:
    """The page on which the checker judges clues and emotions in one paragraph (EMER §2), by clip's name."""
    questions = [
        _text(DESCRIPTION, "The description, to be corrected"),
        _text(LABELS, "Its emotions, separated by commas"),
        _verdict("Is the reasoning plausible?", "Plausible", "Not plausible"),
    ]
    asked = [
        Asked(
            clip,
            drafts={
                DESCRIPTION: _paragraph(summaries[clip.name], emotions[clip.name], study.language),
                LABELS: ", ".join(emotions[clip.name]),
            },
        )
        for clip in clips
    ]
    _write(folder, study, "descriptions", CHECKER, "Check descriptions", CHECK_DESCRIPTION, questions, asked)


def _paragraph(summary: str, emotions: Sequence[str], language: str) -> str:
    """Clues and emotions together; where none were found, the checker has to name them."""
    return combined(summary, emotions, language) if emotions else summary


def _text(key: str, text: str) -> TextQuestion:
    from mertools.report.rating_page import TextQuestion

    # Of a clip that is bad nothing has to be said; of a good one the import wants it.
    return TextQuestion(key, text, required=False)


def _verdict(text: str, good: str, bad: str) -> Question:
    from mertools.report.rating_page import Choice, Question

    return Question(VERDICT, text, (Choice(GOOD, good), Choice(BAD, bad)))


def _write(
    folder: Path,
    study: Study,
    step: str,
    person: str,
    title: str,
    guide: str,
    questions: Sequence[Any],
    asked: Sequence[Asked],
    heading: str = "",
) -> int:
    """Write one person's page and sheet of one step; gives the page's size in bytes."""
    from mertools.report.rating_page import ShownClip, ShownItem, Sitting, write_rating_page

    clips = [one.clip for one in asked]
    sitting = Sitting(
        study=study_of(study, step),
        rater=person,
        title=title,
        guide=guide.format(language=NAMES[study.language]),
        text_heading=heading,
        questions=questions,
        clips=[
            ShownClip(clip.item, folder / clip.media if clip.media else None, clip.subtitle, clip.subtitle_english)
            for clip in clips
        ],
        items=[ShownItem(one.clip.item, one.clip.item, one.text, one.drafts) for one in asked],
    )
    stem = person if step == "clues" else f"{person}-{step}"
    rows = [
        {
            "item": one.clip.item,
            "clip": one.clip.media,
            "subtitle": one.clip.subtitle,
            "subtitle_english": one.clip.subtitle_english,
            **({"text": one.text} if heading else {}),
            **one.drafts,
        }
        for one in asked
    ]
    write_sheet(folder / f"{stem}.csv", study_of(study, step), person, [one.key for one in questions], rows)
    return write_rating_page(folder / f"{stem}.html", sitting)
