"""What is on this machine already: files of installed packages (`package:`) and any others (`path:`)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from mertools.errors import InputError
from mertools.model_sources.downloads import check_sha256, inside
from mertools.model_sources.fetched import Fetched, fingerprint


def fetch_package(what: str, sha256: str | None, lock: Path) -> Fetched:
    """A file or folder inside an installed package, with the package's version."""
    source = f"package:{what}"
    module, _, inner = what.partition("/")
    # Found, not imported: a package wanted for its files alone may need libraries that are not here.
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    distributions = importlib.metadata.packages_distributions().get(module)
    if spec is None or not spec.submodule_search_locations or not distributions:
        raise InputError(
            f"{source}: no package {module!r} is installed. Wanted package:module/path of an installed one. "
            f"Perhaps: pip install {module.replace('_', '-')}"
        )
    member = inside(source, inner) if inner else Path()
    for folder in spec.submodule_search_locations:
        path = Path(folder) / member
        if path.exists():
            if sha256 is not None:
                check_sha256(source, path, sha256)
            return Fetched(path, importlib.metadata.version(distributions[0]))
    raise InputError(
        f"{source}: the installed {distributions[0]} has no {str(member)!r}. Reinstall it, or check the path."
    )


def fetch_path(what: str, sha256: str | None, lock: Path) -> Fetched:
    """A file or folder, with its fingerprint."""
    path = Path(what).expanduser().absolute()
    if not path.exists():
        raise InputError(f"path:{what} does not exist ({path}). Wanted a file or folder of this machine.")
    if sha256 is not None:
        check_sha256(f"path:{what}", path, sha256)
    return Fetched(path, fingerprint(path))
