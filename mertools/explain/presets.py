"""The papers' experiments as variants of a configuration, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mertools.errors import InputError
from mertools.explain.ablations import ABLATIONS
from mertools.explain.configuration import Configuration, DataSet, Stage
from mertools.explain.instructions import OWN

SHORT_SECONDS = 2.0
"""Below this a clip is short (`gt-eng-remove-short`)."""

Variants = Mapping[str, Configuration]


def _own_data(change: Callable[[DataSet], DataSet]) -> Callable[[Configuration, str], Variants]:
    """The variant with `change` on our own explanations of its last stage, which has checked ones."""

    def variant(base: Configuration, name: str) -> Variants:
        *earlier, last = _stages(base, 1)
        data = tuple(change(one) if one.kind in OWN else one for one in last.data)
        return {name: replace(base, stages=(*earlier, replace(last, data=data)))}

    return variant


def _every_split(data: DataSet) -> DataSet:
    return replace(data, split="train+test")


def _train_alone(data: DataSet) -> DataSet:
    return replace(data, split="train")


def _long_alone(data: DataSet) -> DataSet:
    return replace(data, split="train", min_seconds=SHORT_SECONDS)


def _two_by_two(base: Configuration, _: str) -> Variants:
    """Each stage with and without the other, and neither."""
    coarse, fine = _stages(base, 2)
    kept = {"none": (), "coarse": (coarse,), "fine": (fine,), "coarse-fine": (coarse, fine)}
    return {name: replace(base, stages=stages) for name, stages in kept.items()}


def _table4(base: Configuration, _: str) -> Variants:
    """Stage 1 not, for half its epochs and for all of them (none, 50, 100); stage 2 not or with its best epoch; from
    the configuration's initial weights and from random ones."""
    coarse, fine = _stages(base, 2)
    if not base.initial_weights:
        raise InputError("table4 compares initial weights with random ones: name some, initial_weights: [FILE].")
    if fine.validation is None:
        raise InputError(f"table4 takes the best epoch of stage {fine.name!r}: give the stage a validation.")
    selected = fine.validation.select if fine.validation.select != "last" else "avg"
    best = replace(fine, validation=replace(fine.validation, select=selected, generate=True))
    half = max(coarse.epochs // 2, 1)
    firsts: dict[str, tuple[Stage, ...]] = {"none": ()}
    firsts |= {str(epochs): (replace(coarse, epochs=epochs),) for epochs in (half, coarse.epochs)}
    return {
        f"{start}-{first}-{second}": replace(base, stages=(*stages, *then), initial_weights=weights)
        for start, weights in (("pretrained", base.initial_weights), ("random", ()))
        for first, stages in firsts.items()
        for second, then in (("none", ()), ("best", (best,)))
    }


def _ablations(base: Configuration, _: str) -> Variants:
    """MicroEmo whole, and without one or both of its modules (its Table 2)."""
    return {"whole": base, **{name: without(base) for name, without in ABLATIONS.items()}}


PRESETS: Mapping[str, Callable[[Configuration, str], Variants]] = {
    "gt-eng": _own_data(_every_split),
    "gt-eng-remove-test": _own_data(_train_alone),
    "gt-eng-remove-short": _own_data(_long_alone),
    "two-by-two": _two_by_two,
    "table4": _table4,
    "ablations": _ablations,
}
"""AffectGPT's experiments (EMER §5, AffectGPT §5): trained on all clips with checked descriptions, an upper bound;
without those of the test split; without short ones either; and which stages help. MicroEmo's: which modules do."""


def _stages(base: Configuration, wanted: int) -> tuple[Stage, ...]:
    if len(base.stages) < wanted or (wanted == 2 and len(base.stages) != 2):
        raise InputError(f"The preset is for {wanted} stages, the configuration has {len(base.stages)}.")
    return base.stages
