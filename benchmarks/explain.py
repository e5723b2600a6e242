"""What a training step of an explainer costs over its frozen language model alone.

    python benchmarks/explain.py
    python benchmarks/explain.py --configuration demo-microemo --batch-size 2

One side is a whole step: branches, language model, loss on the answers, the way back, clipping, AdamW. The other is the
bare language model on as many tokens, forward and backward to its input embeddings, with the same loss on the same
answers: what no explainer that is trained through a frozen language model can do without. Both sides take turns on the
same machine, and the median counts. The ratio may be --target at most, 1.25; the script ends with status 1 where it is
more.

Language model and widths are the configuration's; frames are random, and as many as it samples.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch.nn import functional

from mertools.explain.batch import IGNORED, Batch, MediaInput, collate, stack_media
from mertools.explain.configuration import Branch, Configuration, DataSet, Stage, read_configuration
from mertools.explain.explainer import Explainer, positions
from mertools.explain.language_models import load_language_model
from mertools.explain.optimisation import make_optimiser
from mertools.randomness import torch_generator

TARGET = 1.25
SUBTITLE = "I have had enough, you lied to me again!"
ANSWER = (
    "The face is angry: the brows are drawn together and the lips are pressed. The voice is loud, fast and rough: "
    "angry and aggressive. These are words of someone angry and exasperated. So this person is angry."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configuration", default="demo-affectgpt", help="a name or a YAML file (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--dtype", help="of the language model, instead of the configuration's")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--target", type=float, default=TARGET)
    options = parser.parse_args()
    ratio = measure(options)
    print(f"a training step over the bare language model: {ratio:.3f}, at most {options.target}")
    if ratio > options.target:
        sys.exit(1)


def measure(options: argparse.Namespace) -> float:
    """The ratio of the medians, printed with what it is made of."""
    configuration = read_configuration(options.configuration)
    if options.dtype:
        model = replace(configuration.language_model, dtype=options.dtype)
        configuration = replace(configuration, language_model=model)
    explainer = Explainer(configuration, load_language_model(configuration.language_model)).to(options.device).train()
    batch = made_batch(explainer, configuration, options.batch_size).to(options.device)
    step, bare = training_step(explainer, batch), bare_step(explainer, batch)
    seconds: dict[str, list[float]] = {"step": [], "bare": []}
    for repeat in range(options.repeats + 1):
        for name, side in (("step", step), ("bare", bare)):
            elapsed = timed(side, options.device)
            # The first turn of each side warms up.
            if repeat:
                seconds[name].append(elapsed)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    trained = sum(parameter.numel() for parameter in explainer.trainable_parameters().values())
    print(
        f"{options.configuration}, {tuple(batch.input_ids.shape)} tokens, {trained:,} trained parameters: "
        f"{medians['step']:.3f} s a step, {medians['bare']:.3f} s the bare language model"
    )
    return medians["step"] / medians["bare"]


def training_step(explainer: Explainer, batch: Batch) -> Callable[[], None]:
    """A whole step, as `mertools.explain.training` takes it."""
    parameters = explainer.trainable_parameters()
    optimiser = make_optimiser(parameters, Stage("benchmark", (DataSet("none"),)))

    def step() -> None:
        explainer(batch).mean.backward()
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    return step


def bare_step(explainer: Explainer, batch: Batch) -> Callable[[], None]:
    """The language model on ready embeddings of as many tokens, and back to them."""
    embeddings = explainer.embed(batch).detach().requires_grad_()
    first = int((batch.labels != IGNORED).any(dim=0).nonzero()[0])
    targets = batch.labels[:, first:].flatten()

    def step() -> None:
        logits = explainer.language_model(
            inputs_embeds=embeddings,
            attention_mask=batch.attention_mask,
            position_ids=positions(batch.attention_mask),
            logits_to_keep=batch.labels.shape[1] - first + 1,
            use_cache=False,
        ).logits[:, :-1]
        functional.cross_entropy(logits.flatten(0, 1).float(), targets, ignore_index=IGNORED).backward()
        embeddings.grad = None

    return step


def made_batch(explainer: Explainer, configuration: Configuration, size: int) -> Batch:
    """`size` examples with random frames, two utterances each where the explainer looks at them."""
    windows = 2 if any(branch.windows for branch in configuration.branches.values()) else 0
    encoded = explainer.template.encode(SUBTITLE, ANSWER, configuration.token_counts(windows))
    media = {
        medium: stack_media([made_media(branch, number) for number in range(size)])
        for medium, branch in configuration.branches.items()
    }
    return collate([encoded] * size, media, explainer.template.pad_id)


def made_media(branch: Branch, number: int) -> MediaInput:
    """Random frames, a quarter of a second apart."""
    draw = torch_generator(0, "benchmark", branch.feature, number)
    count = branch.frames
    local = branch.local_attention
    return MediaInput(
        frames=torch.randn(1, count, *branch.frame_shape, generator=draw),
        times=torch.arange(count)[None] / 4,
        mask=torch.ones(1, count, dtype=torch.bool),
        windows=torch.tensor([[[0.0, 0.9], [1.0, 2.0]]]) if branch.windows else None,
        window_mask=torch.ones(1, 2, dtype=torch.bool) if branch.windows else None,
        regions=torch.rand(1, count, len(local.regions), branch.patches, generator=draw) < 0.3 if local else None,
    )


def timed(work: Callable[[], None], device: str) -> float:
    """Seconds that `work` takes."""
    if device != "cpu":
        torch.cuda.synchronize()
    begin = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
