"""`mertools <verb>`: the verbs, and the module behind each, imported when asked."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import mertools
from mertools.commands.command_line import run
from mertools.registry import look_up

VERBS = {
    "extract": ("mertools.commands.extract", "clips -> feature files (also: python extract.py)"),
    "fuse": ("mertools.commands.fuse", "feature files -> scores, predictions, submission (also: python run_fusion.py)"),
    "predict": ("mertools.commands.predict", "a finished run and new clips -> predictions, submissions, scores"),
    "compare": ("mertools.commands.compare", "is one run better than another on the same clips?"),
    "ensemble": ("mertools.commands.ensemble", "several runs -> one: a vote of their probabilities"),
    "demo": ("mertools.commands.demo", "generate a corpus and run the main job on it, from clips to a report"),
    "data demo": ("mertools.commands.data_demo", "generate the demo corpus alone"),
    "data import": ("mertools.commands.data_import", "write a manifest for a release of MER2023, 2024, 2025 or 2026"),
    "data transcribe": ("mertools.commands.data_transcribe", "write down what is said in clips without a subtitle"),
    "data validate": ("mertools.commands.data_validate", "what is wrong with the clips of a corpus, clip by clip"),
    "data faces": ("mertools.commands.data_faces", "find and crop faces once, for all visual encoders"),
    "data card": ("mertools.commands.data_card", "what a corpus holds, in the manner of the paper's Table 1"),
    "prepare cut": ("mertools.commands.prepare_cut", "films -> clips of one person who speaks, with a manifest"),
    "prepare select": ("mertools.commands.prepare_select", "which clips are worth annotating, by systems' votes"),
    "prepare annotate export": ("mertools.commands.prepare_annotate_export", "a page for each rater: label the clips"),
    "prepare annotate import": ("mertools.commands.prepare_annotate_import", "the raters' answers -> labels, splits"),
    "adapt videomae": ("mertools.commands.adapt_videomae", "continue VideoMAE's pre-training on a corpus' faces"),
    "noise draw": ("mertools.commands.noise_draw", "which noise and which blur each clip gets, as in MER-NOISE"),
    "noise apply": ("mertools.commands.noise_apply", "write noisy clips, and a manifest beside them"),
    "noise sweep": ("mertools.commands.noise_sweep", "how a trained system degrades as its clips become noisy"),
    "features list": ("mertools.commands.features_list", "the encoders that can be asked for"),
    "features info": ("mertools.commands.features_info", "what feature files hold, and where they come from"),
    "features verify": ("mertools.commands.features_verify", "check every row of feature files"),
    "features merge": ("mertools.commands.features_merge", "one feature file of those that several machines wrote"),
    "features fingerprint": ("mertools.commands.features_fingerprint", "is this encoder that of another lab?"),
    "features export": ("mertools.commands.features_export", "a feature file as .npy files or a Parquet table"),
    "features import": ("mertools.commands.features_import", "the challenge's .npy features as a feature file"),
    "explain train": ("mertools.commands.explain_train", "an explainer on stored frames, in one stage or several"),
    "explain generate": ("mertools.commands.explain_generate", "a trained explainer's descriptions of clips"),
    "explain evaluate": ("mertools.commands.explain_evaluate", "do trained explainers' labels cover the true ones?"),
    "explain describe": ("mertools.commands.explain_describe", "what an explainer consists of, part by part"),
    "explain landmarks": ("mertools.commands.explain_landmarks", "where the parts of faces are, for MicroEmo"),
    "explain convert": ("mertools.commands.explain_convert", "Video-LLaMA's and BLIP-2's weights -> an explainer's"),
    "ov models": ("mertools.commands.ov_models", "the language models that explain emotions, the papers' and today's"),
    "ov serve": ("mertools.commands.ov_serve", "serve a local language model (a small stand-in) over the chat API"),
    "ov probe": ("mertools.commands.ov_probe", "does a language model perceive pictures, videos, sounds? Ask it"),
    "ov run": ("mertools.commands.ov_run", "clips -> clues, descriptions and open-vocabulary labels, all in one"),
    "ov observe": ("mertools.commands.ov_observe", "measured signals of voice and face in words -> clues.jsonl"),
    "ov clues": ("mertools.commands.ov_clues", "what a multimodal model notices of each clip"),
    "ov import": ("mertools.commands.ov_import", "what others' models said of clips, as clues"),
    "ov describe": ("mertools.commands.ov_describe", "clues and subtitles -> descriptions"),
    "ov translate": ("mertools.commands.ov_translate", "clues, descriptions or labels into English or Chinese"),
    "ov labels": ("mertools.commands.ov_labels", "descriptions -> any number of labels a clip"),
    "ov score": ("mertools.commands.ov_score", "how well predicted open-vocabulary labels cover the true ones"),
    "ov hit-rate": ("mertools.commands.ov_hit_rate", "open-vocabulary labels on a corpus with one label a clip"),
    "ov submit": ("mertools.commands.ov_submit", "open-vocabulary labels as the file that a challenge takes"),
    "ov report": ("mertools.commands.ov_report", "what systems say of clips, side by side on one page"),
    "ov judge": ("mertools.commands.ov_judge", "a language model on how far descriptions agree with the truth"),
    "ov judge show": ("mertools.commands.ov_judge_show", "saved judgements as one table, of one judge each"),
    "ov rate export": ("mertools.commands.ov_rate_export", "a page for each rater: what people think of descriptions"),
    "ov rate import": ("mertools.commands.ov_rate_import", "the raters' answers -> a mean for each system, agreement"),
    "ov build coarse": ("mertools.commands.ov_build_coarse", "explain a whole corpus without people, as EMER-Coarse"),
    "ov build emer": ("mertools.commands.ov_build_emer", "explain a sample with people, step by step, as EMER"),
    "ov build filter": ("mertools.commands.ov_build_filter", "leave out explanations that are not to be trained on"),
    "ov build split": ("mertools.commands.ov_build_split", "which explanations train and which test"),
    "submission check": ("mertools.commands.submission_check", "would the challenge's scorer read this submission?"),
}


def usage() -> str:
    """The list of verbs, as `mertools --help` prints it."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {summary}" for verb, (_, summary) in VERBS.items()]
    return "\n".join(
        [
            f"mertools {mertools.__version__}: {mertools.__doc__.splitlines()[0]}",
            "",
            "usage: mertools <verb> [options]",
            "",
            *lines,
            "",
            "mertools <verb> --help tells the options of one.",
        ]
    )


def verb_length(words: Sequence[str]) -> int:
    """How many of `words` name the verb: one more for as long as they are the beginning of a longer one."""
    length = 1
    while length < len(words) and not words[length].startswith("-"):
        beginning = " ".join(words[:length])
        if not any(verb.startswith(f"{beginning} ") for verb in VERBS):
            break
        length += 1
    return length


def dispatch(arguments: Sequence[str] | None = None) -> int:
    """Find the verb at the head of `arguments` and run the module behind it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(usage() + "\n")
        return 0 if words else 2
    if words[0] == "--version":
        sys.stdout.write(f"mertools {mertools.__version__}\n")
        return 0
    length = verb_length(words)
    module, _ = look_up("verb", " ".join(words[:length]), VERBS)
    return importlib.import_module(module).main(words[length:])


def main() -> None:
    """The console script `mertools`."""
    run(dispatch)


if __name__ == "__main__":
    main()
