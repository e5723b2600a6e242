"""Which explanations train and which test: drawn by a seed, or as a file says.

No paper's split is published. The sizes may be the papers' (EMER: 80 and 20; AffectGPT, Table 3: 266 and 66), the clips
are not: scores on other clips are other scores.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from mertools.errors import InputError
from mertools.randomness import seed_for
from mertools.whole_files import whole_file

TRAIN, TEST = "train", "test"
COLUMNS = ("name", "split", "drawn_by")


def draw_splits(names: Sequence[str], test: int, seed: int) -> dict[str, str]:
    """The split of each clip, `test` of them to test on; a function of the seed and the names, in whatever order.

    Raises InputError where nothing would be left of a split.
    """
    if not 0 < test < len(names):
        raise InputError(f"{test} of {len(names)} clips cannot be the test: wanted 1 to {len(names) - 1} (--test).")
    chosen = set(sorted(names, key=lambda name: (seed_for(seed, "explanation split", name), name))[:test])
    return {name: TEST if name in chosen else TRAIN for name in names}


def read_splits(path: Path, names: Sequence[str]) -> dict[str, str]:
    """The split of each of the clips `names`, from a table with columns `name` and `split`.

    Raises InputError, with counts, for a table that is absent or lacks columns, knows a clip twice, names clips that
    there are not, lacks some, or has an empty split.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            if lacking := [column for column in COLUMNS[:2] if column not in (reader.fieldnames or ())]:
                raise InputError(f"{path} lacks the column {', '.join(lacking)}; wanted name,split.")
            rows = [(row["name"].strip(), row["split"].strip()) for row in reader]
    except FileNotFoundError:
        raise InputError(f"There is no file of splits {path}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8. Save it as UTF-8.") from None
    splits = dict(rows)
    known = set(names)
    faults = [
        _counted([name for name in splits if name not in known], "clips that have no explanation"),
        _counted([name for name in names if name not in splits], "explained clips missing"),
        _counted([name for name, split in rows if not split], "clips without a split"),
        f"{len(rows) - len(splits)} clips twice" if len(rows) > len(splits) else "",
    ]
    if told := [fault for fault in faults if fault]:
        raise InputError(f"{path} cannot be used: {'; '.join(told)}. It has to have each explained clip once.")
    return splits


def write_splits(path: Path, splits: Mapping[str, str], drawn_by: str) -> None:
    """Write split.csv: `name,split,drawn_by`; `drawn_by` tells our draw from another's. Atomic."""
    with whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([name, split, drawn_by] for name, split in splits.items())


def _counted(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what} (first: {names[0]})" if names else ""
