"""MicroEmo without one or both of its modules: the rows of its Table 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mertools.errors import InputError
from mertools.explain.configuration import Branch, Configuration


def _without(configuration: Configuration, *modules: str) -> Configuration:
    video = configuration.video
    if video is None or any(getattr(video, module) is None for module in modules):
        raise InputError(f"The configuration has no {' or no '.join(modules)} to go without. Start from microemo.")
    changed: Branch = replace(video, **dict.fromkeys(modules))
    return replace(configuration, video=changed)


ABLATIONS: Mapping[str, Callable[[Configuration], Configuration]] = {
    "without-windows": lambda configuration: _without(configuration, "windows"),
    "without-local-attention": lambda configuration: _without(configuration, "local_attention"),
    "without-both": lambda configuration: _without(configuration, "windows", "local_attention"),
}
"""Name -> what makes of a configuration the one without; timestamps stay, which are not MicroEmo's but TimeChat's.

Each raises InputError for a configuration that is without already.
"""
