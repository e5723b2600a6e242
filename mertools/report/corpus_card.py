"""The card of a corpus, in Markdown: how many clips of which class, how long, by whom, in which language (Table 1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from mertools.clip import Clip
from mertools.corpus import Corpus
from mertools.emotions import MER2024
from mertools.errors import InputError
from mertools.prepare.lengths import Length
from mertools.prepare.validation import DURATION_TOLERANCE_SECONDS, LONGEST_SECONDS, SHORTEST_SECONDS
from mertools.writing import writing_of

ALL = "all"

MEDIA: Mapping[str, Callable[[Clip], object]] = {
    "video": lambda clip: clip.video,
    "sound": lambda clip: clip.sound,
    "face crops": lambda clip: clip.faces,
    "subtitle": lambda clip: clip.subtitle,
    "English subtitle": lambda clip: clip.subtitle_english,
    "speaker": lambda clip: clip.speaker,
    "label": lambda clip: clip.label,
    "open labels": lambda clip: clip.open_labels,
}
"""What a clip may have, and how to see whether it does."""

REASONS_SHOWN = 5


def corpus_card(corpus: Corpus, lengths: Mapping[str, Length]) -> str:
    """The card of `corpus`, whose clips are as long as `lengths` says by name."""
    return "\n".join(_lines(corpus, lengths)) + "\n"


def _lines(corpus: Corpus, lengths: Mapping[str, Length]) -> Iterator[str]:
    parts = {split: [clip for clip in corpus.clips if clip.split == split] for split in corpus.splits}
    rows = parts | ({ALL: list(corpus.clips)} if len(parts) > 1 else {})
    yield f"# {corpus.manifest.name}"
    yield ""
    yield f"{len(corpus.clips)} clips; fingerprint {corpus.fingerprint}."
    if corpus.notice:
        yield ""
        yield f"**{corpus.notice}**"
    yield from _section("Samples", _samples(rows))
    yield ""
    yield "labelled/whole: where only some clips of a split have a label, as in Table 1 of MER2024."
    yield from _section("Lengths", _lengths(rows, lengths))
    yield ""
    yield f"Seconds, by the files' headers; short is below {SHORTEST_SECONDS:g} s, long above {LONGEST_SECONDS:g} s."
    yield from _unknown_lengths(lengths)
    yield from _section("What the clips have", _media(rows))
    yield from _section("Speakers", _speakers(rows))
    yield from _shared_speakers(parts)
    yield from _section("Subtitles", _subtitles(corpus.clips))


def _samples(rows: Mapping[str, Sequence[Clip]]) -> Iterator[Sequence[str]]:
    canonical = _canonical(clip.label for clips in rows.values() for clip in clips if clip.label)
    labels = [name for name in MER2024.names if name in canonical.values()]
    labels += sorted(set(canonical.values()) - set(labels))
    yield ["split", "samples (labelled/whole)", *labels]
    for split, clips in rows.items():
        counts = Counter(canonical[clip.label] for clip in clips if clip.label)
        samples = str(len(clips)) if counts.total() == len(clips) else f"{counts.total()}/{len(clips)}"
        yield [split, samples, *(str(counts[label]) for label in labels)]


def _canonical(labels: Iterator[str]) -> dict[str, str]:
    """How each label is spelled here: as the challenge's classes are, where all are of these, else as it stands."""
    found = set(labels)
    try:
        return {label: MER2024.canonical(label) for label in found}
    except InputError:
        return {label: label for label in found}


def _lengths(rows: Mapping[str, Sequence[Clip]], lengths: Mapping[str, Length]) -> Iterator[Sequence[str]]:
    yield ["split", "min", "mean", "max", "short", "long", "not known", "hours"]
    for split, clips in rows.items():
        known = [seconds for clip in clips if (seconds := lengths[clip.name].seconds) is not None]
        figures = ["–"] * 3
        if known:
            figures = [f"{value:.2f}" for value in (min(known), sum(known) / len(known), max(known))]
        short = sum(seconds < SHORTEST_SECONDS - DURATION_TOLERANCE_SECONDS for seconds in known)
        long = sum(seconds > LONGEST_SECONDS + DURATION_TOLERANCE_SECONDS for seconds in known)
        yield [split, *figures, str(short), str(long), str(len(clips) - len(known)), f"{sum(known) / 3600:.2f}"]


def _unknown_lengths(lengths: Mapping[str, Length]) -> Iterator[str]:
    unknown = [(name, length.reason) for name, length in lengths.items() if length.seconds is None]
    if unknown:
        yield ""
        yield "Not known:"
        yield ""
        yield from (f"- {name}: {reason}" for name, reason in unknown[:REASONS_SHOWN])
        if len(unknown) > REASONS_SHOWN:
            yield f"- and {len(unknown) - REASONS_SHOWN} more"


def _media(rows: Mapping[str, Sequence[Clip]]) -> Iterator[Sequence[str]]:
    yield ["split", *MEDIA]
    for split, clips in rows.items():
        yield [split, *(str(sum(bool(has(clip)) for clip in clips)) for has in MEDIA.values())]


def _speakers(rows: Mapping[str, Sequence[Clip]]) -> Iterator[Sequence[str]]:
    yield ["split", "speakers", "most clips of one", "clips without a speaker"]
    for split, clips in rows.items():
        counts = Counter(clip.speaker for clip in clips if clip.speaker)
        most = str(max(counts.values())) if counts else "–"
        yield [split, str(len(counts)), most, str(len(clips) - counts.total())]


def _shared_speakers(parts: Mapping[str, Sequence[Clip]]) -> Iterator[str]:
    splits_of = Counter(speaker for clips in parts.values() for speaker in {clip.speaker for clip in clips} - {""})
    if shared := sum(count > 1 for count in splits_of.values()):
        yield ""
        yield f"{shared} of {len(splits_of)} speakers are heard in more than one split."


def _subtitles(clips: Sequence[Clip]) -> Iterator[Sequence[str]]:
    yield ["column", "writing", "clips"]
    for column, texts in (
        ("subtitle", [clip.subtitle for clip in clips]),
        ("subtitle_english", [clip.subtitle_english for clip in clips]),
    ):
        counts = Counter(writing_of(text) or "no letters" for text in texts if text.strip())
        yield from ([column, writing, str(count)] for writing, count in counts.most_common())
        if empty := sum(not text.strip() for text in texts):
            yield [column, "none", str(empty)]
    sources = Counter(clip.subtitle_source or "not said" for clip in clips if clip.text)
    yield from (["subtitle_source", source, str(count)] for source, count in sources.most_common())


def _section(title: str, table: Iterator[Sequence[str]]) -> Iterator[str]:
    """A heading and a table in Markdown; the first row of `table` is its header."""
    yield ""
    yield f"## {title}"
    yield ""
    header, *rows = table
    yield f"| {' | '.join(map(_cell, header))} |"
    yield f"|---|{'---:|' * (len(header) - 1)}"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(text: str) -> str:
    return text.replace("|", "/")
