"""`mertools ov run`: all steps from clips to open-vocabulary labels, once, several times, or over a grid of models."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mertools import run_record
from mertools.commands.display import print_table
from mertools.commands.ov_options import chosen_corpus, evidence_of
from mertools.commands.ov_outcome import Outcome, show, status, summed
from mertools.commands.ov_pipeline import Made, Models, Work, combine, gather
from mertools.commands.ov_run_options import parse
from mertools.corpus import Corpus
from mertools.model_sources.downloads import without_credentials


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write, tell; returns the exit status."""
    options = parse(arguments)
    corpus = chosen_corpus(options)
    evidence = evidence_of(options, corpus.clips) if options.join != "none" else {}
    started, begin = run_record.now(), time.monotonic()
    asked: list[Outcome] = []
    made: list[Made] = []
    with ExitStack() as stack:
        models = Models(options, stack)
        for run in range(options.runs):
            folder = options.out if options.runs == 1 else options.out / f"run-{run + 1}"
            sources, outcomes = gather(options, corpus.clips, models, folder, run)
            asked += outcomes
            work = Work(options, corpus.clips, evidence, models, run)
            for one in combine(options, sources):
                made.append(work.make(one, folder / one.name if options.grid else folder))
    words = sys.argv[1:] if arguments is None else arguments
    result = {
        "kind": "open-vocabulary",
        "command": run_record.command_line("mertools", ["ov", "run", *words]),
        "started": started,
        "versions": run_record.versions("openai"),
        "configuration": {name: _plain(value) for name, value in vars(options).items()},
        "corpus": _described(corpus),
        "clues": [outcome.as_dict() for outcome in asked],
        "made": [one.as_dict(options.out) for one in made],
        "timings": {"seconds": time.monotonic() - begin},
    }
    run_record.write_result(options.out, result)
    outcomes = [*asked, *(outcome for one in made for outcome in one.outcomes)]
    show(summed(outcomes))
    if len(made) > 1:
        sys.stdout.write("\n")
        print_table(("clues", "disambiguator", "translator", "labelled", "failed", "folder"), map(_row, made))
    sys.stdout.write(f"\n{options.out}\n")
    return status(outcomes, options.strict)


def _described(corpus: Corpus) -> dict[str, Any]:
    return {
        "manifest": str(corpus.manifest),
        "fingerprint": corpus.fingerprint,
        "notice": corpus.notice,
        "clips": len(corpus.clips),
    }


def _plain(value: Any) -> Any:
    """An option's value as result.json takes it, addresses without passwords."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return without_credentials(str(value)) if isinstance(value, Path | str) else value


def _row(one: Made) -> list[str]:
    from mertools.ov.grid import parted

    labels = one.outcomes[-1]
    combination = one.combination
    models = (combination.disambiguator, combination.translator)
    return [
        " + ".join(source.name for source in combination.clues) or "none",
        *(parted(model)[0] or "-" for model in models),
        *(str(labels.ok), str(len(labels.failures)), str(one.folder)),
    ]
