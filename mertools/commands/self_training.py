"""What `run_fusion.py --self-train` asks for: the pool, the views that must agree, the selection."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.corpus import TRAIN, Corpus
from mertools.emotions import LabelSet
from mertools.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from fusion.inputs import Inputs
    from fusion.self_training import Teaching
    from fusion.system import System

PSEUDO_LABELS = "pseudo_labels.csv"
MODALITY, ENCODER = "modality", "encoder"
TEACHERS = ("networks", "clusters")


def check_options(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """End the program where the options on clips without labels contradict others."""
    if options.pseudo_labels and not options.self_train:
        options.self_train = 1
    if not options.self_train:
        for name in ("pool", "trust_pool", "teachers", "agree", "threshold", "class_cap", "soft_labels", "pool_prior"):
            if getattr(options, name):
                parser.error(f"--{name.replace('_', '-')} is about learning without labels: give --self-train too")
        return
    unknown = [kind for kind in options.teachers or () if kind not in TEACHERS]
    if unknown:
        parser.error(f"--teachers {unknown[0]}: wanted {' or '.join(TEACHERS)}, or both")
    if options.table4 or options.table5:
        parser.error("--self-train teaches one system, --table4 and --table5 make many: give one or the other")
    if options.candidates:
        parser.error("--candidates would take all other clips out of the pool: leave it out with --self-train")
    if not options.nested:
        parser.error("--self-train is audited on the outer folds of cv-nested: leave --no-nested and --as-released out")
    if options.pseudo_labels and (options.agree or options.teachers or options.self_train > 1):
        parser.error("--pseudo-labels are taught as they are, in one round: leave --agree, --teachers and ROUNDS out")


def pool_of(options: argparse.Namespace, corpus: Corpus, inputs: Mapping[str, Inputs]) -> np.ndarray:
    """The clips without labels, as rows of the corpus.

    Raises InputError for a split that is unknown or is trained on, an empty pool, and one that lacks a feature.
    """
    import numpy as np

    from fusion.pool_checks import check_features

    for split in options.pool or ():
        if split == TRAIN or split not in corpus.splits:
            others = ", ".join(name for name in corpus.splits if name != TRAIN) or "none"
            raise InputError(f"--pool {split}: wanted a split that is not trained on; {corpus.manifest} has {others}.")
    splits = set(options.pool or corpus.splits) - {TRAIN}
    pool = np.flatnonzero([clip.split in splits for clip in corpus.clips])
    check_features(inputs, pool)
    return pool


def teaching_of(
    options: argparse.Namespace, corpus: Corpus, labels: LabelSet, inputs: Mapping[str, Inputs], pool: np.ndarray
) -> Teaching:
    """How the options say to teach; raises InputError for files and thresholds that cannot be used."""
    from fusion.pseudo_labels import Selection, read_pseudo_labels
    from fusion.self_training import Teaching

    file = None
    if options.pseudo_labels:
        rows = {corpus.clips[row].name: int(row) for row in pool}
        file = read_pseudo_labels(options.pseudo_labels, rows, labels)
    files = [Path(view) for view in options.agree if view not in (MODALITY, ENCODER)]
    return Teaching(
        rounds=options.self_train,
        selection=Selection(
            quantile=options.accept,
            thresholds=_thresholds(options.threshold, labels) if options.threshold else None,
            cap=options.class_cap,
            soft=options.soft_labels,
        ),
        teachers=tuple(kind for kind in TEACHERS if kind in (options.teachers or TEACHERS)),
        views=_views(options.agree, inputs),
        votes=_votes(files, corpus, labels) if files else None,
        prior=options.pool_prior,
        given=file and file.given,
        given_by=file.teachers if file else (),
        trusts_pool=options.trust_pool,
    )


def write_taught(folder: Path, corpus: Corpus, labels: LabelSet, options: argparse.Namespace, system: System) -> None:
    """Write pseudo_labels.csv of the last round, to be read, edited and given back; without a clip where none was
    accepted."""
    from fusion.pseudo_labels import OWN_TEACHER, write_pseudo_labels

    number, given = system.self_training.taught
    write_pseudo_labels(
        folder / PSEUDO_LABELS,
        [corpus.clips[row].name for row in given.rows],
        given,
        labels,
        soft=options.soft_labels,
        teacher=OWN_TEACHER,
        number=number,
    )


def _thresholds(texts: Sequence[str], labels: LabelSet) -> tuple[float, ...]:
    """The threshold of each class; a class that is not named has that for all, or is not accepted at all."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise InputError(f"--threshold {text}: wanted a confidence from 0 to 1, such as 0.9 or happy=0.9.")
        found[labels.canonical(name) if name else ""] = value
    return tuple(found.get(label, found.get("", float("inf"))) for label in labels.names)


def _views(agree: Sequence[str], inputs: Mapping[str, Inputs]) -> dict[str, tuple[str, ...]]:
    """The features of each view by its name."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, one in inputs.items():
        for kind in (MODALITY, ENCODER):
            if kind in agree:
                found[f"{kind} {getattr(one.provenance, kind)}"].append(name)
    return {view: tuple(names) for view, names in found.items()}


def _votes(files: Sequence[Path], corpus: Corpus, labels: LabelSet) -> np.ndarray:
    """What files of labels say of the corpus' clips, (V, N): the first label that means a class, -1 where none does."""
    import numpy as np

    from fusion.pseudo_labels import ABSTAINS
    from mertools.ov.labels import read_labels

    class_of = _classes_of_words(labels)
    votes = np.full((len(files), len(corpus.clips)), ABSTAINS, dtype=np.int8)
    for place, path in enumerate(files):
        said = {row.name: row.labels for row in read_labels(path)}
        for row, clip in enumerate(corpus.clips):
            meant = [class_of(label) for label in said.get(clip.name, ())]
            votes[place, row] = next((number for number in meant if number is not None), ABSTAINS)
        if (votes[place] == ABSTAINS).all():
            raise InputError(f"--agree {path}: no clip of {corpus.manifest} has a label that means one of the classes.")
    return votes


def _classes_of_words(labels: LabelSet) -> Callable[[str], int | None]:
    """Gives the class number that an open-vocabulary label means, by the class' name or a synonym; None for none."""
    from mertools.lexicon import lexicon

    words = lexicon()
    of_group = {words.group(name): number for number, name in enumerate(labels.names) if words.group(name)}

    def class_of(label: str) -> int | None:
        try:
            return labels.index(label)
        except InputError:
            return of_group.get(words.group(label))

    return class_of
