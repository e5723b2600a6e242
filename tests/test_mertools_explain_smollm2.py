"""The demo's explainers on their real language model: eight clips are learned word for word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from accelerate import Accelerator
from tiny_explainer import SENTENCES
from tiny_lessons import CLIPS, write_corpus

from mertools.errors import InputError
from mertools.explain.checkpoint import read_weights
from mertools.explain.configuration import Stage, read_configuration
from mertools.explain.instructions import Example
from mertools.explain.loading import new_explainer
from mertools.explain.teaching import Library
from mertools.explain.training import Training
from mertools.explain.validation import generated


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["demo-affectgpt", "demo-microemo"])
def test_eight_clips_are_learned_word_for_word_through_smollm2(name: str, tmp_path: Path) -> None:
    base = read_configuration(name)
    data = write_corpus(tmp_path, base, test=0)
    stage = Stage(
        "eight",
        (data,),
        epochs=1,
        steps_an_epoch=120,
        batch_size=8,
        learning_rate=2e-3,
        min_learning_rate=5e-4,
        warmup_steps=5,
    )
    chosen = replace(base, stages=(stage,))
    try:
        explainer = new_explainer(chosen)
    except InputError as error:
        pytest.skip(f"the language model cannot be had here: {str(error).splitlines()[0]}")
    utterances = {clip: ((0.0, 1.0), (1.25, 2.0)) for clip in CLIPS}
    with Library(chosen, tmp_path / "features", utterances) as library:
        checkpoint = Training(explainer, library, tmp_path / "run", Accelerator(cpu=True), 1000).run()
        explainer.load_trainable_state(read_weights(checkpoint))
        examples = [Example(clip, "", "Hello there.") for clip in CLIPS]
        told = [text for _, text in generated(explainer, library.frames(), examples, 8, 40)]
    assert told == list(SENTENCES)
