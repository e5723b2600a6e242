"""Train many fusion networks of one shape as one stacked program, each as if it were alone.

Each parameter of a stack is one tensor over its members; the forward pass is vmapped over them (`torch.func`), and one
fused optimiser step moves all. What chance decides about a member (initial weights, batches,
dropout) depends on the member alone, and its tensors have the same shape in any stack: a network comes out the same
alone and among others.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from math import ceil

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import functional

from fusion.inputs import Data, Scaling
from fusion.models.model import Fused, FusionModel
from fusion.pseudo_labels import PseudoLabels
from mertools.metrics import confusion_matrix, waf
from mertools.randomness import generator, torch_generator

BATCH_SIZE = 32
# What the released code regularises with; the paper is silent (docs/choices.md).
WEIGHT_DECAY = 1e-5

ALIGNMENT = 64
"""A member's part of a parameter is filled up to a multiple of so many numbers: what does not fill a vector register is
computed with other rounding, which must not depend on a member's place in the stack."""

Parameters = dict[str, Tensor]
"""The parameters of a model by name, each as a vector (`from_module`), or those of a stack's members, (S, numbers)."""

FEWEST_PSEUDO = 128
"""An epoch shows at least so many clips without labels, where they are there: beside forty labelled ones as many more
would not tell what the pool has to tell."""

ROWS_AT_ONCE = 256
"""Clips of a member that are predicted at once."""

LEVELS = 2**16
"""Dropout is drawn in so many steps of probability."""

INITIALISING = threading.Lock()
"""Held by the thread that draws initial weights; stacks are made side by side."""


@dataclass(frozen=True, order=True)
class Configuration:
    """What a search chooses: the hidden dimension d, Adam's learning rate, the rate of dropout (MER2024 §3.3)."""

    hidden: int
    learning_rate: float
    dropout: float


@dataclass(frozen=True)
class Training:
    """How networks are trained, whatever their configuration.

    With `scaled` features have mean 0 and deviation 1 on the training clips, and end at `limit` deviations.
    `modality_dropout` is the probability that a training clip is shown without a modality (never without all);
    `class_weights` weighs classes in the loss by one over their frequency; `prior_adjustment` subtracts the
    logarithm of the training classes' frequencies from the logits of a trained network (Menon et al. 2021).

    With `consistency` every clip is shown clean and as one of its copies at once. The loss is then the mean of both
    cross-entropies, and so many times KL(p(y | clean) || p(y | copy)), with no gradient through the clean prediction
    (Xie et al. 2020, "Unsupervised Data Augmentation for Consistency Training").
    """

    epochs: int = 100
    scaled: bool = True
    limit: float = math.inf
    modality_dropout: float = 0.0
    class_weights: bool = False
    prior_adjustment: bool = False
    consistency: float = 0.0


@dataclass(frozen=True)
class Member:
    """One network to be trained on the clips `train`; those of `choose` choose its epoch. Both are rows of the data.

    `names` are what its random draws depend on, beside the seed. With `pseudo` it learns from clips without labels,
    too: an epoch shows every clip of `train` and as many of those, but FEWEST_PSEUDO at least, drawn anew, or all where
    they are fewer.
    """

    configuration: Configuration
    train: np.ndarray
    choose: np.ndarray
    seed: int
    names: tuple[str, ...]
    pseudo: PseudoLabels | None = None

    @property
    def shown_pseudo(self) -> int:
        """How many clips without labels an epoch shows."""
        return 0 if self.pseudo is None else min(len(self.pseudo), max(len(self.train), FEWEST_PSEUDO))

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return ceil((len(self.train) + self.shown_pseudo) / BATCH_SIZE)

    def class_counts(self, targets: np.ndarray, classes: int) -> np.ndarray:
        """How many clips of each class an epoch shows, (C,); `targets` (N,) are the classes of all clips."""
        counts = np.bincount(targets[self.train], minlength=classes)
        if not self.shown_pseudo:
            return counts
        return counts + self.pseudo.weights @ self.pseudo.probabilities * (self.shown_pseudo / len(self.pseudo))


@dataclass(frozen=True)
class Network:
    """A trained network: its parameters, the scaling of its training clips, and what is added to its logits (C,)."""

    hidden: int
    parameters: Parameters
    scaling: Scaling
    offset: Tensor


