"""Continued masked pre-training of VideoMAE (Tong et al. 2022, arXiv:2203.12602): each step a pure function of the
seed, its number and what was learned before, so that a run which is killed ends as one that was not."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from feature_extractors.cards.card import Recipe
from feature_extractors.face_source import FaceSource
from feature_extractors.pictures import scaled
from feature_extractors.videomae import ADAPTATION, IMAGENET_MEAN, IMAGENET_STD
from mertools.errors import InputError
from mertools.prepare.adaptation.clips import FaceClips
from mertools.prepare.adaptation.schedule import (
    learning_rate,
    load_optimiser_state,
    make_optimiser,
    optimiser_state,
)
from mertools.prepare.adaptation.start import Start, patches_of
from mertools.prepare.adaptation.state import (
    LossLog,
    State,
    last_state,
    read_losses,
    refuse_another,
    save_state,
)
from mertools.prepare.adaptation.views import MASK_RATIO
from mertools.prepare.adaptation.visits import Batch, Places, Visits, reader
from mertools.randomness import seed_for
from mertools.run_record import versions
from mertools.whole_files import whole_folder

SCHEMA = 1
STATES, CHECKPOINT, LOSSES = "states", "checkpoint", "loss.csv"

Told = Callable[[int, int, float], None]
"""Told how many steps are done, how many there are, and the loss of the last."""


@dataclass(frozen=True)
class Plan:
    """What decides about the result beside the checkpoint it starts from and the clips.

    `recipe` is the name of the one of `card` whose pictures are shown; `epochs` how often each clip is, `clips_a_step`
    how many go into one step over all processes, `learning_rate_for_256` the highest rate for 256 of them.
    """

    card: str
    recipe: str
    epochs: int
    clips_a_step: int
    learning_rate_for_256: float
    seed: int

    def steps(self, clips: int) -> int:
        """How many steps it takes to show `clips` clips `epochs` times, the last one filled up."""
        return math.ceil(self.epochs * clips / self.clips_a_step)


@dataclass(frozen=True)
class Reading:
    """How clips are read, which the result does not depend on: `batch_size` clips at once on a device, `workers`
    processes that read them, and after how many steps the state is saved."""

    batch_size: int
    workers: int
    save_every: int


class Adaptation:
    """One adaptation in a folder; begun anew, or gone on with where it was killed."""

    def __init__(
        self,
        start: Start,
        clips: FaceClips,
        faces: FaceSource,
        recipe: Recipe,
        plan: Plan,
        out: Path,
        accelerator: Any,
        reading: Reading,
    ) -> None:
        """Take hold of the network of `start`, and look for a state to go on from in `out`.

        Raises InputError for a folder that holds another adaptation, and where the clips a step are no multiple of
        those that all processes hold at once.
        """
        self.plan = plan
        self.clips = clips
        self.out = out
        self.steps = plan.steps(len(clips.clips))
        self._faces, self._recipe = faces, recipe
        self._accelerator, self._reading = accelerator, reading
        at_once = reading.batch_size * accelerator.num_processes
        if plan.clips_a_step % at_once:
            raise InputError(f"{plan.clips_a_step} clips a step are no multiple of the {at_once} held at once.")
        self._parts = plan.clips_a_step // at_once
        self._source, self._network = start.source, start.network
        self.identity = self._identity(start)
        self.resumed = self._found()

    def _identity(self, start: Start) -> dict[str, Any]:
        return {
            "start": start.revision,
            "clips_fingerprint": self.clips.fingerprint,
            **dict(self._faces.facts),
            **asdict(self.plan),
        }

    def _found(self) -> State | None:
        path = self.out / CHECKPOINT / ADAPTATION
        if path.is_file():
            refuse_another(self.out, json.loads(path.read_text(encoding="utf-8"))["identity"], self.identity)
        found = last_state(self.out / STATES)
        if found:
            refuse_another(self.out, found.identity, self.identity)
        return found

    @property
    def finished(self) -> bool:
        """Whether the checkpoint is there already."""
        return (self.out / CHECKPOINT / ADAPTATION).is_file()

    def run(self, tell: Told = lambda done, total, loss: None) -> Path:
        """Train to the end; returns the folder of the checkpoint.

        Raises InputError for a clip that cannot be read any more, a full disk, and a loss that is no number.
        """
        if not self.finished:
            self._train(tell)
            if self._accelerator.is_main_process:
                self._write()
        if self._accelerator.is_main_process:
            # Only now: what was saved last is all there is until the checkpoint stands.
            shutil.rmtree(self.out / STATES, ignore_errors=True)
        self._accelerator.wait_for_everyone()
        return self.out / CHECKPOINT

    def _train(self, tell: Told) -> None:
        accelerator, plan, first = self._accelerator, self.plan, self.resumed.step if self.resumed else 0
        weights, moments = self.resumed.tensors() if self.resumed else ({}, {})
        if weights:
            self._network.load_state_dict(weights)
        self._network.to(accelerator.device).requires_grad_(True).train()
        optimiser = make_optimiser(self._network)
        load_optimiser_state(optimiser, self._network, moments)
        network = accelerator.prepare_model(self._network)
        batches = iter(self._reader(first))
        losses = LossLog(self.out / LOSSES, first) if accelerator.is_main_process else None
        for step in range(first, self.steps):
            rate = learning_rate(step, self.steps, plan.learning_rate_for_256, plan.clips_a_step)
            for group in optimiser.param_groups:
                group["lr"] = rate
            # For checkpoints with dropout: a run that goes on drops what it would have.
            torch.manual_seed(seed_for(plan.seed, "adapt step", step, accelerator.process_index))
            loss = self._step(network, optimiser, [next(batches) for _ in range(self._parts)])
            if not math.isfinite(loss):
                raise InputError(f"The loss of step {step} is {loss}. Lower --learning-rate, and give another --out.")
            if losses:
                losses.add(step, step * plan.clips_a_step / len(self.clips.clips), loss, rate)
            if (step + 1) % self._reading.save_every == 0 or step + 1 == self.steps:
                self._save(step + 1, optimiser)
            tell(step + 1, self.steps, loss)
        # prepare_model wraps the forward of the network itself.
        accelerator.unwrap_model(network, keep_fp32_wrapper=False)

    def _reader(self, first: int) -> torch.utils.data.DataLoader:
        patches, pairs = patches_of(self._network)
        visits = Visits(self.clips.clips, self._faces, self._recipe, patches, pairs, self.plan.seed)
        accelerator, reading = self._accelerator, self._reading
        places = Places(
            first, self.steps, self._parts, reading.batch_size, accelerator.process_index, accelerator.num_processes
        )
        return reader(visits, places, reading.workers)

    def _step(self, network: torch.nn.Module, optimiser: torch.optim.Optimizer, batches: list[Batch]) -> float:
        """One step of the optimiser on equally many clips of each batch; the mean loss over all processes."""
        accelerator = self._accelerator
        total = torch.zeros((), device=accelerator.device)
        for number, batch in enumerate(batches):
            if batch.problem:
                raise InputError(
                    f"Adapting stopped at {batch.problem}. When it can be read again, the same command continues."
                )
            pixels = scaled(batch.pixels.numpy(), IMAGENET_MEAN, IMAGENET_STD, accelerator.device)
            with nullcontext() if number == len(batches) - 1 else accelerator.no_sync(network):
                # Of each clip the same number of patches is hidden: the mean of batches is the mean of clips.
                loss = network(pixels, bool_masked_pos=batch.hidden.to(accelerator.device)).loss / len(batches)
                accelerator.backward(loss)
            total += loss.detach()
        optimiser.step()
        optimiser.zero_grad()
        return accelerator.reduce(total, reduction="mean").item()

    def _save(self, step: int, optimiser: torch.optim.Optimizer) -> None:
        if self._accelerator.is_main_process:
            weights, moments = self._network.state_dict(), optimiser_state(optimiser, self._network)
            save_state(self.out / STATES, step, self.identity, weights, moments)

    def _write(self) -> None:
        """The checkpoint in transformers' format, and beside it what it is."""
        with whole_folder(self.out / CHECKPOINT) as folder:
            self._network.cpu().save_pretrained(folder)
            text = json.dumps(self._provenance(), indent=2, ensure_ascii=False, allow_nan=False)
            (folder / ADAPTATION).write_text(text + "\n", encoding="utf-8")

    def _provenance(self) -> Mapping[str, Any]:
        """What the checkpoint has learned from, and how."""
        return {
            "schema": SCHEMA,
            "source": self._source,
            "identity": self.identity,
            "clips": len(self.clips.clips),
            "splits": self.clips.splits,
            "left_out": self.clips.left_out,
            "transductive": self.clips.transductive,
            "note": seen(self.clips),
            "mask_ratio": MASK_RATIO,
            "steps": self.steps,
            "loss": self._epoch_losses(),
            "versions": versions("torch", "transformers", "accelerate"),
        }

    def _epoch_losses(self) -> list[float]:
        """The mean loss of each epoch."""
        rows = read_losses(self.out / LOSSES)
        epochs = [[loss for _, visit, loss, _ in rows if int(visit) == epoch] for epoch in range(self.plan.epochs)]
        return [fmean(losses) for losses in epochs if losses]


def seen(clips: FaceClips) -> str:
    """What it means for scores that an encoder has seen `clips`, as a sentence."""
    if not clips.transductive:
        return "Only clips of split train were seen, without labels; scores on other splits are of unseen clips."
    counts = ", ".join(f"{clips.splits[split]} of {split}" for split in clips.transductive)
    return f"Transductive: among the clips seen, without labels, are such that are predicted ({counts})."
