"""Which clips train a network, which choose its epoch, which it is scored on; and what the networks say of clips.

Two estimates stand side by side (docs/choices.md). `cv-paper`: each fold is held out once, and chooses the epoch of the
network that it then scores, as the organisers do. `cv-nested`: each fold is held out once as the outer fold; of the
other folds the next one chooses epoch, configuration and ranking, the rest train, and the outer fold only scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from fusion.inputs import Data, Inputs
from fusion.training import Configuration, Material, Member, Network, Trained, Training, predict
from mertools.predictions import Predictions
from mertools.randomness import seed_for


@dataclass(frozen=True)
class Problem:
    """A fusion to be trained: one system's features for all clips, of which `train` are the training clips' rows.

    `copies` are further features of the same names, of the training clips alone, that a network is trained on too.
    `folds` (len(train),) is the fold each training clip is held out in, `draw_folds` gives such folds for a seed. With
    `redrawn` every draw of a search has folds of its own, as in the released code.
    """

    inputs: dict[str, Inputs]
    material: Material
    train: np.ndarray
    folds: np.ndarray
    draw_folds: Callable[[int], np.ndarray]
    training: Training
    seed: int
    redrawn: bool = False
    copies: tuple[Mapping[str, Inputs], ...] = ()

    @property
    def fold_count(self) -> int:
        return int(self.folds.max()) + 1

    @property
    def targets(self) -> np.ndarray:
        """The class numbers of the training clips, (len(train),)."""
        return self.material.targets[self.train]

    @property
    def device(self) -> str:
        return str(self.material.data.values.device)

    def only(self, names: Iterable[str]) -> Problem:
        """The same clips, folds and settings with the features `names` alone."""
        inputs = {name: self.inputs[name] for name in names}
        copies = tuple({name: copy[name] for name in inputs} for copy in self.copies)
        return self._with(inputs, copies)

    def reading(self, others: Mapping[str, Inputs]) -> Problem:
        """The same with the features of the same names in `others`, to be asked and not to be trained on."""
        inputs = {name: others[name] for name in self.inputs}
        return self._with(inputs, ())

    def without_clips(self) -> Problem:
        """The same without the features' values: enough to tell of it."""
        data = Data.without_clips(self.inputs, self.device)
        return replace(self, material=replace(self.material, data=data, copies=None))

    def _with(self, inputs: dict[str, Inputs], copies: tuple[Mapping[str, Inputs], ...]) -> Problem:
        data = Data.of(inputs, self.device, copies)
        material = replace(self.material, data=data, copies=self._rows_of_copies(len(copies)))
        return replace(self, inputs=inputs, copies=copies, material=material)

    def _rows_of_copies(self, count: int) -> np.ndarray | None:
        """Where the copies of each clip stand in the data, (N, count): all first ones below the clips, and so on."""
        if not count:
            return None
        clips = len(self.material.targets)
        # A clip that does not train has no copies; it stands in for them.
        rows = np.arange(clips)[:, None].repeat(count, axis=1)
        rows[self.train] = clips + np.arange(count * len(self.train)).reshape(count, -1).T
        return rows

    def again(self, *names: str | int) -> Problem:
        """The same with another seed, and the folds of that seed."""
        seed = seed_for(self.seed, *names)
        return replace(self, seed=seed, folds=self.draw_folds(seed))

    def of_draw(self, number: int) -> Problem:
        """The problem as the draw `number` of a search sees it."""
        return self.again("draw", number) if self.redrawn else self

    def fold_members(self, configuration: Configuration) -> list[Member]:
        """A network a fold, trained on the other folds; the fold chooses its epoch (`cv-paper`)."""
        return [
            self._member(configuration, self.folds != fold, fold, f"fold {fold}") for fold in range(self.fold_count)
        ]

    def outer_member(self, configuration: Configuration, outer: int) -> Member:
        """The network of an outer fold: the next fold chooses its epoch, the others train it (`cv-nested`)."""
        return self.outer_members(configuration, outer)[0]

    def outer_members(self, configuration: Configuration, outer: int) -> list[Member]:
        """All networks that never see the outer fold: each other fold chooses the epoch of one, the next fold that of
        the first, which is the outer fold's own."""
        inners = [(outer + step) % self.fold_count for step in range(1, self.fold_count)]
        return [
            self._member(
                configuration,
                (self.folds != outer) & (self.folds != inner),
                inner,
                f"outer fold {outer}" if inner == inners[0] else f"outer fold {outer}, inner fold {inner}",
            )
            for inner in inners
        ]

    def held_out(self, fold: int) -> np.ndarray:
        """The clips of a fold, as rows of the data."""
        return self.train[self.folds == fold]

    def _member(self, configuration: Configuration, train: np.ndarray, choose: int, place: str) -> Member:
        settings = (f"{name}={value}" for name, value in asdict(configuration).items())
        return Member(
            configuration, self.train[train], self.held_out(choose), self.seed, (*self.inputs, *settings, place)
        )


def out_of_fold(problem: Problem, networks: Sequence[Trained], names: Sequence[str]) -> Predictions:
    """What each training clip's held-out network says of it. `names` are the training clips'."""
    probabilities = np.zeros((len(problem.train), problem.material.classes))
    weights = np.zeros((len(problem.train), len(problem.inputs)))
    for fold, trained in enumerate(networks):
        rows = problem.folds == fold
        fused = predict(problem.material, [trained.network], problem.train[rows])
        probabilities[rows] = _softmax(fused.logits[0])
        weights[rows] = fused.weights[0].cpu().numpy()
    return Predictions(tuple(names), probabilities, weights, tuple(problem.inputs))


def average(problem: Problem, networks: Sequence[Network], rows: np.ndarray, names: Sequence[str]) -> Predictions:
    """What the folds' networks say of the clips `rows` together: the mean of their logits (as released)."""
    fused = predict(problem.material, networks, rows)
    mean_weights = fused.weights.mean(dim=0).cpu().numpy()
    return Predictions(tuple(names), _softmax(fused.logits.mean(dim=0)), mean_weights, tuple(problem.inputs))


def outer_probabilities(problem: Problem, trained: Trained, outer: int) -> np.ndarray:
    """What the network of an outer fold says of that fold's clips, (N, C)."""
    return _softmax(predict(problem.material, [trained.network], problem.held_out(outer)).logits[0])


def _softmax(logits: torch.Tensor) -> np.ndarray:
    return torch.softmax(logits.double(), dim=1).cpu().numpy()
