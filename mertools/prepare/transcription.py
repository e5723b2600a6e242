"""Fill in the subtitles that a corpus lacks. Texts that are there, checked or not, are never replaced.

Worker processes decode, the recogniser hears batch after batch, and what it heard is written to a journal at once: a
run that is killed goes on where it was.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from feature_extractors.runner import Preparation, Prepared, Task
from mertools.clip import Clip
from mertools.clip_rows import OK
from mertools.errors import InputError
from mertools.media import MissingMedium, Sound, read_audio
from mertools.prepare.recogniser import ENGLISH, Recogniser

RECOGNISED = "asr"
"""The manifest's `subtitle_source` of recognised texts."""

CONFIDENCE_COLUMN = "subtitle_confidence"
"""The manifest's column of how sure the recogniser is of a text; empty where it does not say."""

LISTENER = "listener"


@dataclass(frozen=True)
class Heard:
    """What a recogniser heard in a clip: a text, and how sure it is of it, or the reason why there is none."""

    text: str = ""
    reason: str = ""
    confidence: float | None = None


def lacking(clips: Sequence[Clip]) -> list[Clip]:
    """The clips without any subtitle."""
    return [clip for clip in clips if not clip.text.strip()]


def transcribe(
    clips: Sequence[Clip],
    recogniser: Recogniser,
    journal: Path,
    *,
    device: str,
    workers: int,
    batch_size: int,
    progress: Callable[[int, int, int], None] = lambda done, total, failed: None,
) -> dict[str, Heard]:
    """What is said in each of `clips`, by name; what `journal` knows already is not heard again.

    Raises InputError where the model cannot be loaded, or the journal cannot be read or written.
    """
    heard = _known(journal, recogniser.name, clips)
    todo = [clip for clip in clips if clip.name not in heard]
    done, failed = 0, 0
    progress(0, len(todo), 0)
    if not todo:
        return heard
    recogniser.load(device)
    with Preparation({LISTENER: Listener()}, min(workers, len(todo))) as preparation:
        prepared = preparation.run(Task(clip, (LISTENER,)) for clip in todo)
        for batch in _batches(prepared, batch_size):
            results = _hear(recogniser, {task.clip.name: result[LISTENER] for task, result in batch})
            keys = {task.clip.name: result[LISTENER].media_key for task, result in batch}
            _remember(journal, recogniser.name, keys, results)
            heard |= results
            done += len(batch)
            failed += sum(not one.text for one in results.values())
            progress(done, len(todo), failed)
    return heard


def filled(clips: Sequence[Clip], heard: Mapping[str, Heard], language: str) -> list[Clip]:
    """`clips`, with what was heard as the subtitle of those without one, and its confidence in a column of its own."""
    column = "subtitle_english" if language == ENGLISH else "subtitle"
    return [
        replace(
            clip,
            **{column: heard[clip.name].text},
            subtitle_source=RECOGNISED,
            columns={**clip.columns, CONFIDENCE_COLUMN: _cell(heard[clip.name].confidence)},
        )
        if clip.name in heard and heard[clip.name].text and not clip.text.strip()
        else clip
        for clip in clips
    ]


def without_texts(clips: Sequence[Clip]) -> list[Clip]:
    """`clips` without subtitles and all that is said of them."""
    return [
        replace(
            clip,
            subtitle="",
            subtitle_english="",
            subtitle_source="",
            columns={name: value for name, value in clip.columns.items() if name != CONFIDENCE_COLUMN},
        )
        for clip in clips
    ]


def _cell(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.3f}"


class Listener:
    """Decodes the sound of a clip; it stands where an encoder stands in `Preparation`."""

    modality = "audio"

    def prepare(self, clip: Clip) -> Sound:
        if clip.sound is None:
            raise MissingMedium("no audio")
        sound = read_audio(clip.sound)
        if not sound.samples.any():
            # Recognisers invent words for silence.
            raise MissingMedium("the sound is silent")
        return sound


def _batches(prepared: Iterable[Any], size: int) -> Iterator[list[Any]]:
    prepared = iter(prepared)
    while batch := list(itertools.islice(prepared, size)):
        yield batch


def _hear(recogniser: Recogniser, prepared: Mapping[str, Prepared]) -> dict[str, Heard]:
    """What is heard in each clip of a batch, or why nothing could be."""
    ready = {name: one.item for name, one in prepared.items() if one.status == OK}
    heard = dict(zip(ready, _texts(recogniser, list(ready.values())), strict=True))
    return {name: heard.get(name) or Heard(reason=one.reason) for name, one in prepared.items()}


def _texts(recogniser: Recogniser, sounds: Sequence[Sound]) -> list[Heard]:
    """What is heard in each sound; where the batch fails, each is tried alone, so that one costs only itself."""
    if not sounds:
        return []
    try:
        recognised = recogniser.transcribe(sounds)
        return [Heard(_cleaned(one.text), confidence=one.confidence) for _, one in zip(sounds, recognised, strict=True)]
    except Exception as error:
        if len(sounds) > 1:
            return [_texts(recogniser, [sound])[0] for sound in sounds]
        return [Heard(reason=" ".join(f"{type(error).__name__}: {error}".split()))]


def _cleaned(text: str) -> str:
    """One line of printable characters, as a cell of a manifest holds it."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _known(journal: Path, recogniser: str, clips: Sequence[Clip]) -> dict[str, Heard]:
    """What the journal holds by the same recogniser for clips whose sound has not changed since."""
    try:
        lines = journal.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{journal} cannot be read: {error}. Delete it to hear all clips again.") from None
    entries = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            # The line that was being written when a run was killed.
            continue
        if entry["recogniser"] == recogniser:
            entries[entry["name"]] = entry
    known = [clip for clip in clips if clip.name in entries]
    return {
        # Journals of before recognisers gave a confidence have none.
        clip.name: Heard(entries[clip.name]["text"], confidence=entries[clip.name].get("confidence"))
        for clip in known
        if clip.media_key("audio") == entries[clip.name]["media_key"]
    }


def _remember(journal: Path, recogniser: str, keys: Mapping[str, str], heard: Mapping[str, Heard]) -> None:
    """Append what was heard, "" included, to the journal; clips that could not be heard are tried again next time."""
    entries = [
        {
            "name": name,
            "media_key": keys[name],
            "recogniser": recogniser,
            "text": one.text,
            "confidence": one.confidence,
        }
        for name, one in heard.items()
        if not one.reason
    ]
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        with journal.open("a", encoding="utf-8") as file:
            # A line break first: the last line may have been cut off.
            file.writelines(f"\n{json.dumps(entry, ensure_ascii=False)}" for entry in entries)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"Cannot write {journal}: {error.strerror}. Name another place with --out.") from None
