"""The challenges' submission files, by year: the only place that writes or checks them.

Classes (MER-SEMI and MER-NOISE of 2024, MER-SEMI of 2025, MER-Cross of 2026) go into a CSV `name,discrete` in every
year. Open-vocabulary labels go into a CSV `name,openset` (MER-OV, 2024) or an archive of two arrays, `filenames` and
`fileitems` (MER-FG, 2025 and 2026).
"""

from __future__ import annotations

import ast
import codecs
import csv
import io
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.clip import Clip
from mertools.csv_files import csv_reader
from mertools.emotions import MER2024, LabelSet
from mertools.errors import InputError
from mertools.whole_files import whole_file

if TYPE_CHECKING:
    import numpy as np

NAME, CLASS, OPEN = "name", "discrete", "openset"
NAMES_ARRAY, LABELS_ARRAY = "filenames", "fileitems"
LAST_LATIN = 0x24F
"""The end of the Unicode block Latin Extended-B."""
SEPARATORS = "[]'\","
"""Where the organisers' scorers cut a list of open labels: a label that holds one of these would become two."""


@dataclass(frozen=True)
class Rules:
    """What the organisers of one year take.

    `classes` are spelled as in that year's label files. `class_file` and `open_file` are the names that the organisers'
    tools give to files of classes and of open-vocabulary labels, as patterns; the suffix is the format.
    """

    classes: LabelSet
    class_file: str
    open_file: str

    @property
    def takes_archive(self) -> bool:
        """Whether open-vocabulary labels are handed in as an archive of arrays, and not as a CSV."""
        return self.open_file.endswith(".npz")


RULES = {
    "2024": Rules(MER2024, class_file="*.csv", open_file="*.csv"),
    "2025": Rules(MER2024, class_file="submission.csv", open_file="*-openset.npz"),
    "2026": Rules(MER2024, class_file="submission.csv", open_file="*-openset.npz"),
}
"""By year. All three have one map of labels: `surprise`, where the paper of 2024 prints `surprised`."""


@dataclass(frozen=True)
class Fault:
    """Something in a submission that its scorer would refuse or misread, and what to do about it.

    `row` counts as a spreadsheet does, the header being row 1; in an archive it counts the entries from 1. It is None
    where the fault is the whole file's.
    """

    row: int | None
    got: str
    wanted: str
    remedy: str

    def __str__(self) -> str:
        where = "" if self.row is None else f"row {self.row}: "
        return f"{where}got {self.got}, wanted {self.wanted}. {self.remedy}"


def write_submission(path: Path, names: Sequence[str], classes: np.ndarray, labels: LabelSet = MER2024) -> None:
    """Write the CSV `name,discrete` of every year: clip `names[i]` is of class number `classes[i]` of `labels`.

    Raises InputError for a clip that is named twice.
    """
    name, count = max(Counter(names).items(), key=lambda item: item[1], default=("", 0))
    if count > 1:
        raise InputError(f"{path} is not written: clip {name!r} is predicted {count} times, wanted each clip once.")
    _write_csv(path, CLASS, [(name, labels.names[number]) for name, number in zip(names, classes, strict=True)])


def write_submissions(folder: Path, clips: Sequence[Clip], classes: np.ndarray, labels: LabelSet) -> dict[str, str]:
    """Write `submission-<split>.csv` for each split of `clips`, whose predicted class numbers are `classes` (N,).

    Returns the files' names by split.
    """
    files = {}
    for split in dict.fromkeys(clip.split for clip in clips):
        rows = [row for row, clip in enumerate(clips) if clip.split == split]
        files[split] = f"submission-{split}.csv"
        write_submission(folder / files[split], [clips[row].name for row in rows], classes[rows], labels)
    return files


def write_open_submission(path: Path, labels: Mapping[str, Sequence[str]], rules: Rules) -> None:
    """Write open-vocabulary labels by clip as `rules` want them, a CSV or an archive; a clip may have no label at all.

    Raises InputError for a label that is empty, not in Latin letters, or holds a character at which scorers cut a list.
    """
    for name, given in labels.items():
        if fault := _open_labels_fault(None, given):
            raise InputError(f"{path} is not written: clip {name!r}: {fault}")
    if not rules.takes_archive:
        _write_csv(path, OPEN, [(name, str(list(given))) for name, given in labels.items()])
        return
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    # Arrays of text: one of objects would be pickled, and reading it would run code.
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            **{
                NAMES_ARRAY: np.array([*labels], dtype=np.str_),
                LABELS_ARRAY: np.array([f"[{', '.join(given)}]" for given in labels.values()], dtype=np.str_),
            },
        )


