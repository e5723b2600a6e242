"""The demo corpus: generated clips of drawn faces and synthetic speech, so that the suite runs without licensed data.

It tests machinery, not emotion recognition, and says so in its manifest (column `notice`). What it shares with life:

- Three modalities, none of which tells all. In a clip that is not neutral one (in two of three clips) or two of face,
  voice and words express the emotion; the others are neutral. Where two express it, one may be ambiguous (between two
  classes). So a modality alone can know less than half of these clips, and fusion has something to win.
- Classes in about the proportions of MER2024's training set, in the splits `train`, `semi` and `noise`. All splits
  share the twelve speakers. The media of `noise` are clean here: noise is added to them as to any other corpus.
- More than one emotion to most clips, in open vocabulary, with a description of what shows them (`demo_truth`).

Everything is drawn first (`draw_clips`, a pure function of count and seed) and then applied (`make_clip`), each clip
from generators of its own: it comes out the same in whatever order and by however many workers the corpus is made.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from mertools.clip import Clip
from mertools.corpus import NOTICE_COLUMN, write_manifest
from mertools.emotions import MER2024
from mertools.errors import InputError
from mertools.media import write_clip
from mertools.prepare import demo_face, demo_portrait, demo_speech
from mertools.prepare.demo_face import Expression, Look, Motion
from mertools.prepare.demo_sentences import Sentence, draw_sentence, is_confused_with
from mertools.prepare.demo_speech import Prosody, Voice
from mertools.prepare.demo_truth import Cue, describe, open_labels
from mertools.prepare.draws import dealt
from mertools.randomness import generator, seed_for
from mertools.whole_files import whole_file

GENERATOR_VERSION = 3
"""Rises with any change to what is generated, manifest included: other versions are other corpora."""
MEDIA_VERSION = 2
"""The version that the clips' bits are those of: what is drawn for them depends on it."""

NOTICE = f"Generated demo corpus, version {GENERATOR_VERSION}: a test of machinery, not of emotion recognition."

MODALITIES = ("video", "audio", "text")
ALONE = (("video",), ("audio",), ("text",))
TOGETHER = (("video", "audio"), ("video", "text"), ("audio", "text"))
EXPRESSED_BY = (*ALONE, *ALONE, *TOGETHER)
"""Which modalities express a clip's emotion; dealt out equally within a class."""
AMBIGUOUS_SHARE = 1 / 3
"""Of the clips with two expressive modalities: in how many one of them is ambiguous."""

CLASS_WEIGHTS = dict(zip(MER2024.names, (1248, 1208, 1038, 730, 616, 190), strict=True))
"""The classes among the 5030 labelled training clips of MER2024."""

TRAIN_SHARE = 0.55
SPEAKERS = 12
FEWEST_CLIPS = 12

README = f"""{NOTICE}

The faces in video/ are drawn, the voices are eSpeak NG's, and the sentences are put together from a short list.
manifest.csv tells each clip's words in both languages, its speaker, its emotion (label), any number of emotions in open
vocabulary (open_labels), what face, voice and words show (description), the language it is spoken in (spoken) and which
of video, audio and text express the emotion (expressed_by); the others are neutral. The clips of split "noise" are as
clean as the others: noise is added to them as to any corpus.
"""

MANIFEST = "manifest.csv"
SETTINGS = "demo-corpus.json"

T = TypeVar("T")


@dataclass(frozen=True)
class Speaker:
    """One of the twelve people: six women and six men; three of each speak Mandarin, three English."""

    name: str
    language: str
    voice: Voice
    look: Look


@dataclass(frozen=True)
class DemoClip:
    """All that is drawn for one clip."""

    name: str
    split: str
    label: str
    speaker: Speaker
    expressed_by: tuple[str, ...]
    cues: Mapping[str, Cue]
    sentence: Sentence
    prosody: Prosody
    expression: Expression
    motion: Motion
    lead_seconds: float
    tail_seconds: float
    noise_seed: int


