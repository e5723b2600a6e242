"""The options of `run_fusion.py`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from mertools.commands.command_line import Several, add_corpus_options, count, make_parser, positive

COMBINATIONS = ("AVT", "AV", "AT", "VT", "A", "V", "T")
MODELS = ("attention", "attention-release", "concat")
AS_RELEASED = {"model": "attention-release", "scale": "none", "nested": False, "repeats": 0}
"""What `--as-released` sets; folds are unstratified, and drawn anew for every draw, beside it."""

EXAMPLES = """\
  python run_fusion.py --top 3                            the three best features of each modality
  python run_fusion.py --top 1 --modalities AV            the best audio and the best video feature
  python run_fusion.py --feature hubert-large clip-large  these two
  python run_fusion.py --feature egemaps --group speaker  speakers kept apart between folds
  python run_fusion.py --table4 --table5                  both tables of the paper
  python run_fusion.py --top 3 --also noise=noisy-features  the same networks on noisy features too
  python run_fusion.py --top 3 --train-also noisy-train     networks that have seen noise
  python run_fusion.py --top 3 --self-train                 networks that learn from the other splits, without labels"""


def make_fusion_parser() -> argparse.ArgumentParser:
    """The options of `run_fusion.py`."""
    parser = make_parser(
        "run_fusion.py",
        "Train the fusion of MER2024 (equations 1 to 3) on the clips of split 'train', choose its configuration in\n"
        "five-fold cross-validation, predict every other split, and write scores, networks, predictions, submissions\n"
        "and a report. A search that was ended goes on where it was.",
        EXAMPLES,
    )
    add_corpus_options(parser)
    parser.add_argument("--features", type=Path, default=Path("features"), metavar="DIR", help="feature files' folder")
    parser.add_argument(
        "--runs", type=Path, default=Path("results/runs"), metavar="DIR", help="where the run's folder is made"
    )
    _add_systems(parser.add_argument_group("which systems"))
    _add_training(parser.add_argument_group("how they are trained"))
    _add_self_training(parser.add_argument_group("learning from clips without labels"))
    _add_estimates(parser.add_argument_group("how they are chosen and scored"))
    parser.add_argument("--seed", type=int, default=0, help="seed of folds, draws, weights and batches")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    return parser


def _add_systems(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--feature", action=Several, metavar="NAME", help="features to use (default: all in the folder)")
    group.add_argument(
        "--top",
        type=positive,
        metavar="N",
        help="rank the features by cross-validation on train and use the N best of each modality "
        "(default: 1, or everything that --feature names)",
    )
    group.add_argument(
        "--modalities", choices=COMBINATIONS, help="modalities to use (default: all that have a feature)"
    )
    group.add_argument("--table4", action="store_true", help="every feature alone (the paper's Table 4)")
    group.add_argument(
        "--table5", action="store_true", help="A+V, A+T, V+T and A+V+T with the top 1 to 6 of each (Table 5)"
    )
    group.add_argument(
        "--rank-by",
        choices=("train", "paper"),
        default="train",
        help="what --top and --table5 go by: cross-validation on train, or the average of the paper's Table 4, which "
        "has seen the test sets",
    )


def _add_training(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--model", choices=MODELS, default="attention", help="the fusion network")
    group.add_argument("--epochs", type=positive, default=100, metavar="N", help="epochs each network is trained for")
    group.add_argument(
        "--scale",
        choices=("standard", "limited", "none"),
        default="standard",
        help="bring every feature to mean 0 and deviation 1 on the training folds; limited: and what is more than 5 "
        "deviations away to 5, which keeps outliers of noisy clips in bounds; or leave it as it is",
    )
    group.add_argument(
        "--scale-by",
        metavar="COLUMN",
        help="first bring every feature to mean 0 and deviation 1 over all clips that share this column (speaker), "
        "those that are scored among them, without their labels",
    )
    group.add_argument(
        "--modality-dropout",
        type=_share,
        default=0.0,
        metavar="P",
        help="how often a modality of a training clip is hidden, never all of them",
    )
    group.add_argument(
        "--train-also",
        action=Several,
        default=[],
        metavar="DIR",
        help="train on copies of the training clips too, such as noisy ones: folders of features of the same names. "
        "Each time a clip is shown it is drawn from the clean features and its copies, and epochs and configurations "
        "are chosen by the mean score over all of these",
    )
    group.add_argument(
        "--consistency",
        type=_weight,
        default=0.0,
        metavar="WEIGHT",
        help="show each clip clean and as one of its copies (--train-also) at once, and add to the loss so many times "
        "the divergence of the copy's prediction from the clean one",
    )
    group.add_argument("--class-weights", action="store_true", help="weigh classes in the loss by 1 / frequency")
    group.add_argument(
        "--prior-adjustment", action="store_true", help="take the training classes' log frequencies off the logits"
    )
    group.add_argument(
        "--as-released",
        action="store_true",
        help="what the organisers' code does: its network, no scaling, unstratified folds that every draw draws anew, "
        "no nested estimate",
    )


def _add_self_training(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--self-train",
        type=positive,
        nargs="?",
        const=1,
        metavar="ROUNDS",
        help="teach the chosen system from clips without labels, in so many rounds (default: 1), as another row of the "
        "table, whose predictions are written. A round that is worse on the training folds ends it",
    )
    group.add_argument(
        "--pool", action=Several, metavar="SPLIT", help="splits to learn from without labels (default: all but train)"
    )
    group.add_argument(
        "--trust-pool",
        action="store_true",
        help="learn from the pool even where a check warns that its features are of another domain or of other clips",
    )
    group.add_argument(
        "--teachers",
        action=Several,
        metavar="KIND",
        help="who says what the pool's clips are: 'networks' like the student's, trained on its labelled clips, or "
        "'clusters', a linear classifier on where a clip lies in the pool (default: both, the mean of what they say)",
    )
    group.add_argument(
        "--pseudo-labels",
        type=Path,
        metavar="CSV",
        help="learn from these pseudo-labels (name, label or p_<label>…, weight), such as those of a run, edited",
    )
    group.add_argument(
        "--accept",
        type=_share_or_all,
        default=0.5,
        metavar="SHARE",
        help="accept this share of the pool's clips of each predicted class, the most confident ones",
    )
    group.add_argument(
        "--threshold",
        action=Several,
        metavar="[LABEL=]P",
        help="accept clips from this confidence on instead, for all classes or for the one named",
    )
    group.add_argument(
        "--class-cap", type=_weight, metavar="RATIO", help="accept at most so many times the mean over classes of one"
    )
    group.add_argument(
        "--agree",
        action=Several,
        default=[],
        metavar="VIEW",
        help="accept only what these say too: 'modality' (a network for each modality alone), 'encoder' (one for the "
        "features of each family of encoders), or a file of labels such as a language model's labels.csv",
    )
    group.add_argument(
        "--soft-labels", action="store_true", help="teach the probabilities of all classes, not the likeliest class"
    )
    group.add_argument(
        "--pool-prior",
        choices=("em", "bbse"),
        help="move the teachers' probabilities to the class frequencies that this estimate finds in the pool",
    )


def _add_estimates(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sampler",
        choices=("random", "grid"),
        default="random",
        help="random draws from the search space, or every configuration in it",
    )
    group.add_argument("--trials", type=positive, default=50, metavar="N", help="how many random draws")
    group.add_argument("--folds", type=positive, default=5, metavar="N", help="folds of the cross-validation")
    group.add_argument("--group", metavar="COLUMN", help="keep clips that share this column (speaker) in one fold")
    group.add_argument(
        "--nested",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="estimate what choosing epoch, configuration and ranking adds to the score (cv-nested)",
    )
    group.add_argument(
        "--repeats",
        type=count,
        default=6,
        metavar="N",
        help="train the chosen configuration so many times more, with other seeds and folds, and show mean and ±",
    )
    group.add_argument(
        "--study",
        metavar="STORAGE",
        help="where draws are kept, for several workers and for resuming: a journal file or an Optuna storage URL "
        "(default: search.journal beside --runs)",
    )
    group.add_argument(
        "--also",
        type=_named_folder,
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="score the same networks on other features of the same names too; may be repeated",
    )
    group.add_argument(
        "--candidates", type=Path, metavar="CSV", help="predict only the clips of this list (column 'name')"
    )
    group.add_argument("--labels", action=Several, metavar="NAME", help="classes, or 'auto' (default: MER2024's six)")


def _share(text: str) -> float:
    return _number(text, 1, "from 0 to below 1")


def _share_or_all(text: str) -> float:
    return _number(text, math.nextafter(1, 2), "from 0 to 1")


def _weight(text: str) -> float:
    return _number(text, math.inf, "of at least 0")


def _number(text: str, below: float, wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < below:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number {wanted}")
    return value


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR, such as noise=noisy-features")
    return name, Path(folder)