def read_candidates(path: Path) -> tuple[str, ...]:
    """The clips to predict, in the list's order: a CSV with a column `name`, such as the challenge's 20,000.

    Raises InputError for a file that is absent, not UTF-8, without that column or without names, and for a name twice.
    """
    with csv_reader(path, f"There is no list of candidates {path}. Name the year's with --candidates.") as reader:
        header = reader.fieldnames or []
        if NAME not in header:
            raise InputError(f"{path} has no column 'name': got {', '.join(header) or 'nothing'}.")
        names = [row[NAME].strip() for row in reader]
    if not names:
        raise InputError(f"{path} lists no clip: wanted one a row, below the header 'name'.")
    seen: set[str] = set()
    for row, name in enumerate(names, start=2):
        if not name or name in seen:
            raise InputError(f"{path}, row {row}: {f'{name!r} stands there twice' if name else 'the name is empty'}.")
        seen.add(name)
    return tuple(names)


def find_faults(path: Path, rules: Rules, candidates: Sequence[str] | None = None) -> list[Fault]:
    """What a scorer would refuse or misread in the submission at `path`, in the file's order; nothing, if all is well.

    Looked at are the encoding, the columns, the spelling of labels, and that no clip stands there twice; with
    `candidates` also that each of them is there and no other clip.

    Raises InputError for a file that is absent.
    """
    if not path.is_file():
        raise InputError(
            f"There is no submission {path}. run_fusion.py writes one for each split into its run's folder."
        )
    try:
        entries = _archive(path, rules) if path.suffix == ".npz" else _csv(path, rules)
    except _Unreadable as unreadable:
        return [unreadable.fault]
    label_faults = filter(None, (entry.label_fault(rules) for entry in entries))
    return sorted([*_name_faults(entries, candidates), *label_faults], key=lambda fault: fault.row or math.inf)


@dataclass(frozen=True)
class _Entry:
    """One clip's line in a submission: its label as text, and whether that is a class or a list of open labels."""

    row: int
    name: str
    text: str
    column: str

    def label_fault(self, rules: Rules) -> Fault | None:
        if self.column == CLASS:
            return _class_fault(self.row, self.text, rules.classes)
        given = _as_list(self.text) if self.column == OPEN else _as_items(self.text)
        if given is None:
            wanted = "['happy', 'relieved']" if self.column == OPEN else "[happy, relieved]"
            return Fault(self.row, repr(self.text), f"a list such as {wanted}", "Write [] where a clip has no label.")
        return _open_labels_fault(self.row, given)


class _Unreadable(Exception):
    """A file of which no row can be judged."""

    def __init__(self, row: int | None, got: str, wanted: str, remedy: str) -> None:
        super().__init__(got)
        self.fault = Fault(row, got, wanted, remedy)


def _write_csv(path: Path, column: str, rows: Sequence[tuple[str, str]]) -> None:
    with whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([(NAME, column), *rows])


