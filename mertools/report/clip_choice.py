"""Which clips of a corpus to show where there is no room for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest

from mertools.clip import Clip
from mertools.randomness import generator


def choose_clips(clips: Sequence[Clip], disagreements: Mapping[str, float], count: int, seed: int) -> list[Clip]:
    """`count` of `clips`, or all where there are fewer: the most disputed first, equally disputed ones in their order.

    The classes (clips without a label are one) take turns. At its turns a class gives alternately the clip that systems
    dispute most and one drawn by lot: disputes alone would make the systems look worse than they are. A clip's lot
    depends on the seed and its name alone.
    """
    lots = {clip.name: generator(seed, "shown clips", clip.name).random() for clip in clips}
    of_class: dict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: lots[clip.name]):
        of_class[clip.label].append(clip)
    turns = [_disputed_and_drawn(drawn, disagreements) for _, drawn in sorted(of_class.items())]
    in_turn = [name for turn in zip_longest(*turns) for name in turn if name is not None]
    chosen = set(in_turn[:count])
    return sorted(
        (clip for clip in clips if clip.name in chosen), key=lambda clip: disagreements[clip.name], reverse=True
    )


def _disputed_and_drawn(drawn: Sequence[Clip], disagreements: Mapping[str, float]) -> list[str]:
    """The names of one class' clips: alternately the next most disputed one and the next of `drawn`."""
    disputed = sorted(drawn, key=lambda clip: disagreements[clip.name], reverse=True)
    pairs = zip(disputed, drawn, strict=True)
    return list(dict.fromkeys(clip.name for clip in chain.from_iterable(pairs)))
