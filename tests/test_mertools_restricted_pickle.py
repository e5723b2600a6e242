"""Archives with pickled objects: dictionaries are read, nothing is run."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from mertools.errors import InputError
from mertools.restricted_pickle import read_archive

WHEEL = {"wheel1": {"level1": {"glad": "joy"}, "level2": {"glad": "joy"}}, "wheel2": {"level1": {}}}


def test_dictionaries_lists_and_plain_arrays(tmp_path: Path) -> None:
    np.savez_compressed(
        tmp_path / "a.npz",
        name2reason={"clip": "他很高兴，因为……", "other": np.str_("x")},
        wheel=WHEEL,
        lists=np.array([["happy", "glad"], ["sad"]], dtype=object),
        names=np.array(["a", "b"]),
        nested={"scores": np.arange(3.0), "mean": np.float64(0.5)},
    )
    found = read_archive(tmp_path / "a.npz")
    assert found["name2reason"].item() == {"clip": "他很高兴，因为……", "other": "x"}
    assert found["wheel"].item() == WHEEL
    assert found["lists"].tolist() == [["happy", "glad"], ["sad"]]
    assert found["names"].tolist() == ["a", "b"] and found["names"].dtype.kind == "U"
    nested = found["nested"].item()
    assert nested["scores"].tolist() == [0, 1, 2] and nested["mean"] == 0.5


def write_archive(path: Path, content: bytes) -> None:
    """An archive whose only member is an object array without dimensions with `content` for its pickle."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("name2reason.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(content)


def test_what_numpy_1_wrote(tmp_path: Path) -> None:
    array = np.empty((), dtype=object)
    array[()] = {"clip": "text"}
    old = pickle.dumps(array, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    write_archive(tmp_path / "a.npz", old)
    assert read_archive(tmp_path / "a.npz")["name2reason"].item() == {"clip": "text"}


class Touch:
    """Unpickled as it asks, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_run(tmp_path: Path, protocol: int) -> None:
    written = tmp_path / "written"
    write_archive(tmp_path / "a.npz", pickle.dumps({"clip": Touch(written)}, protocol=protocol))
    with pytest.raises(InputError, match=r"asks for \w+\.mkdir; only numpy arrays, dict, list and str"):
        read_archive(tmp_path / "a.npz")
    assert not written.exists()


@pytest.mark.parametrize("value", [Path("x"), OrderedDict(a=1), np.memmap, eval, Exception()], ids=repr)
def test_anything_else_is_refused(tmp_path: Path, value: object) -> None:
    write_archive(tmp_path / "a.npz", pickle.dumps({"clip": value}))
    with pytest.raises(InputError, match="only numpy arrays"):
        read_archive(tmp_path / "a.npz")


def test_the_class_of_an_array_cannot_be_called(tmp_path: Path) -> None:
    # numpy.ndarray((2 ** 40,)), spelled as a pickle: a terabyte, if it were made.
    write_archive(tmp_path / "a.npz", b"cnumpy\nndarray\n((I1099511627776\nttR.")
    with pytest.raises(InputError, match="not an array that can be read"):
        read_archive(tmp_path / "a.npz")


class Spelled:
    """Pickled as this call with this state."""

    def __init__(self, *reduced: object) -> None:
        self.reduced = reduced

    def __reduce__(self) -> tuple:
        return self.reduced


@pytest.mark.parametrize(
    "state",
    [(3, "|", None, None, None, -1, -1, 0), (3, "|", None, ("a",), {"a": (np.dtype("O"), 64)}, 8, 1, 0)],
    ids=["objects that are none", "a field beyond the end"],
)
def test_bytes_are_not_taken_for_addresses(tmp_path: Path, state: tuple) -> None:
    # NumPy would look for an object at 0x4141414141414141.
    scalar = np.float64(0).__reduce__()[0]
    kind = Spelled(np.dtype, ("O8", False, True), state)
    write_archive(tmp_path / "a.npz", pickle.dumps(Spelled(scalar, (kind, b"A" * 8))))
    with pytest.raises(InputError, match="not an array that can be read"):
        read_archive(tmp_path / "a.npz")


def test_foreign_byte_order(tmp_path: Path) -> None:
    texts = np.array(["ab", "é"], ">U2")
    np.savez(tmp_path / "a.npz", x={"y": np.array([1.5, 2], ">f4"), "z": texts, "b": True, "n": np.str_("")})
    found = read_archive(tmp_path / "a.npz")["x"].item()
    assert found["y"].tolist() == [1.5, 2] and found["z"].tolist() == ["ab", "é"] and found["b"] is True
    assert found["n"] == ""


def test_what_unfolds_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mertools.restricted_pickle.LARGEST_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", zeros=np.zeros(1000))
    with pytest.raises(InputError, match="unfolds to 8128 bytes; at most 1000 are read"):
        read_archive(tmp_path / "a.npz")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_archive(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("name,reason\n")
    with pytest.raises(InputError, match="not a whole archive"):
        read_archive(tmp_path / "text.npz")
    np.savez(tmp_path / "whole.npz", a={"clip": "x" * 9999})
    (tmp_path / "half.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:5000])
    with pytest.raises(InputError, match="not a whole archive"):
        read_archive(tmp_path / "half.npz")
    write_archive(tmp_path / "damaged.npz", pickle.dumps({"clip": "text"})[:-4])
    with pytest.raises(InputError, match="not an array that can be read"):
        read_archive(tmp_path / "damaged.npz")