def _csv(path: Path, rules: Rules) -> list[_Entry]:
    content = path.read_bytes()
    if content.startswith(codecs.BOM_UTF8):
        raise _Unreadable(
            1, "a byte-order mark before the header", "plain UTF-8", "Write the file with encoding='utf-8'."
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        got = f"the byte 0x{content[error.start]:02x}"
        raise _Unreadable(row, got, "UTF-8", "Write the file with encoding='utf-8'.") from None
    try:
        header, *rows = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    except csv.Error as error:
        raise _Unreadable(None, f"damaged CSV ({error})", "one clip a row", "Write the file again.") from None
    column = _column(header, rules)
    entries = []
    for number, cells in enumerate(rows, start=2):
        if not cells:
            continue
        if len(cells) != 2:
            remedy = "A cell that contains a comma stands in double quotes."
            raise _Unreadable(number, f"{len(cells)} cells", f"{NAME} and {column}", remedy)
        entries.append(_Entry(number, *cells, column))
    return entries


def _column(header: Sequence[str], rules: Rules) -> str:
    """Which labels a CSV with this header holds."""
    if header == [NAME, CLASS]:
        return CLASS
    if header == [NAME, OPEN]:
        if not rules.takes_archive:
            return OPEN
        wanted = f"an archive (.npz) of the arrays {NAMES_ARRAY} and {LABELS_ARRAY}"
        raise _Unreadable(1, f"'{NAME},{OPEN}'", wanted, "This year takes open-vocabulary labels in no CSV.")
    wanted = f"'{NAME},{CLASS}'" + ("" if rules.takes_archive else f" or '{NAME},{OPEN}'")
    raise _Unreadable(1, repr(",".join(header)), wanted, "Write these two columns, in this order, and no other.")


def _archive(path: Path, rules: Rules) -> list[_Entry]:
    import numpy as np

    if not rules.takes_archive:
        wanted = f"a CSV '{NAME},{CLASS}' or '{NAME},{OPEN}'"
        raise _Unreadable(None, "an archive of arrays", wanted, "Archives are taken from 2025 on.")
    wanted = f"two arrays of text of one length, {NAMES_ARRAY} and {LABELS_ARRAY}"
    remedy = "Write them with numpy.savez_compressed, each a list of str."
    content = io.BytesIO(path.read_bytes())
    try:
        # Only an archive: numpy.load would take the file for a single array, or for a pickle, as well.
        with np.lib.npyio.NpzFile(content, allow_pickle=False) as archive:
            if lacking := {NAMES_ARRAY, LABELS_ARRAY} - {*archive.files}:
                raise _Unreadable(None, f"no array {min(lacking)}", wanted, remedy)
            names, labels = archive[NAMES_ARRAY], archive[LABELS_ARRAY]
    except (ValueError, EOFError, OSError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise _Unreadable(None, f"an archive that cannot be read ({error})", wanted, remedy) from None
    if not (names.dtype.kind == labels.dtype.kind == "U" and names.shape == labels.shape == (names.size,)):
        got = f"arrays of {names.dtype} {names.shape} and {labels.dtype} {labels.shape}"
        raise _Unreadable(None, got, wanted, remedy)
    pairs = zip(names.tolist(), labels.tolist(), strict=True)
    return [_Entry(number, name, text, LABELS_ARRAY) for number, (name, text) in enumerate(pairs, start=1)]


def _name_faults(entries: Sequence[_Entry], candidates: Sequence[str] | None) -> Iterator[Fault]:
    row_of: dict[str, int] = {}
    wanted = None if candidates is None else frozenset(candidates)
    for entry in entries:
        if not entry.name.strip():
            yield Fault(entry.row, "an empty name", "a clip's name", "Write the name, or delete the row.")
        elif entry.name in row_of:
            got = f"clip {entry.name!r} again, after row {row_of[entry.name]}"
            yield Fault(entry.row, got, "each clip once", "Delete one of the two rows.")
        elif wanted is not None and entry.name not in wanted:
            yield _unknown_name(entry, wanted)
        row_of.setdefault(entry.name, entry.row)
    lacking = [name for name in candidates or () if name not in row_of]
    if lacking:
        got = f"no row for {len(lacking)} of {len(candidates)} clips (first: {lacking[0]})"
        yield Fault(None, got, "every clip to be predicted", "Predict them too: a clip that cannot be read counts.")


def _unknown_name(entry: _Entry, wanted: Collection[str]) -> Fault:
    spelled = entry.name.strip()
    for likely in (spelled, Path(spelled).stem):
        if likely in wanted:
            return Fault(entry.row, f"clip {entry.name!r}", repr(likely), "Write the name as the list does.")
    return Fault(entry.row, f"clip {entry.name!r}", "a clip to be predicted", "Delete the row.")


def _class_fault(row: int, label: str, classes: LabelSet) -> Fault | None:
    if label in classes.names:
        return None
    try:
        return Fault(row, f"label {label!r}", repr(classes.canonical(label)), "Spell labels as the label files do.")
    except InputError:
        return Fault(row, f"label {label!r}", f"one of {', '.join(classes.names)}", "Predict one of the classes.")


def _open_labels_fault(row: int | None, labels: Sequence[str]) -> Fault | None:
    for label in labels:
        if not label.strip():
            return Fault(row, "an empty label", "labels of at least one letter", "Leave it out of the list.")
        if any(separator in label for separator in SEPARATORS):
            wanted = f"labels without any of {' '.join(SEPARATORS)}"
            return Fault(row, f"label {label!r}", wanted, "Scorers cut the list there: write other words.")
        if not _is_latin(label):
            remedy = "True labels and emotion wheels are English: mertools ov translate."
            return Fault(row, f"label {label!r}", "English labels", remedy)
    return None


def _is_latin(label: str) -> bool:
    """Whether a label is in Latin letters, accents included: the corpora's other languages are not."""
    return all(ord(letter) <= LAST_LATIN for letter in label if letter.isalpha())


def _as_list(text: str) -> list[str] | None:
    """The labels of `['happy', 'relieved']`, None for anything else."""
    try:
        labels = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        # What literal_eval may raise, by its documentation.
        return None
    return labels if isinstance(labels, list) and all(isinstance(label, str) for label in labels) else None


def _as_items(text: str) -> list[str] | None:
    """The labels of `[happy, relieved]`, with or without quotes around each; None for anything else."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    bare = text[1:-1].strip()
    return [label.strip().strip("'\"") for label in bare.split(",")] if bare else []