def generate(
    folder: Path,
    clips: int = 240,
    seed: int = 0,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make the corpus in `folder` and return its manifest.

    The manifest is written last: where it is, the corpus is complete. What is already there is kept, so a second call
    returns at once and one after an interruption continues. `progress` is told, at the start and after each clip, how
    many clips are finished and how many there are. Beside manifest and clips the folder gets a README and
    `demo-corpus.json`, which holds version, count and seed.

    Raises InputError for fewer than 12 clips, and for a folder that holds another corpus.
    """
    drawn = draw_clips(clips, seed)
    _claim(folder, {"version": GENERATOR_VERSION, "clips": clips, "seed": seed})
    videos = {clip.name: folder / "video" / f"{clip.name}.mp4" for clip in drawn}
    wanted = [(clip, videos[clip.name]) for clip in drawn if not videos[clip.name].exists()]
    tell = progress or (lambda finished, total: None)
    kept = clips - len(wanted)
    tell(kept, clips)
    for made in _make_all(wanted, workers):
        tell(kept + made, clips)
    manifest = folder / MANIFEST
    if wanted or not manifest.exists():
        write_manifest(manifest, [_manifest_row(clip, videos[clip.name]) for clip in drawn])
    return manifest


def draw_clips(count: int, seed: int) -> list[DemoClip]:
    """All clips of a corpus, in the manifest's order. Raises InputError for fewer than 12."""
    if count < FEWEST_CLIPS:
        raise InputError(f"A demo corpus has at least {FEWEST_CLIPS} clips, asked for {count}. Raise --clips.")
    speakers = draw_speakers(seed)
    train = round(TRAIN_SHARE * count)
    semi = (count - train + 1) // 2
    classes, fewest = _classes_for(train)
    clips: list[DemoClip] = []
    for split, size in (("train", train), ("semi", semi), ("noise", count - train - semi)):
        rng = _generator(seed, "split", split)
        counts = _allocate(size, [CLASS_WEIGHTS[name] for name in classes], fewest if split == "train" else 0)
        labels = np.repeat(classes, counts).tolist()
        patterns = [pattern for n in counts for pattern in dealt(rng, EXPRESSED_BY, n)]
        rows = list(zip(labels, patterns, dealt(rng, speakers, size), strict=True))
        for index in rng.permutation(size):
            label, expressed_by, speaker = rows[index]
            name = f"demo_{len(clips) + 1:04d}"
            clips.append(_draw_clip(seed, name, split, label, speaker, () if label == "neutral" else expressed_by))
    return clips


def make_clip(clip: DemoClip, path: Path) -> None:
    """Write one clip as mp4, 2 to 4 seconds of H.264 and AAC; the file appears under its name when it is complete."""
    rate, frames_per_second = demo_speech.SAMPLE_RATE, demo_portrait.FRAMES_PER_SECOND
    words = clip.sentence.mandarin if clip.speaker.language == "cmn" else clip.sentence.english
    speech = demo_speech.speak(words, clip.speaker.voice, clip.prosody, clip.noise_seed)
    seconds = np.clip(clip.lead_seconds + len(speech) / rate + clip.tail_seconds, 2.0, 4.0)
    frame_count = round(seconds * frames_per_second)
    sound = demo_speech.room_noise(round(frame_count / frames_per_second * rate), clip.noise_seed)
    start = round(clip.lead_seconds * rate)
    sound[start : start + len(speech)] += speech[: len(sound) - start]
    loudness = demo_speech.loudness(sound, frames_per_second, frame_count)
    frames = demo_portrait.render(clip.speaker.look, clip.expression, clip.motion, loudness)
    write_clip(path, frames, frames_per_second, sound, rate)


def _generator(seed: int, *names: str | int) -> np.random.Generator:
    return generator(seed, "demo-corpus", MEDIA_VERSION, *names)


def _classes_for(train: int) -> tuple[list[str], int]:
    """The classes that so many training clips can hold, the commonest first, and how many each has at least.

    Five of each, so that five stratified folds work; in a small corpus two, in the smallest not all classes.
    """
    fewest = min(5, max(2, train // len(CLASS_WEIGHTS)))
    return list(CLASS_WEIGHTS)[: min(len(CLASS_WEIGHTS), train // fewest)], fewest


def _allocate(total: int, weights: Sequence[float], fewest: int) -> list[int]:
    """Whole numbers that sum to `total`, in proportion to the weights but none below `fewest`."""
    quotas = total * np.asarray(weights, float) / np.sum(weights)
    counts = np.maximum(np.floor(quotas).astype(int), fewest)
    while counts.sum() < total:
        counts[np.argmax(quotas - counts)] += 1
    while counts.sum() > total:
        counts[np.argmax(np.where(counts > fewest, counts - quotas, -np.inf))] -= 1
    return counts.tolist()


def draw_speakers(seed: int) -> list[Speaker]:
    """The twelve people of a corpus with this seed."""
    rng = _generator(seed, "speakers")
    groups = [(sex, language) for sex in demo_speech.VARIANTS for language in demo_speech.LANGUAGES]
    each = SPEAKERS // len(groups)
    people = [
        (sex, language, variant) for sex, language in groups for variant in dealt(rng, demo_speech.VARIANTS[sex], each)
    ]
    looks = demo_face.draw_looks(rng, [sex for sex, _, _ in people])
    return [
        Speaker(f"speaker_{number:02d}", language, demo_speech.draw_voice(rng, language, variant), look)
        for number, ((_, language, variant), look) in enumerate(zip(people, looks, strict=True), start=1)
    ]


def _draw_clip(
    seed: int, name: str, split: str, label: str, speaker: Speaker, expressed_by: tuple[str, ...]
) -> DemoClip:
    rng = _generator(seed, "clip", name)
    cues = {modality: Cue(label if modality in expressed_by else "neutral") for modality in MODALITIES}
    if len(expressed_by) > 1 and rng.random() < AMBIGUOUS_SHARE:
        others = [other for other in CLASS_WEIGHTS if is_confused_with(label, other)]
        cues[str(rng.choice(expressed_by))] = Cue(label, str(rng.choice(others)))
    return DemoClip(
        name=name,
        split=split,
        label=label,
        speaker=speaker,
        expressed_by=expressed_by,
        cues=cues,
        sentence=draw_sentence(rng, cues["text"].emotion, cues["text"].other),
        prosody=demo_speech.draw_prosody(rng, _prototype(demo_speech.PROSODIES, cues["audio"])),
        expression=demo_face.draw_expression(rng, _prototype(demo_face.EXPRESSIONS, cues["video"])),
        motion=demo_face.draw_motion(rng),
        lead_seconds=rng.uniform(0.1, 0.3),
        tail_seconds=rng.uniform(0.1, 0.3),
        noise_seed=seed_for(seed, "demo-corpus", MEDIA_VERSION, "noise", name),
    )


def _prototype(prototypes: Mapping[str, T], cue: Cue) -> T:
    shown = prototypes[cue.emotion]
    return shown if cue.other is None else shown.mixed(prototypes[cue.other], 0.5)


def _manifest_row(clip: DemoClip, video: Path) -> Clip:
    return Clip(
        name=clip.name,
        video=video,
        subtitle=clip.sentence.mandarin,
        subtitle_english=clip.sentence.english,
        subtitle_source="checked",
        split=clip.split,
        label=clip.label,
        open_labels=open_labels(clip.label, clip.cues, clip.sentence),
        speaker=clip.speaker.name,
        columns={
            "description": describe(clip.label, clip.cues, clip.sentence),
            "spoken": clip.speaker.language,
            "expressed_by": " ".join(clip.expressed_by),
            NOTICE_COLUMN: NOTICE,
        },
    )


def _claim(folder: Path, settings: Mapping[str, int]) -> None:
    """Note in the folder which corpus it holds or will hold; refuse a folder that holds another."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; --out wants a folder.")
    path = folder / SETTINGS
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != settings:
            raise InputError(
                f"{folder} holds {_described(found)}, asked for {_described(settings)}. Choose another --out."
            )
        return
    if (folder / MANIFEST).exists():
        raise InputError(f"{folder} holds a {MANIFEST} that is not a demo corpus. Choose another --out.")
    (folder / "video").mkdir(parents=True, exist_ok=True)
    (folder / "README.txt").write_text(README, encoding="utf-8")
    with whole_file(path) as file:
        file.write(json.dumps(settings) + "\n")


def _described(settings: Mapping[str, int] | None) -> str:
    if not isinstance(settings, dict):
        return "a demo corpus of unknown settings"
    return "a demo corpus of " + ", ".join(f"{name} {value}" for name, value in settings.items())


def _make_all(work: Sequence[tuple[DemoClip, Path]], workers: int) -> Iterator[int]:
    """Make the clips in worker processes; yields how many are made, after each."""
    if not work:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(work)), context, initializer=_start_worker) as pool:
        try:
            futures = [pool.submit(make_clip, clip, path) for clip, path in work]
            for made, future in enumerate(as_completed(futures), start=1):
                future.result()
                yield made
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _start_worker() -> None:
    # Ctrl-C reaches the whole process group; the parent answers it and lets a clip that is begun be finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A parent that is killed cannot stop its workers.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
