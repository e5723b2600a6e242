"""Pages that need nothing else: a template with style, scripts and figures in it, under a policy that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from mertools.report.tables import split_heading
from mertools.whole_files import whole_file

HERE = Path(__file__).parent


def write_page(path: Path, template: str, figures: Sequence[Mapping[str, Any]], **values: Any) -> Path:
    """Write the page of `template`, which has figures, to `path` and return it.

    `figures` are Plotly's, as JSON has them, placed by their numbers; `values` is what the template asks for.
    """
    scripts = (get_plotlyjs(), source_of("report.js"))
    return write_document(path, template, ("report.css",), scripts, figures=figures, **values)


def write_document(path: Path, template: str, styles: Sequence[str], scripts: Sequence[str], **values: Any) -> Path:
    """Write the page of `template` to `path` and return it.

    `styles` are names of files in this folder, `scripts` the sources of all that may run in the page; `values` is what
    the template asks for.
    """
    text = (
        _environment()
        .get_template(template)
        .render(
            style="\n".join(map(source_of, styles)),
            scripts=scripts,
            script_sources=" ".join(f"'sha256-{_sha256(source)}'" for source in scripts),
            **values,
        )
    )
    # The hashes in the page's security policy are of these very bytes: no line end may change on the way.
    with whole_file(path) as file:
        file.write(text)
    return path


def source_of(name: str) -> str:
    """The text of a style or script in this folder."""
    return (HERE / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = per_cent
    environment.filters["value"] = _value
    environment.filters["heading"] = split_heading
    environment.tests["han"] = _is_han
    return environment


def per_cent(share: float | None, digits: int = 2) -> str:
    """A share in per cent, a dash where there is none; what rounds to zero has no sign."""
    return "–" if share is None else f"{round(100 * share, digits) + 0.0:.{digits}f}"


def _value(value: Any) -> str:
    """A value of the configuration as a reader expects it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(_value, value)) if isinstance(value, list) else str(value)


def _is_han(text: str) -> bool:
    """Whether a text has Chinese characters: browsers choose their shapes by the language."""
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
