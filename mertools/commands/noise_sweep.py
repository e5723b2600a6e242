"""`mertools noise sweep`: how a trained system degrades as its clips become noisy."""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_extractors.catalog import card
from mertools import run_record
from mertools.commands.command_line import (
    Several,
    add_model_options,
    add_reading_options,
    add_time_limit,
    make_parser,
)
from mertools.commands.display import clip_progress, print_table
from mertools.commands.encoder_options import add_encoder_options, encoder_settings
from mertools.commands.finished_runs import FinishedRun, add_manifest_options, read_fusion, read_runs
from mertools.commands.fuse import load, load_copies, paper_names, pose
from mertools.commands.noise_draw import add_recording_options, find_recordings
from mertools.corpus import TRAIN, Corpus
from mertools.emotions import LabelSet
from mertools.errors import InputError
from mertools.registry import look_up
from noise.blur import FACTORS
from noise.recipe import CLEAN, Recipe

if TYPE_CHECKING:
    import numpy as np

    from feature_extractors.encoder import Encoder
    from feature_extractors.runner import Outcome
    from fusion.networks import SavedNetworks
    from mertools.clip import Clip
    from mertools.intervals import Estimate
    from mertools.prepare.noise_grid import Cell
    from noise.recordings import Recordings

RATIOS_DB = ("20", "15", "10", "5", "0")
METRICS = ("waf", "acc", "uar")
SCORES, PAGE = "sweep.csv", "sweep.html"
COLUMNS = ("system", "split", "estimate", "snr_db", "blur", "waf", "low", "high", "lost", "lost_low", "lost_high", "n")

DESCRIPTION = """\
Score the networks of a finished run on its own labelled clips under noise: at every ratio of speech to noise with
every blur. Training clips are answered by the network that has not seen them. Nothing noisy is written but features:
acoustic ones are extracted once a ratio, visual ones once a blur. The same command continues after an interruption."""

EXAMPLES = """\
  mertools noise sweep --run results/runs/20240601T101500Z-0a1b2c3d --speech musan/speech
  mertools noise sweep --run RUN --speech corpus --split semi --snr 10 5 --blur 2 --out sweep"""