@dataclass(frozen=True)
class Trained:
    """A network at its best epoch (from 0), with the score on the `choose` clips that chose the epoch."""

    network: Network
    epoch: int
    waf: float


@dataclass(frozen=True)
class Material:
    """What all members of a stack learn from: the model, all clips, and their classes (N,), -1 where unknown.

    The first N rows of `data` are the clips. `copies` (N, K) gives for each clip the rows that hold its noisy copies;
    None where nothing is copied.
    """

    model: type[FusionModel]
    data: Data
    targets: np.ndarray
    classes: int
    copies: np.ndarray | None = None

    def versions(self, clips: np.ndarray) -> np.ndarray:
        """The rows of the data in which `clips` can be shown, (len(clips), 1 + K): as they are, then as copies."""
        return clips[:, None] if self.copies is None else np.column_stack([clips, self.copies[clips]])

    def untrained(self, hidden: int) -> FusionModel:
        """A network with weights from torch's global generator."""
        return self.model(self.data.shapes, self.classes, hidden)


def train(
    material: Material, training: Training, members: Sequence[Member], tick: Callable[[int], None] = lambda count: None
) -> list[Trained]:
    """Train `members`, which share hidden dimension, learning rate and batches an epoch, by Adam on cross-entropy.

    All of them have pseudo-labels, or none.

    The best epoch is the first with the highest WAF on the member's `choose` clips, as in the released code; with
    pseudo-labels the last one: on few clips many epochs look alike, and a later one has learnt more of the pool. Where
    clips have copies, the highest mean of the WAF on the clips and the WAF on each of their copies counts. `tick` is
    told how many members have finished another epoch.
    """
    if training.consistency and material.copies is None:
        raise ValueError("consistency is between clips and their copies, and there are none")
    stack = _Stack(material, training, members)
    wafs = np.full(len(members), -1.0)
    epochs = np.zeros(len(members), dtype=np.int64)
    best = {name: value.detach().clone() for name, value in stack.parameters.items()}
    is_better = np.greater if members[0].pseudo is None else np.greater_equal
    for epoch in range(training.epochs):
        stack.train_an_epoch()
        scores = stack.held_out_wafs()
        for place in np.flatnonzero(is_better(scores, wafs)):
            wafs[place], epochs[place] = scores[place], epoch
            for name, value in stack.parameters.items():
                best[name][place] = value[place].detach()
        tick(len(members))
    networks = [
        Network(stack.hidden, {name: value[place] for name, value in best.items()}, scaling, offset)
        for place, (scaling, offset) in enumerate(zip(stack.scalings, stack.offsets, strict=True))
    ]
    return [Trained(*one) for one in zip(networks, epochs.tolist(), wafs.tolist(), strict=True)]


def predict(material: Material, networks: Sequence[Network], rows: np.ndarray) -> Fused:
    """What each of `networks` says of the clips `rows`, without dropout: logits (S, N, C) and so on."""
    forward = _Forward(material, networks[0].hidden, [network.scaling for network in networks])
    parameters = _stacked([network.parameters for network in networks])
    offsets = torch.stack([network.offset for network in networks])
    with torch.no_grad():
        parts = list(forward.predictions(parameters, [rows] * len(networks), offsets))
    whole = (torch.cat([getattr(part, field.name) for part in parts], dim=1) for field in fields(Fused))
    return Fused(*(values[:, : len(rows)] for values in whole))


