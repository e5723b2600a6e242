"""The papers' tables of open-vocabulary labels, for their rows to stand beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mertools.errors import InputError
from mertools.registry import look_up
from mertools.report.reference import parse_score, read_table

LANGUAGES = {"en": "english", "zh": "chinese"}
"""What the tables call the language that labels are compared in."""

METRICS = {"avg": "avg", "accuracy": "accuracy_s", "recall": "recall_s"}
"""The tables' columns of our metrics."""

CHECK_MARKS = "√✓"


@dataclass(frozen=True)
class Citation:
    """Which table it is, on how many clips, and whether it has a column a language (else it is English)."""

    title: str
    clips: int
    bilingual: bool = True


TABLES = {
    "mer2024-table6": Citation("MER2024, Table 6, 332 clips", 332, bilingual=False),
    "affectgpt-table1": Citation("AffectGPT, Table 1, clues of several models, 332 clips", 332),
    "affectgpt-table2": Citation("AffectGPT, Table 2, who translates and who disambiguates, 332 clips", 332),
    "affectgpt-table6": Citation("AffectGPT, Table 6, all of EMER-Fine, 332 clips", 332),
    "affectgpt-table7": Citation("AffectGPT, Table 7, training clips of EMER-Fine, 266 clips", 266),
    "affectgpt-table8": Citation("AffectGPT, Table 8, test clips of EMER-Fine, 66 clips", 66),
}


@dataclass(frozen=True)
class PrintedLabels:
    """The table `name` of TABLES, its columns of one language: `en` or `zh`.

    Raises InputError for a table that is not there, and for a language that it does not have.
    """

    name: str
    language: str = "en"

    def __post_init__(self) -> None:
        look_up("paper's table", self.name, TABLES)
        if self.language != "en" and not self.citation.bilingual:
            others = ", ".join(name for name, citation in TABLES.items() if citation.bilingual)
            raise InputError(f"{self.name} has English labels alone. With --language {self.language}: {others}.")

    @property
    def citation(self) -> Citation:
        """Which table it is."""
        return TABLES[self.name]

    @property
    def records(self) -> list[dict[str, str]]:
        """The rows as printed, by column; none where the tables are not at hand."""
        return read_table(self.name)

    def rows(self, metrics: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """Of each row what it is of, and its scores."""
        prefix = f"{LANGUAGES[self.language]}_" if self.citation.bilingual else ""
        for row in self.records:
            yield _what(row), [str(parse_score(row[prefix + METRICS[metric]])) for metric in metrics]


def _what(row: dict[str, str]) -> str:
    """What a row is of: a model with the modalities that it had (L, V, A), or who did which step."""
    if "model" not in row:
        return f"{row['translate']} translates, {row['disambiguate']} disambiguates"
    modalities = "+".join(letter for letter in "LVA" if row[letter.lower()] in CHECK_MARKS)
    return f"{row['model']} {modalities}".rstrip()
