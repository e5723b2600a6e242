"""Train any number of networks: those that can share a stack together, stacks side by side on the cores."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import torch

from fusion.training import Material, Member, Trained, Training, train
from mertools.machine import cores

MEMBERS_A_STACK = 20
"""On a CPU: more no longer fit its cache, fewer pay more for each step (docs/log.md)."""

MEMBERS_A_STACK_ON_CUDA = 256


class Stopped(Exception):
    """Raised in a thread whose result nobody waits for."""


def train_all(
    material: Material, training: Training, members: Sequence[Member], tick: Callable[[int], None] = lambda count: None
) -> Iterator[tuple[int, Trained]]:
    """Train `members` and give each with its place in the list, in the order in which they are done.

    `tick` is told, from several threads, how many networks have finished another epoch.
    """
    on_cuda = material.data.values.is_cuda
    stopping = threading.Event()

    def tell(count: int) -> None:
        if stopping.is_set():
            raise Stopped
        tick(count)

    stacks = _stacks(members, MEMBERS_A_STACK_ON_CUDA if on_cuda else MEMBERS_A_STACK)
    with ThreadPoolExecutor(1 if on_cuda else cores()) as threads:
        try:
            places = {
                threads.submit(_train, material, training, [members[place] for place in stack], tell): stack
                for stack in stacks
            }
            for future in as_completed(places):
                yield from zip(places[future], future.result(), strict=True)
        finally:
            # The threads are waited for: they should not train to the end what nobody waits for.
            stopping.set()
            threads.shutdown(cancel_futures=True)


def _stacks(members: Sequence[Member], at_most: int) -> list[list[int]]:
    """Places of members that can be stacked, in lists of at most so many; the longest work first."""
    groups = defaultdict(list)
    for place, member in enumerate(members):
        key = (member.configuration.hidden, member.configuration.learning_rate, member.steps, member.pseudo is not None)
        groups[key].append(place)
    ordered = [places for _, places in sorted(groups.items(), key=lambda item: (-item[0][0], -item[0][2], item[0][1]))]
    return [places[begin : begin + at_most] for places in ordered for begin in range(0, len(places), at_most)]


def _train(material: Material, training: Training, members: Sequence[Member], tick: Callable[[int], None]) -> list:
    # The matrices are so small that a second thread within an operation costs more than it gains (docs/log.md).
    torch.set_num_threads(1)
    return train(material, training, members, tick)
