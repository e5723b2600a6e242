"""The probe: what is sent can be perceived, and only a model that perceives it is found to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import pytest
from perceived import colours, loudest_hertz

from mertools.errors import InputError
from mertools.ov.chat import Answer, Medium, Question
from mertools.ov.clip_media import Preparation
from mertools.ov.probe import BEEP_HERTZ, GREETING, TRIALS, probe, takes
from mertools.ov.takes import EVERYTHING, Takes


class Model:
    """A chat that perceives the parts named in `perceives`, turns `refused` ones away, and drops the others."""

    source: ClassVar = {"model": "scripted"}

    def __init__(self, perceives: Iterable[str] = (), refused: Iterable[str] = (), answer: str = "Well: {}.") -> None:
        self.perceives, self.refused, self.answer = set(perceives), set(refused), answer
        self.asked: list[tuple[str, str, str]] = []

    def answers(self, questions: Iterable[Question[str]], run: int = 0) -> Iterator[Answer[str]]:
        for question in questions:
            self.asked.append((question.name, question.prompt, question.media_key))
            media = list(question.load()) if question.load else []
            part = media[0].kind if media else "text"
            if part in self.refused:
                yield Answer(question, None, "", f"the server rejected it (400): no {part} here", 1)
            else:
                text = self.answer.format(self.say(question.prompt, part, media))
                yield Answer(question, question.read(text), text, "", 1)

    def say(self, prompt: str, part: str, media: list[Medium]) -> str:
        if "colour" in prompt:
            return colours(media[-1])[-1] if part in self.perceives else "red"
        if "beeps" in prompt:
            hears = part == "audio" or "sound of video" in self.perceives
            beeps = loudest_hertz(media[0]) == pytest.approx(BEEP_HERTZ, abs=5)
            return "Beeps" if hears and part in self.perceives and beeps else "silent"
        return "yes"


PARTS = {"image": Takes(images=True), "video": Takes(video=True), "audio": Takes(audio=True)}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_found_by_itself(part: str) -> None:
    findings = probe(Model([part]))
    assert takes(findings) == PARTS[part]
    assert [finding.reason for finding in findings] == ["", "", "", ""]
    assert not findings[3].is_right, "a video's sound that is dropped is not heard"


def test_a_model_that_perceives_everything() -> None:
    findings = probe(Model([*PARTS, "sound of video"]))
    assert takes(findings) == EVERYTHING and all(finding.is_right for finding in findings)
    assert findings[0].answers == ("Well: blue.", "Well: red.")


def test_a_part_that_is_turned_away_is_told_with_the_reason() -> None:
    images, video, audio, sound = probe(Model(["image"], refused=["video", "audio"]))
    assert images.is_right
    assert (video.is_right, video.reason) == (False, "the server rejected it (400): no video here")
    assert audio.reason.endswith("no audio here") and sound.reason == video.reason


@pytest.mark.parametrize("text", ["red", "blue", "It is either red or blue, beeps or silent.", "I see nothing."])
def test_whoever_says_the_same_of_everything_perceives_nothing(text: str) -> None:
    assert takes(probe(Model(PARTS, answer=text))) == Takes()


def test_a_model_without_words_is_one_error() -> None:
    with pytest.raises(InputError, match=r"does not answer a question in words alone: .*no text here"):
        probe(Model(refused=["text"]))


def test_a_second_probe_asks_the_same() -> None:
    """So that the cache answers it, whatever folder its clips were made in."""
    first, second = Model(), Model()
    probe(first)
    probe(second)
    assert first.asked == second.asked and len(first.asked) == 9
    assert first.asked[0][1] == GREETING
    assert len(set(first.asked)) == 9


def test_images_are_as_many_as_clips_will_have() -> None:
    sent: list[int] = []

    class Counting(Model):
        def say(self, prompt: str, part: str, media: list[Medium]) -> str:
            sent.append(sum(medium.kind == "image" for medium in media))
            return super().say(prompt, part, media)

    probe(Counting(), Preparation(frames=4))
    assert sent == [0, 4, 4, 0, 0, 0, 0, 0, 0]


def test_every_trial_wants_two_answers() -> None:
    """Or a model that always says the same would pass."""
    for trial in TRIALS:
        (_, one), (_, other) = trial.answers
        assert one != other and one in trial.prompt and other in trial.prompt
