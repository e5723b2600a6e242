"""Label sets: which emotions a corpus knows, in which order, and under which other names they appear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mertools.errors import InputError


@dataclass(frozen=True)
class LabelSet:
    """Emotion classes in their fixed order; `index` is the class number used in every array.

    `aliases` maps other spellings to a class: the paper prints `surprised` where the data say `surprise`.
    """

    names: tuple[str, ...]
    aliases: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def canonical(self, label: str) -> str:
        """The class that `label` means: white space and case folded, aliases resolved.

        Raises InputError for a label outside the set, naming the `--labels` option.
        """
        folded = label.strip()
        for candidate in (folded, folded.lower()):
            candidate = self.aliases.get(candidate, candidate)
            if candidate in self.names:
                return candidate
        raise InputError(
            f"Label {label!r} is not one of {', '.join(self.names)}. "
            "For a corpus with other classes name them with --labels a,b,c, "
            "or take them from the manifest with --labels auto."
        )

    def index(self, label: str) -> int:
        """The class number of `label`; raises InputError as `canonical` does."""
        return self.names.index(self.canonical(label))

    def indices(self, labels: Sequence[str]) -> list[int]:
        """The class numbers of `labels`."""
        return [self.index(label) for label in labels]


MER2024 = LabelSet(
    names=("neutral", "angry", "happy", "sad", "worried", "surprise"),
    aliases={"surprised": "surprise"},
)
"""The six classes of the challenge, in the order of the released label files (MER2024 §2.4)."""


def label_set(option: Sequence[str] | None, labels_in_manifest: Iterable[str]) -> LabelSet:
    """The label set a command asked for with `--labels`.

    None gives the six classes of MER2024; ["auto"] takes the classes from the manifest, sorted; otherwise `option` is
    the classes in their order.

    Raises InputError for fewer than two classes or a class named twice.
    """
    if option is None:
        return MER2024
    if list(option) == ["auto"]:
        names = tuple(sorted({label.strip() for label in labels_in_manifest} - {""}))
    else:
        names = tuple(option)
    if len(names) < 2:
        found = f"got {', '.join(names)}" if names else "got none"
        raise InputError(f"--labels needs at least two classes, {found}.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"--labels names {', '.join(map(repr, repeated))} more than once.")
    return MER2024 if names == MER2024.names else LabelSet(names)
