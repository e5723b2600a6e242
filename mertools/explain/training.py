"""Training an explainer in stages, each step a pure function of the seed, its number and what was learned before."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mertools.errors import InputError
from mertools.explain.batch import IGNORED, Batch
from mertools.explain.checkpoint import (
    About,
    newest,
    read_about,
    read_optimiser,
    read_weights,
    write_checkpoint,
)
from mertools.explain.configuration import Configuration, Stage, Validation
from mertools.explain.explainer import Explainer
from mertools.explain.mixing import Mixture
from mertools.explain.optimisation import load_optimiser_state, make_optimiser, optimiser_state
from mertools.explain.schedule import learning_rate
from mertools.explain.teaching import Lessons, Library, check_prompts, learning_batch, standardise
from mertools.explain.training_log import EpochLog, StepLog
from mertools.explain.validation import validate
from mertools.randomness import seed_for

STATES, CHECKPOINT = "states", "checkpoint"
"""Folders of a run: what training goes on from, and what it ended with."""
STEPS, EPOCHS = "steps.csv", "epochs.jsonl"
"""Its logs."""

Told = Callable[[int, int, float], None]
"""Told how many steps are done, how many there are, and the loss of the last."""


@dataclass(frozen=True)
class Course:
    """A stage with its sets opened."""

    stage: Stage
    lessons: tuple[Lessons, ...]
    validation: Lessons | None


def open_courses(configuration: Configuration, library: Library) -> list[Course]:
    """The stages of `configuration` with their sets; raises InputError as `Library.open` does."""
    return [
        Course(
            stage,
            tuple(library.open(data) for data in stage.data),
            library.open(stage.validation.data) if stage.validation else None,
        )
        for stage in configuration.stages
    ]


def start_weights(explainer: Explainer) -> None:
    """Give a new explainer the weights that its configuration starts from.

    Raises InputError for files that are absent, or of another explainer.
    """
    for path in explainer.configuration.initial_weights:
        explainer.load_trainable_state(read_weights(Path(path)), partial=True)


class Training:
    """One run of training in a folder; begun anew, or gone on with where it was killed."""

    def __init__(
        self, explainer: Explainer, library: Library, out: Path, accelerator: Any, save_every: int = 100
    ) -> None:
        """Open all sets of the explainer's configuration and look for a state to go on from in `out`.

        `accelerator` is accelerate's; a state is saved every `save_every` steps and at every epoch's end.

        Raises InputError for sets that cannot be read or taught, and for a folder with another run in it.
        """
        self.explainer = explainer
        self.configuration = explainer.configuration
        self.out = out
        self._accelerator = accelerator
        self._save_every = save_every
        self.courses = open_courses(self.configuration, library)
        for course in self.courses:
            for lessons in (*course.lessons, *([course.validation] if course.validation else ())):
                check_prompts(explainer, lessons)
        self._about = About(
            self.configuration,
            stage=0,
            step=0,
            data={course.stage.name: [one.record() for one in course.lessons] for course in self.courses},
            encoders=library.frames().provenance,
        )
        found = newest(out / STATES)
        self.resumed = read_about(found) if found else None
        if self.resumed and self.resumed.identity != self._about.identity:
            raise InputError(
                f"{out} holds a run of another configuration, other sets or other features. Give another --out."
            )
        start_weights(explainer)
        self._optimiser_state: dict[str, torch.Tensor] = {}
        if found:
            explainer.load_trainable_state(read_weights(found))
            self._optimiser_state = read_optimiser(found)
        elif self.courses:
            standardise(explainer, [one for course in self.courses for one in course.lessons])
        explainer.to(accelerator.device)
        stage, step = (self.resumed.stage, self.resumed.step) if self.resumed else (0, -1)
        # Every process knows which epochs were looked at; the first one alone writes.
        self._steps = StepLog(out / STEPS, stage, step) if accelerator.is_main_process else None
        self.epochs = EpochLog(out / EPOCHS, stage, step, writes=accelerator.is_main_process)
        # None saves before all have read.
        accelerator.wait_for_everyone()

    @property
    def steps(self) -> int:
        """How many steps all stages have together."""
        return sum(course.stage.steps for course in self.courses)

    def run(self, tell: Told = lambda done, total, loss: None) -> Path:
        """Train through all stages; returns the folder of the checkpoint.

        Raises InputError where the loss is no number any more.
        """
        first = self.resumed.stage if self.resumed else 0
        if self.courses and not self.resumed:
            self._save(0, 0, {})
        for number in range(first, len(self.courses)):
            begin = self.resumed.step if self.resumed and number == first else 0
            self._run_stage(number, begin, tell)
        about = self._about
        if self.courses:
            last = len(self.courses) - 1
            scores = self.chosen
            step = scores.get("step", self.courses[last].stage.steps)
            about = replace(about, stage=last, step=step, scores=scores)
        self._write(self.out / CHECKPOINT, about)
        return self.out / CHECKPOINT

    def _run_stage(self, number: int, begin: int, tell: Told) -> None:
        course = self.courses[number]
        stage = course.stage
        before = sum(earlier.stage.steps for earlier in self.courses[:number])
        self.explainer.freeze(stage.frozen)
        self.explainer.train()
        parameters = self.explainer.trainable_parameters()
        if not parameters:
            raise InputError(f"Stage {stage.name!r} trains nothing: all parts are frozen. Correct `frozen`.")
        optimiser = make_optimiser(parameters, stage)
        if begin:
            load_optimiser_state(optimiser, parameters, self._optimiser_state)
        network = self._accelerator.prepare_model(self.explainer)
        for step in range(begin, stage.steps):
            if step % stage.steps_an_epoch == 0:
                self._look(number, step)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(stage, step)
            loss = self._step(network, course, step, optimiser, parameters)
            if self._steps:
                self._steps.add(number, stage.name, step, loss, learning_rate(stage, step))
            tell(before + step + 1, self.steps, loss)
            if (step + 1) % self._save_every == 0 or (step + 1) % stage.steps_an_epoch == 0:
                self._save(number, step + 1, optimiser_state(optimiser, parameters))
        self._look(number, stage.steps)
        self._accelerator.unwrap_model(network, keep_fp32_wrapper=False)
        self._select(stage)
        if number + 1 < len(self.courses):
            self._save(number + 1, 0, {})

    def _step(
        self,
        network: torch.nn.Module,
        course: Course,
        step: int,
        optimiser: torch.optim.Optimizer,
        parameters: Mapping[str, torch.nn.Parameter],
    ) -> float:
        """One step of the optimiser on one batch or, accumulated, several; the loss a token."""
        accelerator, stage = self._accelerator, course.stage
        # Dropout depends on the step's number alone, so that a run that was killed goes on as it would have.
        torch.manual_seed(seed_for(self.configuration.seed, "step", stage.name, step, accelerator.process_index))
        batches = [self._batch(course, step, part) for part in range(stage.accumulation)]
        tokens = torch.tensor(sum(int((one.labels != IGNORED).sum()) for one in batches), device=accelerator.device)
        # A gradient is the mean over processes; a token weighs the same in whichever process and batch it is.
        tokens = accelerator.reduce(tokens, reduction="sum").item()
        total = torch.zeros((), device=accelerator.device)
        for part, batch in enumerate(batches):
            last = part == len(batches) - 1
            with nullcontext() if last else accelerator.no_sync(network):
                loss = network(batch).total
                accelerator.backward(loss * accelerator.num_processes / tokens)
            total += loss.detach()
        mean = accelerator.reduce(total, reduction="sum").item() / tokens
        if not math.isfinite(mean):
            raise InputError(
                f"The loss of step {step} of stage {stage.name!r} is {mean}. Lower learning_rate, or take "
                "language_model.dtype: bfloat16 instead of float16."
            )
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), stage.max_gradient_norm)
        optimiser.step()
        optimiser.zero_grad()
        return mean

    def _batch(self, course: Course, step: int, part: int) -> Batch:
        accelerator, stage = self._accelerator, course.stage
        number = (step * stage.accumulation + part) * accelerator.num_processes + accelerator.process_index
        chosen, places = self._mixture(course).batch(number)
        lessons = course.lessons[chosen]
        examples = [lessons.examples[place] for place in places]
        return learning_batch(self.explainer, lessons.frames, examples).to(accelerator.device)

    def _mixture(self, course: Course) -> Mixture:
        sizes = tuple(len(one.examples) for one in course.lessons)
        weights = tuple(one.data.weight for one in course.lessons)
        return Mixture(sizes, weights, course.stage.batch_size, self.configuration.seed, course.stage.name)

    def _look(self, number: int, step: int) -> None:
        """Validate after an epoch, and keep the weights if they are the best so far; once for each epoch."""
        course = self.courses[number]
        stage, validation = course.stage, course.stage.validation
        if validation is None or course.validation is None or self.epochs.has(number, step):
            return
        if self._accelerator.is_main_process:
            found = validate(self.explainer, course.validation, validation, stage.batch_size, self.configuration.seed)
            row = {"number": number, "stage": stage.name, "epoch": step // stage.steps_an_epoch, "step": step, **found}
            if validation.select != "last" and all(
                worth(row, validation) > worth(earlier, validation) for earlier in self.epochs.of(number)
            ):
                about = replace(self._about, stage=number, step=step, scores=row)
                write_checkpoint(self._best(stage), about, self.explainer.trainable_state())
            self.epochs.add(row)
        self._accelerator.wait_for_everyone()

    def _select(self, stage: Stage) -> None:
        """Take the weights of the epoch that the stage is to end with."""
        if stage.validation and stage.validation.select != "last":
            self.explainer.load_trainable_state(read_weights(self._best(stage)))

    @property
    def chosen(self) -> Mapping[str, Any]:
        """What was measured of the weights that the last stage ends with; nothing where nothing was."""
        rows = self.epochs.of(len(self.courses) - 1)
        validation = self.courses[-1].stage.validation if rows else None
        if validation is None:
            return {}
        return rows[-1] if validation.select == "last" else max(rows, key=lambda row: worth(row, validation))

    def _best(self, stage: Stage) -> Path:
        return self.out / f"best-{stage.name}"

    def _save(self, number: int, step: int, optimiser: Mapping[str, torch.Tensor]) -> None:
        """Save what training goes on from; an older state goes when the new one is there."""
        if not self._accelerator.is_main_process:
            return
        older = newest(self.out / STATES)
        stage = self.courses[number].stage
        batches = step * stage.accumulation * self._accelerator.num_processes
        sampler = tuple(self._mixture(self.courses[number]).drawn(batches))
        about = replace(self._about, stage=number, step=step, sampler=sampler)
        folder = self.out / STATES / f"{number:02d}-{step:09d}"
        write_checkpoint(folder, about, self.explainer.trainable_state(), optimiser)
        if older and older != folder:
            shutil.rmtree(older)

    def _write(self, folder: Path, about: About) -> None:
        if self._accelerator.is_main_process:
            write_checkpoint(folder, about, self.explainer.trainable_state())
        self._accelerator.wait_for_everyone()


def worth(row: Mapping[str, Any], validation: Validation) -> float:
    """How good an epoch is by what selects: more is better."""
    return row["avg"]["value"] if validation.select == "avg" else -row["loss"]
