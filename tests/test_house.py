"""The rules of the house: layers, style, cheap imports, documents that are true."""

from __future__ import annotations

import ast
import errno
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mertools
from mertools.__main__ import VERBS
from mertools.commands import command_line

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "timm", "torchvision", "cv2", "dlib", "sklearn", "opensmile", "pandas", "plotly")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)


def loaded_heavy_modules(code: str) -> list[str]:
    report = f"\nimport sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = run(sys.executable, "-c", code + report)
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout.splitlines()[-1])


def test_imports_go_down_the_layers() -> None:
    done = run(str(Path(sys.executable).with_name("lint-imports")))
    assert done.returncode == 0, done.stdout


def test_every_module_stands_in_a_layer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    layered = {name.strip() for layer in contract["layers"] for name in layer.split(":")}
    modules = {f"mertools.{path.stem}" for path in (ROOT / "mertools").glob("*.py") if path.stem != "__init__"}
    packages = {f"mertools.{path.parent.name}" for path in (ROOT / "mertools").glob("*/__init__.py")}
    assert modules | packages <= layered


def test_style() -> None:
    ruff = str(Path(sys.executable).with_name("ruff"))
    for arguments in (["check", "."], ["format", "--check", "."]):
        done = run(ruff, *arguments)
        assert done.returncode == 0, done.stdout


def test_importing_the_package_is_free() -> None:
    assert loaded_heavy_modules("import mertools") == []


@pytest.mark.parametrize("verb", [[], *(verb.split() for verb in VERBS)], ids=" ".join)
def test_help_loads_nothing_heavy(verb: list[str]) -> None:
    code = f"from mertools.__main__ import dispatch\ntry: dispatch({[*verb, '--help']!r})\nexcept SystemExit: pass"
    assert loaded_heavy_modules(code) == []


@pytest.mark.parametrize("script", ["extract.py", "run_fusion.py"])
def test_the_scripts_are_the_verbs(script: str) -> None:
    done = run(sys.executable, script, "--help")
    assert done.returncode == 0 and f"usage: {script}" in done.stdout and "examples:" in done.stdout


def test_bad_input_is_one_line_and_status_two() -> None:
    done = run(sys.executable, "run_fusion.py", "--data", "absent.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: There is no manifest absent.csv. Name one with --data.\n"
    done = run(sys.executable, "-m", "mertools", "fus")
    assert done.returncode == 2 and "Did you mean 'fuse'?" in done.stderr


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_refuses_is_one_line(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(arguments: object) -> int:
        raise OSError(number, os.strerror(number), "features/egemaps.h5")

    with pytest.raises(SystemExit, match="2"):
        command_line.run(refused)
    assert capsys.readouterr().err == f"error: {os.strerror(number)}: features/egemaps.h5\n"


def test_our_own_faults_keep_their_traceback() -> None:
    def faulty(arguments: object) -> int:
        raise FileNotFoundError(errno.ENOENT, "no such file")

    with pytest.raises(FileNotFoundError):
        command_line.run(faulty)


def test_options_with_several_values() -> None:
    from mertools.commands.fuse import make_fusion_parser

    for words in (["a", "b", "c"], ["a,b,c"], ["a,b", "c"], ["a", "b", "--feature", "c,a"]):
        assert make_fusion_parser().parse_args(["--feature", *words]).feature == ["a", "b", "c"]


def test_the_readmes_commands_exist() -> None:
    """Each command line of the README parses: its verb and its options are there."""
    lines = [
        line.strip()
        for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        for line in block.splitlines()
    ]
    commands = [line.split("#")[0].removeprefix("$ ").split() for line in lines]
    verbs = {"extract.py": "extract", "run_fusion.py": "fuse"}
    checked = 0
    for words in commands:
        if words[:1] == ["python"] and words[1] in verbs:
            verb, options = verbs[words[1]], words[2:]
        elif words[:1] == ["mertools"] or words[:3] == ["python", "-m", "mertools"]:
            rest = words[1:] if words[0] == "mertools" else words[3:]
            verb = next(
                verb for verb in sorted(VERBS, key=len, reverse=True) if rest[: len(verb.split())] == verb.split()
            )
            options = rest[len(verb.split()) :]
        else:
            continue
        usage = run(sys.executable, "-m", "mertools", *verb.split(), "--help").stdout
        for option in options:
            if option.startswith("--"):
                assert re.search(rf"{re.escape(option)}\b", usage), f"README: {verb} has no {option}"
        checked += 1
    assert checked >= 3


def test_one_version() -> None:
    assert f"version: {mertools.__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {mertools.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_an_option_that_takes_several_keeps_those_given_before() -> None:
    """`--clues a --clues b` means both."""
    forgetful = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "mertools" / "commands").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument"
        if str(getattr(node.args[0], "value", "")).startswith("--")
        if {"nargs"} <= {word.arg for word in node.keywords} and "action" not in {word.arg for word in node.keywords}
        if any(word.arg == "nargs" and getattr(word.value, "value", "") == "+" for word in node.keywords)
    ]
    assert forgetful == []