@dataclass(frozen=True)
class Swept:
    """A system under the sweep: its row of the run's result, its networks, and the fold each training clip was held
    out in, by name."""

    row: Mapping[str, Any]
    networks: SavedNetworks
    fold_of: Mapping[str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write, tell; returns the exit status."""
    options = parse(arguments)
    run = read_fusion(options.run)
    if column := run["configuration"].get("scale_by"):
        raise InputError(
            f"{options.run} scales features by {column}, over all clips of the corpus; a sweep corrupts some of them. "
            "Name a run without --scale-by."
        )
    corpus, labels, (finished,) = read_runs([options.run], options.data, options.media_root)
    clips = labelled(corpus, options.split)
    configured = run["configuration"].get("media_root")
    media_root = options.media_root or (Path(configured) if configured else corpus.manifest.parent)
    recordings = find_recordings(options, corpus, media_root)

    from feature_extractors.encoder import torch_device
    from mertools.prepare.noise_grid import extract_grid, grid, same_draw
    from noise.corruption import Noise

    device = str(torch_device(options.device))
    systems = [kept(options, run, finished), *alone(options, run, corpus, labels, device)]
    encoders = find_encoders(options, systems)
    check_media(clips, corpus, {encoder.modality for of_level in encoders.values() for encoder in of_level})
    out = options.out or options.run / "sweep"
    started, begin = run_record.now(), time.monotonic()
    wanted = Recipe(options.seed, recordings.kind, options.blur_way, {})
    recipe = same_draw(out, clips, lambda: draw(options, clips, recordings, wanted), wanted)
    cells = grid(options.snr, options.blur)
    outcomes = extract_grid(
        clips,
        encoders,
        Noise(recipe, recordings.folder),
        cells,
        out,
        **{name: getattr(options, name) for name in ("workers", "device", "batch_size", "time_limit")},
        progress_of=lambda name: clip_progress(f"extracting {name}"),
    )
    extracted = time.monotonic()
    rows = scored(systems, clips, cells, out, labels, run["seed"], device)
    result = {
        "kind": "sweep",
        "command": run_record.command_line(
            "mertools", ["noise", "sweep", *(sys.argv[1:] if arguments is None else arguments)]
        ),
        "started": started,
        "seed": run["seed"],
        "versions": run_record.versions("torch", "numpy"),
        "device": device,
        "configuration": {name: str(v) if isinstance(v, Path) else v for name, v in vars(options).items()},
        "run": {"folder": str(options.run), "corpus": run["corpus"]["fingerprint"], "started": run["started"]},
        "labels": list(labels.names),
        "corpus": {
            "manifest": str(corpus.manifest),
            "fingerprint": corpus.fingerprint,
            "notice": corpus.notice,
            "splits": {split: sum(clip.split == split for clip in clips) for split in corpus.splits},
        },
        "noise": {
            "seed": recipe.seed,
            "kind": recipe.kind,
            "blur_way": recipe.blur_way,
            "fingerprint": recipe.fingerprint,
        },
        "grid": {
            "snr_db": list(dict.fromkeys(as_json(cell.snr_db) for cell in cells)),
            "blur": list(dict.fromkeys(cell.blur for cell in cells)),
        },
        "rows": rows,
        "extractions": [describe(outcome) for outcome in outcomes],
        "timings": {
            "extract_seconds": round(extracted - begin, 2),
            "score_seconds": round(time.monotonic() - extracted, 2),
        },
        "files": {"scores": SCORES, "page": PAGE},
    }
    write(out, result)
    show(result, out)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, ratios and blurs as numbers; ends the program where one is none."""
    parser = make_sweep_parser()
    options = parser.parse_args(arguments)
    try:
        options.snr = [float(text) for text in options.snr or RATIOS_DB]
        options.blur = [int(text) for text in options.blur or FACTORS]
    except ValueError as error:
        parser.error(f"--snr and --blur take numbers: {error}")
    if any(map(math.isnan, options.snr)) or -math.inf in options.snr:
        parser.error("--snr takes decibels, or inf for no noise")
    options.snr = [int(ratio) if ratio.is_integer() else ratio for ratio in options.snr if ratio != math.inf]
    if unknown := set(options.blur) - set(FACTORS):
        parser.error(f"--blur {min(unknown)}: pictures are scaled down by {', '.join(map(str, FACTORS))}")
    return options


def make_sweep_parser() -> argparse.ArgumentParser:
    """The options of `mertools noise sweep`."""
    parser = make_parser("mertools noise sweep", DESCRIPTION, EXAMPLES)
    parser.add_argument("--run", type=Path, required=True, metavar="RUN", help="the folder of a run of run_fusion.py")
    add_manifest_options(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of features, scores and page (default: RUN/sweep)"
    )
    parser.add_argument("--split", action=Several, metavar="NAME", help="splits to score (default: all with labels)")
    parser.add_argument(
        "--snr",
        action=Several,
        metavar="DB",
        help=f"ratios of speech to noise beside none at all (default: {' '.join(RATIOS_DB)})",
    )
    parser.add_argument(
        "--blur",
        action=Several,
        metavar="N",
        help=f"factors of blur beside none at all (default: {' '.join(map(str, FACTORS))})",
    )
    parser.add_argument(
        "--feature",
        action=Several,
        metavar="NAME",
        help="features that the run trained alone, to be swept alone too (default: those that its system reads)",
    )
    add_recording_options(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of which recordings each clip gets")
    add_encoder_options(parser)
    add_reading_options(parser)
    add_time_limit(parser, "reading one clip for one feature")
    add_model_options(parser, batch_size=32, batch_help="clips a model encodes at once")
    return parser


def labelled(corpus: Corpus, splits: Sequence[str] | None) -> list[Clip]:
    """The clips that can be scored; raises InputError for a split that is not there or has no labels."""
    clips = [clip for clip in corpus.clips if clip.label]
    with_labels = dict.fromkeys(clip.split for clip in clips)
    for split in splits or ():
        look_up("split with labels", split, with_labels)
    return [clip for clip in clips if not splits or clip.split in splits]


def kept(options: argparse.Namespace, run: Mapping[str, Any], finished: FinishedRun) -> Swept:
    """The run's own system, whose networks it kept."""
    from fusion.networks import load_networks

    answers = finished.out_of_fold
    networks = load_networks(options.run / run["files"]["networks"])
    return Swept(finished.system, networks, dict(zip(answers.names, answers.folds.tolist(), strict=True)))


def alone(
    options: argparse.Namespace, run: Mapping[str, Any], corpus: Corpus, labels: LabelSet, device: str
) -> Iterator[Swept]:
    """The features swept alone: a run keeps no networks of these, so they are trained again as it chose them.

    Raises InputError for a feature that the run did not train alone, and where its feature files are gone.
    """
    singles = {row["features"][0]: row for row in run["rows"] if row["kind"] == "single" and not row["written"]}
    read = run_record.written_row(run)["features"]
    names = options.feature or [name for name in read if name in singles]
    for name in names:
        look_up("feature that the run trained alone", name, singles)
    if not names:
        return

    from fusion.networks import trained_networks
    from fusion.scheduling import train_all
    from fusion.training import Configuration

    then = argparse.Namespace(**run["configuration"])
    then.data, then.features, then.device, then.feature = corpus.manifest, Path(then.features), device, names
    then.modalities = None
    inputs = load(then, corpus)
    problem = pose(then, corpus, labels, inputs, load_copies(then, corpus, inputs))
    for name in names:
        row = singles[name]
        own = problem.only([name]).of_draw(_best_draw(row))
        members = own.fold_members(Configuration(**row["chosen"]))
        trained = dict(train_all(own.material, own.training, members))
        networks = [trained[fold] for fold in range(own.fold_count)]
        folds = {clip.name: int(fold) for clip, fold in zip(corpus.train, own.folds, strict=True)}
        yield Swept(row, trained_networks(own, networks, labels.names), folds)


def _best_draw(row: Mapping[str, Any]) -> int:
    """The number of the draw that a row's system was chosen by."""
    draws = [trial for trial in row["trials"] if row["chosen"].items() <= trial.items()]
    return max(draws, key=lambda trial: trial["value"])["number"]


def find_encoders(options: argparse.Namespace, systems: Sequence[Swept]) -> dict[str, list[Encoder]]:
    """The encoders of all features of `systems`, by the level they are to store.

    Raises InputError for a feature that is not in the catalog, or that would be another than the networks know.
    """
    from feature_extractors.encoder import build

    settings = encoder_settings(options)
    encoders: dict[str, list[Encoder]] = defaultdict(list)
    known: set[str] = set()
    for system in systems:
        for name in system.networks.shapes:
            level = system.networks.origins[name]["level"]
            encoder = build(card(name), settings)
            system.networks.check_origin(name, encoder.provenance(level))
            if name not in known:
                known.add(name)
                encoders[level].append(encoder)
    return encoders


def check_media(clips: Sequence[Clip], corpus: Corpus, modalities: set[str]) -> None:
    """Raise InputError where noise has nothing to change: features of text alone, clips without sound or pictures."""
    if not modalities & {"audio", "video"}:
        raise InputError("The run reads text alone, which noise leaves as it is. Name a run with sound or pictures.")
    for modality, paths in {
        "audio": [clip.sound for clip in clips],
        "video": [clip.video for clip in clips],
    }.items():
        if modality in modalities and not any(path is not None and path.exists() for path in paths):
            named = next((path for path in paths if path is not None), None)
            first = f"the first would be {named}" if named else "the manifest names none"
            raise InputError(
                f"{corpus.manifest}: none of the {len(clips)} labelled clips has its {modality} at hand ({first}). "
                "Name the folder of the media with --media-root."
            )


def draw(options: argparse.Namespace, clips: Sequence[Clip], recordings: Recordings, head: Recipe) -> Recipe:
    """Which recordings each clip gets, in the recipe that begins with `head`."""
    from mertools.machine import cores
    from mertools.prepare.noise_drawing import draw_all

    workers = cores() if options.workers is None else options.workers
    with clip_progress("drawing", "with remarks") as progress:
        drawn = draw_all(clips, recordings, options.seed, False, workers=workers, progress=progress)
    return replace(head, clips={name: one.noise for name, one in drawn.items()})


def scored(
    systems: Sequence[Swept],
    clips: Sequence[Clip],
    cells: Sequence[Cell],
    folder: Path,
    labels: LabelSet,
    seed: int,
    device: str,
) -> list[dict[str, Any]]:
    """The rows of the result: every system on every split, cell by cell."""
    import numpy as np

    from fusion.inputs import load_inputs

    names = [clip.name for clip in clips]
    features = list(dict.fromkeys(name for system in systems for name in system.networks.shapes))
    held_out = [np.array([system.fold_of.get(name, -1) for name in names]) for system in systems]
    predicted: list[dict[Cell, np.ndarray]] = [{} for _ in systems]
    for cell in cells:
        inputs = load_inputs(folder / cell.name, features, clips, "the same command again")
        for system, folds, by_cell in zip(systems, held_out, predicted, strict=True):
            system.networks.check(inputs)
            by_cell[cell] = system.networks.predict(inputs, names, device, folds).classes
    return [
        {
            **{key: system.row[key] for key in ("kind", "modalities", "top", "features", "written")},
            "parts": list(_parts(system, clips, by_cell, folds, labels, seed)),
        }
        for system, folds, by_cell in zip(systems, held_out, predicted, strict=True)
    ]


def _parts(
    system: Swept,
    clips: Sequence[Clip],
    by_cell: Mapping[Cell, np.ndarray],
    folds: np.ndarray,
    labels: LabelSet,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """What the result says of one system on each split: scores by cell, and what they come to."""
    import numpy as np

    from mertools.intervals import estimates
    from mertools.paired_tests import contrasts, difference
    from mertools.report.printed import COLUMNS as PRINTED
    from mertools.report.printed import PrintedRows, printed_score
    from mertools.report.robustness import carried_by, loss_weights, robustness

    paper = PrintedRows.read().of(system.row)
    semi, noise = (printed_score(paper, PRINTED[split, "test"], "waf") for split in ("semi", "noise"))
    for split in dict.fromkeys(clip.split for clip in clips):
        rows = np.flatnonzero([clip.split == split for clip in clips])
        truth = np.array(labels.indices([clips[row].label for row in rows]))
        estimate, own_folds = ("cv-paper", folds[rows]) if split == TRAIN else ("test", None)
        found: dict[Cell, dict[str, Estimate]] = {
            cell: estimates(truth, classes[rows], labels.names, seed, own_folds) for cell, classes in by_cell.items()
        }
        wafs = {(cell.snr_db, cell.blur): of_cell["waf"].value for cell, of_cell in found.items()}
        weights = loss_weights(list(wafs))
        answers = np.column_stack([classes[rows] for classes in by_cell.values()])
        found_lost = contrasts(truth, answers, np.stack(list(weights.values())), labels.names, seed, folds=own_folds)
        lost = {part: asdict(difference(found_lost, m, len(rows))) for m, part in enumerate(weights)}
        of_parts = {part: loss for part, loss in lost.items() if isinstance(part, str)}
        yield {
            "split": split,
            "estimate": estimate,
            "scores": [
                {"snr_db": as_json(cell.snr_db), "blur": cell.blur, **score}
                for cell, of_cell in found.items()
                for score in run_record.score_rows(split, estimate, [{metric: of_cell[metric] for metric in METRICS}])
            ],
            "losses": [
                {"snr_db": as_json(cell.snr_db), "blur": cell.blur, **lost[cell.snr_db, cell.blur]} for cell in by_cell
            ],
            "robustness": asdict(robustness(wafs)),
            "lost": of_parts,
            "carried_by": carried_by({part: loss["value"] for part, loss in of_parts.items()}),
            "paper_loss": (semi.value - noise.value) / 100 if semi and noise else None,
        }


def as_json(snr_db: float) -> float | str:
    """A ratio as JSON can hold it."""
    return CLEAN if snr_db == math.inf else snr_db


def describe(outcome: Outcome) -> dict[str, Any]:
    """What became of the clips in one extraction."""
    counts = {status: outcome.count(status) for status in ("ok", "missing", "failed")}
    return {"cell": outcome.path.parent.name, "feature": outcome.feature, **counts}


def write(out: Path, result: Mapping[str, Any]) -> None:
    """Write scores and page into `out`, result.json last."""
    from mertools.report.sweep_page import write_sweep_page

    names = paper_names()
    with (out / SCORES).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in result["rows"]:
            for part in row["parts"]:
                wafs = [score for score in part["scores"] if score["metric"] == "waf"]
                for score, lost in zip(wafs, part["losses"], strict=True):
                    losses = {"lost": lost["value"], "lost_low": lost["low"], "lost_high": lost["high"]}
                    values = {**score, **losses, "system": "+".join(row["features"]), "waf": score["value"]}
                    writer.writerow([values[column] for column in COLUMNS])
    write_sweep_page(out / PAGE, result, names, list(notes(result)))
    run_record.write_result(out, result)


def show(result: Mapping[str, Any], out: Path) -> None:
    """Print the tables, what their reader must know, and where everything lies."""
    from mertools.report.rendering import per_cent
    from mertools.report.robustness import AUDIO, BOTH, CHALLENGE, VIDEO
    from mertools.report.sweep_page import shown_ratio
    from mertools.report.tables import as_number, split_heading, system_name

    names, blurs = paper_names(), result["grid"]["blur"]
    system = result["rows"][0]
    header = ["split", "SNR, dB", *(f"blur {blur}" if blur > 1 else "no blur" for blur in blurs)]
    lines = []
    for part in system["parts"]:
        numbers = {(one["snr_db"], one["blur"]): as_number(one) for one in part["scores"] if one["metric"] == "waf"}
        for ratio in result["grid"]["snr_db"]:
            cells = [numbers[ratio, blur] for blur in blurs]
            shown = [f"{number} {number.interval}" for number in cells]
            lines.append([split_heading(part["split"]), shown_ratio(ratio), *shown])
    sys.stdout.write(f"WAF of {system_name(system, names)}, per cent\n")
    print_table(header, lines)
    lines = []
    for part in system["parts"]:
        losses = {(one["snr_db"], one["blur"]): as_number(one) for one in part["losses"]}
        for ratio in result["grid"]["snr_db"]:
            cells = ["" if (ratio, blur) == (CLEAN, 1) else losses[ratio, blur] for blur in blurs]
            shown = [f"{lost} {lost.interval}" if lost else "" for lost in cells]
            lines.append([split_heading(part["split"]), shown_ratio(ratio), *shown])
    sys.stdout.write("\nWhat noise takes of it, points\n")
    print_table(header, lines)
    header = ["system", "split", "kept over SNR, %", "over blur, %", "over the grid, %", "lost to noise, points"]
    header += ["to blur", "to both", "carried by", "lost at 5 to 10 dB", "paper"]
    lines = []
    for row in result["rows"]:
        for part in row["parts"]:
            kept_shares = [part["robustness"][key] for key in ("by_snr", "by_blur", "grid")]
            lost = {key: as_number(loss) for key, loss in part["lost"].items()}
            *alone, challenge = (
                f"{lost[key]} {lost[key].interval}" if key in lost else "–" for key in (AUDIO, VIDEO, BOTH, CHALLENGE)
            )
            lines.append(
                [
                    system_name(row, names),
                    split_heading(part["split"]),
                    *(per_cent(share, 1) for share in kept_shares),
                    *alone,
                    part["carried_by"] or "–",
                    challenge,
                    per_cent(part["paper_loss"]),
                ]
            )
    sys.stdout.write("\n")
    print_table(header, lines)
    sys.stdout.write("\n")
    notice = result["corpus"]["notice"]
    sys.stdout.writelines(f"{note}\n" for note in ([notice] if notice else []) + list(notes(result)))
    sys.stdout.write(f"\nScores: {out / SCORES}\nPage:   {out / PAGE}\n")


def notes(result: Mapping[str, Any]) -> Iterator[str]:
    """What the reader of the tables must know."""
    from mertools.report.footnotes import ESTIMATES

    used = dict.fromkeys(part["estimate"] for row in result["rows"] for part in row["parts"])
    yield from (f"{estimate}: {ESTIMATES[estimate]}." for estimate in used)
    yield (
        "The networks kept answer, one a fold; where the run was repeated, its own table shows means over repeats. "
        "Features alone: networks trained again as the run chose them."
    )
    yield (
        "Kept: the mean height under the WAF over SNR without blur, over octaves of blur without noise, and over all "
        "cells, as a share of the clean WAF. Lost: points of WAF on average over the cells with noise in the sound "
        "alone, in the pictures alone, in both; carried by the one of the first two that loses more. Intervals of what "
        "is lost are of the paired bootstrap: the same clips clean and noisy, drawn again together."
    )
    yield (
        "paper: WAF on MER-SEMI less that on MER-NOISE (MER2024, Tables 4 and 5), two sets of other clips, the second "
        "with texts recognised from the noise; here the same clips, clean and at 5 to 10 dB, with clean texts."
    )
    failed = sum(one["failed"] for one in result["extractions"])
    if failed:
        yield f"{failed} times a feature of a clip failed: see `extractions` in result.json, and the feature files."
