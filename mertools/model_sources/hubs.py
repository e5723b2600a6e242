"""Repositories of the Hugging Face hub (`hf:`), by timm's names too (`timm:`), and of ModelScope (`ms:`)."""

from __future__ import annotations

import difflib
import glob
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mertools import libraries
from mertools.errors import InputError
from mertools.model_sources.downloads import cache_folder, summary, without_credentials, write_whole
from mertools.model_sources.fetched import Fetched, fingerprint, matches
from mertools.model_sources.pins import check_pin, read_pins, write_pin

SMALL_FILES = ("*.json", "*.txt", "*.model", "*.spm", "*.tiktoken", "*.yaml", "*.yml")
"""Configurations and tokenizers."""
CODE = ("*.py",)
WEIGHTS = (("*.safetensors",), ("pytorch_model*.bin",), ("*.bin", "*.pt", "*.pth", "*.ckpt"), ("*.onnx",))
"""Repositories often hold the same weights several times: the first of these that occurs is the one to download."""

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"(?P<name>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")


def fetch_hf(what: str, sha256: str | None, lock: Path, code: bool = False) -> Fetched:
    """A snapshot of the Hugging Face hub, in huggingface_hub's own cache."""
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
        known = asked if asked and COMMIT.fullmatch(asked) else read_pins(lock).get(source, asked)
        folder = _snapshot(repository, known, code, recorded=False)
        if folder is None:
            option = f" --revision {known}" if known else ""
            raise InputError(
                f"{source} is not on this machine, and {_hub()} cannot be asked: {summary(error)} "
                f"On a machine that can: hf download {repository}{option} --local-dir FOLDER; "
                "then copy the folder here and name it instead: path:FOLDER."
            ) from error
        commit = folder.name
    else:
        commit = info.sha
        check_pin(lock, source, commit, keep=f"name it hf:{repository}@{{}}")
        folder = _snapshot(repository, commit, code, recorded=True)
        if folder is None:
            folder = _download_snapshot(source, repository, commit, [file.rfilename for file in info.siblings], code)
    if commit != asked:
        write_pin(lock, source, commit)
    return Fetched(folder, commit)


def _download_snapshot(source: str, repository: str, commit: str, files: Sequence[str], code: bool) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HTTPError

    names = _worth_downloading(files, code)
    # Written first: what it names and the folder lacks tells a download that broke off.
    write_whole(_snapshot_record(repository, commit, code), json.dumps(names, indent=0))
    try:
        with _hub_answers(source, repository, commit):
            patterns = [glob.escape(name) for name in names]
            return Path(huggingface_hub.snapshot_download(repository, revision=commit, allow_patterns=patterns))
    except (OSError, HTTPError) as error:
        raise InputError(
            f"The download of {source} from {_hub()} broke off: {summary(error)} "
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
    weights = [name for name in names if any(matches(name, patterns) for patterns in WEIGHTS)]
    weights = [name for name in weights if "/" not in name] or weights
    chosen = next(filter(None, ([name for name in weights if matches(name, tier)] for tier in WEIGHTS)), [])
    return [name for name in names if name in chosen or matches(name, small)]


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
        raise InputError(f"{source} is no name the hub could have: {summary(error)}") from error


def _hub() -> str:
    from huggingface_hub import constants

    return without_credentials(constants.ENDPOINT)


def fetch_timm(what: str, sha256: str | None, lock: Path) -> Fetched:
    """The repository of the hub that timm's name stands for."""
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
    return fetch_hf(configuration.hf_hub_id + at + revision, sha256, lock)


def fetch_ms(what: str, sha256: str | None, lock: Path, code: bool = False) -> Fetched:
    """A snapshot of ModelScope, in modelscope's own cache."""
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
        if source in read_pins(lock):
            # An offline machine goes on with what it has; the pin tells whether that is whole.
            with suppress(Exception):
                folder = snapshot_download(repository, revision=asked, local_files_only=True)
        if folder is None:
            raise InputError(
                f"{source} could not be downloaded from ModelScope: {summary(error)} Check its name and revision. "
                f"On a machine that reaches it: modelscope download --model {repository} --local_dir FOLDER; "
                "then copy the folder here and name it instead: path:FOLDER."
            ) from error
    if asked and COMMIT.fullmatch(asked):
        return Fetched(Path(folder), asked)
    # How to ask for the commit differs from release to release of modelscope: the files themselves are the pin.
    revision = fingerprint(Path(folder), patterns)
    check_pin(lock, source, revision, keep=f"name its commit, ms:{repository}@COMMIT")
    write_pin(lock, source, revision)
    return Fetched(Path(folder), revision)


def _repository(scheme: str, what: str) -> tuple[str, str | None]:
    match = REPOSITORY.fullmatch(what)
    if match is None:
        raise InputError(f"Cannot read the model source {scheme}:{what}. Wanted {scheme}:org/name or …/name@revision.")
    return match["name"], match["revision"]
