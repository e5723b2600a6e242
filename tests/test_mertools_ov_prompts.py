"""The prompts: those that a paper prints, against its text; those that are ours, for what they must hold."""

from __future__ import annotations

import os
import re
from itertools import product
from pathlib import Path

import pytest

from mertools.ov import prompts

PRINTED = {
    "clues of audio": ("mer2024", prompts.CLUES["audio"]),
    "clues of video": ("mer2024", prompts.CLUES["video"]),
    "clues of both": ("mer2024", prompts.CLUES["audio-video"]),
    "labels": ("mer2024", prompts.LABELS),
    "grouping": ("mer2024", prompts.GROUPING),
    "one step": ("emer", prompts.ONE_STEP.format(subtitle="<Subtitle_Here>")),
    "the notes' question": ("emer", prompts.NOTED_QUESTION),
    "the notes' clues": (
        "emer-notes",
        prompts.NOTED_CLUES.format(
            visual_clues=r"\<Visual clues\>", audio_clues=r"\<Audio clues\>", subtitle=r"\<Subtitle\>"
        ).rstrip("."),
    ),
}
"""By what it is: the paper (or notes) that prints the prompt, and the prompt."""


FIGURES = {
    "Figure 2": prompts.EMOTION_SUMMARY,
    "Figure 3, Prompt 1": prompts.CLUE_SUMMARY,
    "Figure 3, Prompt 2": prompts.CLUE_OVERLAP,
    "Figure 4, Prompt 1": prompts.EMOTION_SUMMARY,
    "Figure 4, Prompt 2": prompts.EMOTION_OVERLAP,
    "Figure 5": prompts.COVERED_MODALITIES,
}
"""What judges are asked, by where EMER prints it: above a figure's caption and below that of the one before."""


def folded(text: str) -> str:
    """`text` on one line without its emphasis, no space before punctuation, as prompts are written here."""
    text = re.sub(r"\s+", " ", text.replace("*", "").replace("’", "'"))
    return re.sub(r" ([,.;:?!])", r"\1", text)


def paper_text(paper: str) -> str:
    """A paper's text, folded."""
    folder = os.environ.get("MERTOOLS_PAPERS")
    if not folder:
        pytest.skip("MERTOOLS_PAPERS is not set: no papers to hold the prompts against")
    return folded((Path(folder) / f"{paper}.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PRINTED)
def test_printed_prompts_are_verbatim(name: str) -> None:
    paper, prompt = PRINTED[name]
    assert folded(prompt) == prompt
    assert prompt in paper_text(paper)


@pytest.mark.parametrize("place", FIGURES)
def test_prompts_of_figures_are_verbatim(place: str) -> None:
    paper = paper_text("emer")
    figure, _, part = place.partition(", ")
    number = int(figure.removeprefix("Figure "))
    printed = paper.split(f"Figure {number}: ")[0].split(f"Figure {number - 1}: ")[-1]
    if part:
        printed = printed.split(f"## {part.replace(' ', '')}: ")[1].split("## Prompt")[0]
    assert folded(FIGURES[place]) in printed


def test_the_summary_of_annotations_is_verbatim() -> None:
    described = [prompts.ANNOTATED_CLUE.format(number=n, clue=f"{{clue{n}}}") for n in (1, 2, 3, 4, "N")]
    printed = prompts.ANNOTATION_SUMMARY.format(clues="\n".join([*described[:4], "...", described[4]]))
    assert folded(printed) in paper_text("emer")
    asked = prompts.annotation_summary_prompt(["He smiles.", "{brace}"])
    assert asked.endswith('"Clue Description 1": He smiles.\n"Clue Description 2": {brace}\n\nOutput')


def test_the_combination_is_emers_own_sentence() -> None:
    paper = paper_text("emer").replace("“", "").replace("”", "")
    assert folded(prompts.CLOSING["en"].format(emotions="emotions")).rstrip(".") in paper
    assert prompts.combined("He smiles. ", ["happy", "moved"], "en") == (
        "He smiles. With the assistance of these clues, we can infer the character's emotional state as happy, moved."
    )
    assert prompts.combined("他笑了。", ["高兴", "感动"], "zh").startswith("他笑了。根据这些线索")


@pytest.mark.parametrize(
    ("language", "perceived", "clues", "subtitle", "evidence"),
    [
        choice
        for choice in product(("en", "zh"), prompts.CLUES, ("", "he {smiles}"), ("", "I'm fine."), ("", "sad 0.9"))
        if any(choice[2:])
    ],
)
def test_the_disambiguation_gives_what_there_is(
    language: str, perceived: str, clues: str, subtitle: str, evidence: str
) -> None:
    prompt = prompts.disambiguation_prompt(clues, perceived, subtitle, evidence, language)
    for text, heading in ((clues, "clues"), (subtitle, "subtitle"), (evidence, "evidence")):
        assert (prompts.HEADINGS[language][heading] in prompt) == bool(text)
        assert text in prompt
    assert (prompts.CLUES_OF[language][perceived] in prompt) == bool(clues)
    assert "{" not in prompt.replace("{smiles}", "")
    assert bool(re.search(r"[\u4e00-\u9fff]", prompt)) == (language == "zh")


def test_texts_with_braces_are_left_alone() -> None:
    subtitle = "{x} %s {subtitle}"
    assert subtitle in prompts.ONE_STEP.format(subtitle=subtitle)
    assert subtitle in prompts.noted_prompt("a smile.", "", subtitle, "")
    assert subtitle in prompts.labels_prompt(subtitle, shots=True)
    assert subtitle in prompts.offline_description("", subtitle, "en")


def test_the_notes_prompt() -> None:
    assert prompts.noted_prompt("a smile.", "", "Fine.", "The classifier says happy.") == (
        "The facial expression of the person in the video is a smile, and the tone of voice is unknown. The dialogue "
        "content is Fine. The classifier says happy. From what clues can we infer the person's emotional state? Please "
        "summarize the clues in a maximum of 100 words."
    )


def test_the_extraction_shows_examples_where_asked() -> None:
    plain, shots = prompts.labels_prompt("He smiles."), prompts.labels_prompt("He smiles.", shots=True)
    assert plain == f"{prompts.LABELS}\n\nInput: He smiles.\nOutput:"
    assert shots.startswith(prompts.LABELS) and shots.endswith("Input: He smiles.\nOutput:")
    assert "Output: [happy, sad, angry]" in shots and "Output: [happy, sad, angry]" not in plain


def test_descriptions_without_a_language_model() -> None:
    assert prompts.offline_description("Voice loud.", "Go away!", "en") == 'Voice loud. The person says: "Go away!"'
    assert prompts.offline_description("声音很大。", "走开！", "zh") == "声音很大。人物说：“走开！”"
    assert prompts.offline_description("", "", "en") == ""