class _Stack:
    """Members in training, side by side."""

    def __init__(self, material: Material, training: Training, members: Sequence[Member]) -> None:
        self.material, self.members, self.consistency = material, members, training.consistency
        self.hidden = members[0].configuration.hidden
        device = material.data.values.device
        self.scalings = [
            Scaling.fit(material.data, member.train, training.limit) if training.scaled else Scaling.none(material.data)
            for member in members
        ]
        self.forward = _Forward(material, self.hidden, self.scalings)
        initial = _stacked([from_module(_initial_network(material, member)) for member in members])
        self.parameters = {name: value.to(device).requires_grad_() for name, value in initial.items()}
        rate = members[0].configuration.learning_rate
        self.optimiser = torch.optim.Adam(self.parameters.values(), lr=rate, weight_decay=WEIGHT_DECAY, fused=True)
        self.draws = [_Draws(member, training, self.forward.dropped, material) for member in members]
        counts = [member.class_counts(material.targets, material.classes) for member in members]
        self.weights = torch.tensor(np.array([_class_weights(count, training) for count in counts]), device=device)
        self.offsets = torch.tensor(np.array([_offset(count, training) for count in counts]), device=device)
        self.targets = torch.from_numpy(material.targets).to(device)
        rates = torch.tensor([member.configuration.dropout for member in members], device=device)
        self.threshold = (rates * LEVELS).round().sub(LEVELS // 2).to(torch.int16).view(-1, 1, 1)
        self.kept_factor = (1 / (1 - rates)).view(-1, 1, 1)

    def train_an_epoch(self) -> None:
        """Go through every member's training clips once, in batches of 32."""
        device = self.targets.device
        orders, counted = map(np.stack, zip(*(draw.order() for draw in self.draws), strict=True))
        shown_as = np.stack([draw.shown_as(order) for draw, order in zip(self.draws, orders, strict=True)], axis=1)
        shuffled, rows = torch.from_numpy(orders).to(device), torch.from_numpy(shown_as).to(device)
        targets, weights = self._taught(orders, shuffled)
        # A row that fills up the last batch counts for nothing.
        weights = torch.from_numpy(counted).to(device) * weights
        for step in range(orders.shape[1] // BATCH_SIZE):
            part = slice(step * BATCH_SIZE, (step + 1) * BATCH_SIZE)
            levels = torch.from_numpy(np.stack([draw.levels() for draw in self.draws])).to(device)
            keep = (levels >= self.threshold) * self.kept_factor
            shown = [draw.shown(shown_as[:, place, part]) for place, draw in enumerate(self.draws)]
            shown = None if shown[0] is None else torch.from_numpy(np.stack(shown)).to(device)
            logits = [self.forward(self.parameters, own, keep, shown).logits for own in rows[:, :, part]]
            losses = self._losses(logits, targets[:, part])
            loss = (losses * weights[:, part]).sum(dim=1) / weights[:, part].sum(dim=1)
            self.optimiser.zero_grad()
            loss.sum().backward()
            self.optimiser.step()

    def _taught(self, orders: np.ndarray, shuffled: Tensor) -> tuple[Tensor, Tensor]:
        """What the clips of an epoch (S, E) are taught as, and what each counts, (S, E).

        Class numbers (S, E); with pseudo-labels how much of each class, (S, E, C).
        """
        if self.members[0].pseudo is None:
            targets = self.targets[shuffled]
            return targets, self.weights.gather(1, targets)
        found = [_shares(member.pseudo, self.material, own) for member, own in zip(self.members, orders, strict=True)]
        shares, trust = (torch.from_numpy(np.stack(part)).to(self.targets.device) for part in zip(*found, strict=True))
        return shares, trust * (shares * self.weights.unsqueeze(1)).sum(dim=2)

    def _losses(self, logits: Sequence[Tensor], targets: Tensor) -> Tensor:
        """The loss of each clip, (S, B), by its `logits`: one tensor (S, B, C), or that of clean clips and of copies.

        Both come of the same dropout, so that they differ by the noise alone. `targets` are as `_taught` gives them.
        """
        entropies = [
            functional.cross_entropy(one.flatten(0, 1), targets.flatten(0, 1), reduction="none").view(targets.shape[:2])
            for one in logits
        ]
        if len(logits) == 1:
            return entropies[0]
        of_clean, of_copy = (one.log_softmax(dim=2) for one in logits)
        divergence = functional.kl_div(of_copy, of_clean.detach(), reduction="none", log_target=True).sum(dim=2)
        return torch.stack(entropies).mean(dim=0) + self.consistency * divergence

    def held_out_wafs(self) -> np.ndarray:
        """The WAF of each member on its own `choose` clips, (S,); the mean over the clips and each of their copies."""
        versions = [self.material.versions(member.choose) for member in self.members]
        count = versions[0].shape[1]
        return np.mean([self._wafs([own[:, version] for own in versions]) for version in range(count)], axis=0)

    def _wafs(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """The WAF of each member on its own `choose` clips as they stand in `rows` of the data, (S,)."""
        with torch.no_grad():
            parts = [
                part.logits.argmax(dim=2) for part in self.forward.predictions(self.parameters, rows, self.offsets)
            ]
        predicted = torch.cat(parts, dim=1).cpu().numpy()
        targets, classes = self.material.targets, self.material.classes
        return np.array(
            [
                float(waf(confusion_matrix(targets[member.choose], said[: len(member.choose)], classes)))
                for member, said in zip(self.members, predicted, strict=True)
            ]
        )


class _Forward:
    """The vmapped forward pass of members over rows of the data."""

    def __init__(self, material: Material, hidden: int, scalings: Sequence[Scaling]) -> None:
        self.data = material.data
        self.mean = torch.stack([scaling.mean for scaling in scalings]).unsqueeze(1)
        self.factor = torch.stack([scaling.factor for scaling in scalings]).unsqueeze(1)
        self.limit = scalings[0].limit
        # Only its graph is used; the parameters come from the stack.
        with torch.device("meta"):
            network = material.untrained(hidden)
        self.dropped = network.dropped
        shapes = {name: value.shape for name, value in network.named_parameters()}

        def fuse(parameters: Parameters, values: Tensor, present: Tensor, keep: Tensor | None) -> tuple[Tensor, ...]:
            named = {name: _matrix(parameters[name], shape) for name, shape in shapes.items()}
            features = dict(zip(self.data.shapes, values.split(self.data.dims, dim=1), strict=True))
            masks = dict(zip(self.data.shapes, present.unbind(dim=1), strict=True))
            fused = functional_call(network, named, (features, masks, keep))
            return fused.logits, fused.weights, fused.embedding

        self._training = vmap(fuse)
        self._inference = vmap(fuse, in_dims=(0, 0, 0, None))

    def __call__(
        self, parameters: Parameters, rows: Tensor, keep: Tensor | None = None, shown: Tensor | None = None
    ) -> Fused:
        """What each member says of its clips `rows` (S, B), with the dropout `keep` (S, B, dropped).

        `shown` (S, B, F) says which of the features that a clip has are shown; all where it is None.
        """
        flat = rows.flatten()
        values = self.data.values.index_select(0, flat).view(*rows.shape, -1)
        values = values.sub_(self.mean).mul_(self.factor)
        if self.limit < math.inf:
            values = values.clamp_(-self.limit, self.limit)
        present = self.data.present.index_select(0, flat).view(*rows.shape, -1)
        if shown is not None:
            present = present & shown
        run = self._inference if keep is None else self._training
        return Fused(*run(parameters, values, present, keep))

    def predictions(self, parameters: Parameters, rows: Sequence[np.ndarray], offsets: Tensor) -> Iterator[Fused]:
        """What each member says of its own clips, in blocks of one size; shorter lists are filled up at their end."""
        # No clips at all are one block of filling, so that what comes out has its shape.
        longest = max(1, *(len(own) for own in rows))
        filled = np.zeros((len(rows), ceil(longest / ROWS_AT_ONCE) * ROWS_AT_ONCE), dtype=np.int64)
        for place, own in enumerate(rows):
            filled[place, : len(own)] = own
        for begin in range(0, filled.shape[1], ROWS_AT_ONCE):
            block = torch.from_numpy(filled[:, begin : begin + ROWS_AT_ONCE]).to(self.data.values.device)
            fused = self(parameters, block)
            yield Fused(fused.logits + offsets.unsqueeze(1), fused.weights, fused.embedding)


class _Draws:
    """What chance decides for one member, from a generator of its own."""

    def __init__(self, member: Member, training: Training, dropped: int, material: Material) -> None:
        self._generator = generator(member.seed, "training", *member.names)
        self._member = member
        self._dropped = dropped
        self._training = training
        self._material = material
        modalities = [shape.modality for shape in material.data.shapes.values()]
        self._modality = np.array([sorted(set(modalities)).index(modality) for modality in modalities])
        self._present = material.data.present.cpu().numpy()

    def order(self) -> tuple[np.ndarray, np.ndarray]:
        """The clips of an epoch in whole batches, and for each 1.0 if it counts: the last batch may need filling up."""
        clips = self._member.train
        if self._member.shown_pseudo:
            drawn = self._generator.choice(self._member.pseudo.rows, self._member.shown_pseudo, replace=False)
            clips = np.concatenate([clips, drawn])
        order = self._generator.permutation(clips)
        filling = -len(order) % BATCH_SIZE
        counted = np.ones(len(order) + filling, dtype=np.float32)
        counted[len(order) :] = 0
        return np.concatenate([order, order[:1].repeat(filling)]), counted

    def shown_as(self, clips: np.ndarray) -> np.ndarray:
        """The rows of the data in which `clips` are shown, (1, N): each clean or as one of its copies, equally often.

        With consistency (2, N): all of them clean, and each as one of its copies.
        """
        versions = self._material.versions(clips)
        first, count = int(self._training.consistency > 0), versions.shape[1]
        if count == 1:
            return versions.T
        drawn = versions[np.arange(len(clips)), self._generator.integers(first, count, len(clips))]
        return np.stack([clips, drawn] if first else [drawn])

    def levels(self) -> np.ndarray:
        """Uniform draws for the dropout of a batch, (B, dropped) int16: bytes are the fastest a generator gives."""
        count = BATCH_SIZE * self._dropped
        return np.frombuffer(self._generator.bytes(2 * count), dtype=np.int16).reshape(BATCH_SIZE, self._dropped)

    def shown(self, rows: np.ndarray) -> np.ndarray | None:
        """Which features of the clips that stand in `rows` (as `shown_as` gives them) are shown, (B, F), never hiding
        all that a clip has in each row; None where modality dropout is off."""
        if not self._training.modality_dropout:
            return None
        count = self._modality.max() + 1
        kept = self._generator.random((rows.shape[1], count)) >= self._training.modality_dropout
        shown = kept[:, self._modality]
        return shown | ~(shown & self._present[rows].all(axis=0)).any(axis=1, keepdims=True)


def _initial_network(material: Material, member: Member) -> FusionModel:
    """A network whose initial weights are a function of the member's seed and names alone."""
    # torch.nn initialises from the global generator: nothing else may notice, and no other thread may draw meanwhile.
    with INITIALISING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_generator(member.seed, "initial weights", *member.names).initial_seed())
        return material.untrained(member.configuration.hidden)


def to_module(material: Material, network: Network) -> FusionModel:
    """A trained network as a module of its own."""
    module = material.untrained(network.hidden)
    for name, value in module.named_parameters():
        value.data.copy_(_matrix(network.parameters[name], value.shape))
    return module


def from_module(network: FusionModel) -> Parameters:
    """The parameters of a network as vectors, filled up with zeros to a multiple of ALIGNMENT.

    Matrices are stored (in, out), as their gradients come out of the backward pass.
    """
    vectors = {name: _transposed(value.detach()).flatten() for name, value in network.named_parameters()}
    return {name: functional.pad(vector, (0, -len(vector) % ALIGNMENT)) for name, vector in vectors.items()}


def _matrix(vector: Tensor, shape: torch.Size) -> Tensor:
    """The parameter of `shape` that a vector holds."""
    # Taking a part of a vector makes the backward pass fill and copy a whole one.
    own = vector if len(vector) == shape.numel() else vector[: shape.numel()]
    return _transposed(own.view(shape[::-1]))


def _transposed(value: Tensor) -> Tensor:
    return value.permute(*reversed(range(value.ndim)))


def _stacked(members: Sequence[Parameters]) -> Parameters:
    return {name: torch.stack([member[name] for member in members]) for name in members[0]}


def _shares(pseudo: PseudoLabels, material: Material, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much of each class the labelled and pseudo-labelled `clips` (E,) are, (E, C), and what each counts, (E,)."""
    place = np.searchsorted(pseudo.rows, clips).clip(max=len(pseudo) - 1)
    is_pseudo = pseudo.rows[place] == clips
    labelled = np.eye(material.classes)[np.where(is_pseudo, 0, material.targets[clips])]
    shares = np.where(is_pseudo[:, None], pseudo.probabilities[place], labelled)
    return shares.astype(np.float32), np.where(is_pseudo, pseudo.weights[place], 1).astype(np.float32)


def _class_weights(counts: np.ndarray, training: Training) -> np.ndarray:
    """(C,) float32, 1 for every class unless asked for."""
    if not training.class_weights:
        return np.ones(len(counts), dtype=np.float32)
    return (counts.sum() / (len(counts) * np.maximum(counts, 1))).astype(np.float32)


def _offset(counts: np.ndarray, training: Training) -> np.ndarray:
    """(C,) float32, what is added to the logits: 0 unless asked for. A class without clips counts as one clip."""
    if not training.prior_adjustment:
        return np.zeros(len(counts), dtype=np.float32)
    return -np.log(np.maximum(counts, 1) / counts.sum()).astype(np.float32)
