"""What goes to raters as a sheet and what comes back from them, from the page (JSON, CSV) or a filled sheet (CSV).

The same for any questions: the ratings of descriptions have one, with the answers 1 to 4.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mertools.errors import InputError

FORMAT = "mertools answers 1"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell for a formula by."""


@dataclass(frozen=True)
class Answers:
    """One rater's file as it is: `given` are (item, answer) pairs in its order, the answer "" where there is none."""

    path: Path
    study: str
    rater: str
    given: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Collected:
    """All raters' answers by rater and item, and what is lacking, in sentences: none where every rater answered all."""

    answers: Mapping[str, Mapping[str, str]]
    gaps: tuple[str, ...]


def write_sheet(
    path: Path, study: str, rater: str, questions: Sequence[str], rows: Sequence[Mapping[str, str]]
) -> None:
    """Write a rater's sheet: `study,rater,item,…,<questions>`, a row an item, the last columns to be filled.

    `rows` have `item` and further columns, the same in all; where they have one of `questions` too, that is a draft.
    UTF-8 with a mark, by which spreadsheets know it; a text that one would take for a formula gets an apostrophe in
    front.
    """
    columns = [*(column for column in rows[0] if column not in questions), *questions]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["study", "rater", *columns])
        for row in rows:
            cells = (row.get(column, "") for column in columns)
            writer.writerow([study, rater, *(f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells)])


def read_answers(path: Path, question: str) -> Answers:
    """Read what a rater saved from the page, or a filled sheet.

    Raises InputError for a file that is absent or neither, and for one of several raters or studies.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"There is no file of answers {path}.") from None
    except UnicodeDecodeError:
        raise InputError(
            f"{path} is not UTF-8. Save the sheet as UTF-8 (a spreadsheet calls it 'CSV UTF-8')."
        ) from None
    return (_from_json if text.lstrip().startswith("{") else _from_csv)(path, text, question)


def _from_json(path: Path, text: str, question: str) -> Answers:
    try:
        contents = json.loads(text)
        if contents["format"] != FORMAT:
            raise ValueError(contents["format"])
        given = tuple((str(row["item"]), _text(row.get(question))) for row in contents["answers"])
        return Answers(path, str(contents["study"]), str(contents["rater"]), given)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} is not what the rating page saves. Save the answers there again.") from None


def _from_csv(path: Path, text: str, question: str) -> Answers:
    head = text.partition("\n")[0]
    # Spreadsheets write what their country writes.
    delimiter = max(",;\t", key=head.count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    header = [cell.strip() for cell in rows[0]] if rows else []
    wanted = ["study", "rater", "item", question]
    if absent := [column for column in wanted if column not in header]:
        raise InputError(
            f"{path} lacks the column {', '.join(absent)}; a sheet has {', '.join(wanted)} and may have others."
        )
    places = [header.index(column) for column in wanted]
    cells = [[row[place].strip() if place < len(row) else "" for place in places] for row in rows[1:] if any(row)]
    sources = {(study, rater) for study, rater, _, _ in cells}
    if len(sources) != 1:
        raise InputError(f"{path} holds the answers of {len(sources)} raters and studies; a file is one rater's.")
    ((study, rater),) = sources
    return Answers(path, study, rater, tuple((item, _unmarked(answer)) for _, _, item, answer in cells))


def _unmarked(answer: str) -> str:
    """An answer without the apostrophe that keeps a spreadsheet from computing it."""
    return answer[1:] if answer.startswith("'") and answer[1:].startswith(FORMULA) else answer


def _text(answer: object) -> str:
    return "" if answer is None else str(answer)


def collect(
    files: Sequence[Answers],
    study: str,
    raters: Sequence[str],
    items: Sequence[str],
    values: Sequence[str],
    allow_incomplete: bool = False,
    mend: str = "Let the raters finish, or use what there is with --allow-incomplete.",
) -> Collected:
    """Put the raters' files together.

    `raters` and `items` are all that there are, `values` the answers that there may be. With `allow_incomplete` answers
    may be lacking; what is lacking is told in `gaps`. `mend` is what to do where nothing else is wrong.

    Raises InputError, with counts for every file at once: for files of another study, of an unknown rater, and two
    files of one rater; for items that are unknown or stand there twice, and answers that there are not; and, without
    `allow_incomplete`, for items that are missing or not answered.
    """
    _check_sources(files, study, raters)
    faults = [line for file in files if (line := _line(file, _faults(file, items, values)))]
    gaps = [line for file in files if (line := _line(file, _gaps(file, items)))]
    if differing := _differing(files, items):
        gaps.append(differing)
    if faults or (gaps and not allow_incomplete):
        raise InputError(
            "\n  ".join(["The raters' files cannot be used.", *faults, *gaps, *([] if faults else [mend])])
        )
    answers = {file.rater: {item: answer for item, answer in file.given if answer} for file in files}
    if absent := [rater for rater in raters if rater not in answers]:
        gaps.append(f"{len(absent)} of {len(raters)} raters gave no file: {', '.join(absent)}")
    return Collected(answers, tuple(gaps))


def _check_sources(files: Sequence[Answers], study: str, raters: Sequence[str]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        if file.study != study:
            raise InputError(f"{file.path} is of the study {file.study!r}; this key is of {study!r}.")
        if file.rater not in raters:
            raise InputError(f"{file.path} is of the rater {file.rater!r}; the key knows {', '.join(raters)}.")
        if file.rater in seen:
            raise InputError(f"{file.path} and {seen[file.rater]} are both of {file.rater}. Name one file a rater.")
        seen[file.rater] = file.path


def _faults(file: Answers, items: Sequence[str], values: Sequence[str]) -> Iterator[str]:
    """What is wrong with a file, whatever is lacking."""
    counts, known = Counter(item for item, _ in file.given), set(items)
    wrong = [(item, answer) for item, answer in file.given if answer and answer not in values]
    yield _counted([item for item in counts if item not in known], "unknown")
    yield _counted([item for item, count in counts.items() if count > 1], "there more than once")
    if wrong:
        item, answer = wrong[0]
        yield f"{_items(len(wrong))} answered out of range ({item}: {answer!r}, wanted {', '.join(values)})"


def _gaps(file: Answers, items: Sequence[str]) -> Iterator[str]:
    """What a file lacks."""
    there = {item for item, _ in file.given}
    answered = {item for item, answer in file.given if answer}
    yield _counted([item for item in items if item not in there], "missing")
    yield _counted([item for item in items if item in there - answered], "not answered")


def _differing(files: Sequence[Answers], items: Sequence[str]) -> str:
    """Whether the raters saw different items: what their files have in common and what not; "" where they did not."""
    seen = [{item for item, _ in file.given} & set(items) for file in files]
    by_all, by_some = set.intersection(*seen), set.union(*seen)
    if by_all == by_some:
        return ""
    return f"the raters saw different items: {len(by_all)} in every file, {len(by_some - by_all)} in some only"


def _line(file: Answers, parts: Iterator[str]) -> str:
    """What is to say of one file, "" where nothing is."""
    said = [part for part in parts if part]
    return f"{file.rater} ({file.path.name}): {'; '.join(said)}" if said else ""


def _counted(items: Sequence[str], what: str) -> str:
    return f"{_items(len(items))} {what} (first: {items[0]})" if items else ""


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"
