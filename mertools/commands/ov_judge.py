"""`mertools ov judge`: a language model says how far descriptions agree with the truth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools import run_record
from mertools.commands.display import clip_progress, print_table
from mertools.commands.language_model_options import CACHE_NAME, open_chat
from mertools.commands.ov_judge_options import make_judge_parser, read_entrants

if TYPE_CHECKING:
    from mertools.ov.chat import Chat
    from mertools.ov.entrants import Entrant
    from mertools.ov.judgements import JudgedSystem, Judgement
    from mertools.ov.oracle import Oracle
    from mertools.ov.true_texts import TrueTexts

REASONS_SHOWN = 20
PAGE = "curves.html"
NO_FIRST_EPOCH = "{series} has no epoch 0: what training added cannot be seen."


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, ask, write, tell; returns the exit status."""
    options = make_judge_parser().parse_args(arguments)

    from mertools.ov.judgement_files import write_automatic_scores, write_judgement
    from mertools.ov.judgements import Judgement
    from mertools.ov.true_texts import read_true_texts

    true = read_true_texts(options.truth)
    clips = tuple(true.truth.texts)
    entrants, checkpoints = read_entrants(options, true)
    started = run_record.now()
    with open_chat(options, options.out / CACHE_NAME) as chat:
        judge = dict(chat.source)
        judged = _judge(chat, true, [*entrants, *checkpoints], options.runs)
    oracles = list(_oracles(entrants, checkpoints, judged, clips)) if options.oracle else []
    *systems, truth = judged.values()
    words = sys.argv[1:] if arguments is None else arguments
    judgement = Judgement(
        judge,
        started,
        true.as_dict(),
        clips,
        (*systems, *(oracle.system for oracle in oracles), truth),
        options.seed,
        {
            "command": run_record.command_line("mertools", ["ov", "judge", *words]),
            "versions": run_record.versions("openai"),
        },
    )
    write_judgement(options.out / "judgement.json", judgement)
    write_automatic_scores(options.out / "scores.csv", judgement)
    tell([judgement], paper=options.paper)
    _tell_unjudged(judgement)
    _write_oracles(options.out, oracles, {**judge, "date": started})
    further = [NO_FIRST_EPOCH.format(series=name) for name in _without_first_epoch(checkpoints)]
    sys.stdout.writelines(f"{note}\n" for note in further)
    if checkpoints:
        _write_page(options.out / PAGE, judgement, further)
    sys.stdout.write(f"\n{options.out}\n")
    return 0


def tell(judgements: Sequence[Judgement], *, paper: bool) -> None:
    """Print judgements as tables with their notes."""
    from mertools.report.judgement_table import completeness_table, notes, overlap_table

    print_table(*overlap_table(judgements, paper=paper))
    sys.stdout.write("\n")
    print_table(*completeness_table(judgements))
    sys.stdout.write("\n")
    sys.stdout.writelines(f"{note}\n" for note in notes(judgements, paper=paper))


def _judge(chat: Chat, true: TrueTexts, entrants: Sequence[Entrant], runs: int) -> dict[str, JudgedSystem]:
    """The verdicts on all entrants, and last on the truth, by name."""
    from mertools.ov.judgements import JudgedSystem
    from mertools.ov.judging import TRUTH, judge, question_count

    texts = {one.name: one.texts for one in entrants}
    with clip_progress("judging", unit="answers") as progress:
        told = _counter(progress, runs * question_count(true.truth, texts))
        found = [judge(chat, true.truth, texts, run, told) for run in range(runs)]
    systems = {
        one.name: JudgedSystem(
            one.name, tuple(run[one.name] for run in found), str(one.file), one.failed, one.series, one.epoch
        )
        for one in entrants
    }
    return {**systems, TRUTH: JudgedSystem(TRUTH, tuple(run[TRUTH] for run in found))}


def _counter(progress: Callable[[int, int, int], None], total: int) -> Callable[[bool], None]:
    done = failed = 0

    def told(has_failed: bool) -> None:
        nonlocal done, failed
        done, failed = done + 1, failed + has_failed
        progress(done, total, failed)

    return told


def _oracles(
    entrants: Sequence[Entrant], checkpoints: Sequence[Entrant], judged: dict[str, JudgedSystem], clips: Sequence[str]
) -> Iterator[Oracle]:
    """The oracles over systems, "Baseline" in the paper, and over checkpoints, each by every overlap that was asked."""
    from mertools.ov.oracle import CHOOSERS, Candidate, make_oracle

    for kind, among in (("Baseline", entrants), ("Checkpoints", checkpoints)):
        candidates = [Candidate(judged[one.name], one.descriptions) for one in among]
        for metric in CHOOSERS:
            if len(candidates) > 1 and any(metric in run.values for run in candidates[0].system.runs):
                yield make_oracle(kind, metric, candidates, clips)


def _write_oracles(out: Path, oracles: Sequence[Oracle], judge: dict[str, object]) -> None:
    from mertools.ov.descriptions import write_descriptions
    from mertools.ov.oracle import oracle_descriptions

    for oracle in oracles:
        path = out / oracle.folder / "descriptions.jsonl"
        write_descriptions(path, oracle_descriptions(oracle, judge))
        sys.stdout.write(f"{oracle.system.name}: {path}\n")


def _tell_unjudged(judgement: Judgement) -> None:
    """Why there is no number where there is none."""
    metrics: dict[tuple[str, str, str], dict[str, None]] = {}
    for system in judgement.systems:
        for run in system.runs if not system.chosen_by else ():
            for metric, reasons in run.unjudged.items():
                for clip, reason in reasons.items():
                    metrics.setdefault((system.name, clip, reason), {})[metric] = None
    failures = [(name, clip, ", ".join(found), reason) for (name, clip, reason), found in metrics.items()]
    if failures:
        sys.stdout.write("\n")
        print_table(("system", "clip", "without", "reason"), failures[:REASONS_SHOWN])
    if len(failures) > REASONS_SHOWN:
        sys.stdout.write(f"and {len(failures) - REASONS_SHOWN} more: their reasons stand in judgement.json\n")


def _without_first_epoch(checkpoints: Sequence[Entrant]) -> list[str]:
    first = {one.series for one in checkpoints if one.epoch == 0}
    return [name for name in dict.fromkeys(one.series for one in checkpoints) if name not in first]


def _write_page(path: Path, judgement: Judgement, further: Sequence[str]) -> None:
    from mertools.report.curves_page import write_curves_page

    write_curves_page(path, judgement, further)
    sys.stdout.write(f"Page: {path}\n")
