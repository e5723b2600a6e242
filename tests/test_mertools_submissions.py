"""Submissions: what is written passes its own check, and what a scorer would misread is told with its row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mertools.clip import Clip
from mertools.emotions import MER2024, LabelSet
from mertools.errors import InputError
from mertools.submissions import (
    RULES,
    SEPARATORS,
    find_faults,
    read_candidates,
    write_open_submission,
    write_submission,
    write_submissions,
)

CANDIDATES = ("样本,1", 'say "hi"', "c")
YEARS = pytest.mark.parametrize("year", RULES)
OPEN = {"a": ["happy", "a bit relieved"], "b": [], "c": ["naïve"]}


@YEARS
def test_classes_are_spelled_as_the_label_files_spell_them(tmp_path: Path, year: str) -> None:
    path = tmp_path / "submission.csv"
    write_submission(path, CANDIDATES, np.array([5, 1, 0]))
    text = 'name,discrete\n"样本,1",surprise\n"say ""hi""",angry\nc,neutral\n'
    assert path.read_text(encoding="utf-8") == text
    assert find_faults(path, RULES[year], CANDIDATES) == []
    assert find_faults(path, RULES[year]) == []


def test_classes_of_other_corpora_can_be_written(tmp_path: Path) -> None:
    write_submission(tmp_path / "s.csv", ["a", "b"], np.array([1, 0]), LabelSet(("calm", "upset")))
    assert (tmp_path / "s.csv").read_text() == "name,discrete\na,upset\nb,calm\n"


def test_each_split_has_its_file(tmp_path: Path) -> None:
    clips = [Clip("a", split="semi"), Clip("b", split="noise"), Clip("c", split="semi")]
    files = write_submissions(tmp_path, clips, np.array([5, 1, 0]), MER2024)
    assert files == {"semi": "submission-semi.csv", "noise": "submission-noise.csv"}
    assert (tmp_path / files["semi"]).read_text() == "name,discrete\na,surprise\nc,neutral\n"


def test_a_clip_predicted_twice_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="clip 'a' is predicted 2 times"):
        write_submission(tmp_path / "s.csv", ["b", "a", "a"], np.array([0, 1, 2]))
    assert not (tmp_path / "s.csv").exists()


def test_open_labels_of_2024_are_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "ov.csv"
    write_open_submission(path, OPEN, RULES["2024"])
    text = """name,openset\na,"['happy', 'a bit relieved']"\nb,[]\nc,['naïve']\n"""
    assert path.read_text(encoding="utf-8") == text
    assert find_faults(path, RULES["2024"], list(OPEN)) == []


@pytest.mark.parametrize("year", ["2025", "2026"])
def test_open_labels_of_later_years_are_an_archive_of_text(tmp_path: Path, year: str) -> None:
    path = tmp_path / "mine-openset.npz"
    write_open_submission(path, OPEN, RULES[year])
    with np.load(path, allow_pickle=False) as archive:
        assert archive["filenames"].tolist() == ["a", "b", "c"]
        assert archive["fileitems"].tolist() == ["[happy, a bit relieved]", "[]", "[naïve]"]
    assert find_faults(path, RULES[year], list(OPEN)) == []


LABELS = st.text(
    st.characters(exclude_characters=SEPARATORS, exclude_categories=("Cc", "Cs"), max_codepoint=0x24F), min_size=1
)


@YEARS
@settings(deadline=None)
@given(labels=st.lists(st.lists(LABELS.map(str.strip).filter(bool), max_size=4), min_size=1, max_size=4))
def test_what_is_written_has_no_fault(
    tmp_path_factory: pytest.TempPathFactory, year: str, labels: list[list[str]]
) -> None:
    rules = RULES[year]
    path = tmp_path_factory.mktemp("open") / f"a-openset{Path(rules.open_file).suffix}"
    by_clip = {f"clip_{number}": given for number, given in enumerate(labels)}
    write_open_submission(path, by_clip, rules)
    assert find_faults(path, rules, list(by_clip)) == []


@YEARS
def test_labels_in_another_language_are_a_fault(tmp_path: Path, year: str) -> None:
    path = tmp_path / "a-openset.npz"
    with pytest.raises(InputError, match=r"clip 'b': got label '担心', wanted English labels"):
        write_open_submission(path, {"a": ["sad"], "b": ["担心"]}, RULES[year])
    assert not path.exists()
    (tmp_path / "ov.csv").write_text("name,openset\na,\"['担心']\"\n", encoding="utf-8")
    if not RULES[year].takes_archive:
        (fault,) = find_faults(tmp_path / "ov.csv", RULES[year])
        assert fault.row == 2 and "mertools ov translate" in fault.remedy


@YEARS
@pytest.mark.parametrize("label", ["happy, sad", "don't know", "[sad]", " "])
def test_an_open_label_that_would_become_two_is_not_written(tmp_path: Path, year: str, label: str) -> None:
    path = tmp_path / "a-openset.npz"
    with pytest.raises(InputError, match=r"clip 'b': got"):
        write_open_submission(path, {"a": ["sad"], "b": [label]}, RULES[year])
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ("name,discrete\na,sad\nb,happy\n", []),
        ("name,discrete\r\na,sad\r\nb,happy\r\n\r\n", []),
        ("", ["row 1: got '', wanted 'name,discrete' or 'name,openset'."]),
        ("name,label\na,sad\n", ["row 1: got 'name,label', wanted 'name,discrete' or"]),
        ("discrete,name\nsad,a\n", ["row 1: got 'discrete,name'"]),
        ("\ufeffname,discrete\na,sad\nb,sad\n", ["row 1: got a byte-order mark before the header, wanted plain UTF-8"]),
        (b"name,discrete\na,sad\n\xb0,sad\n", ["row 3: got the byte 0xb0, wanted UTF-8."]),
        ('name,discrete\na,"sad\nb,sad\n', ["got damaged CSV"]),
        ("name,discrete\na,sad\nb,sad,1\n", ["row 3: got 3 cells, wanted name and discrete."]),
        ("name,discrete\na,surprised\nb,Sad\n", ["row 2: got label 'surprised', wanted 'surprise'.", "row 3: got"]),
        ("name,discrete\na,joy\nb,\n", ["row 2: got label 'joy', wanted one of neutral, angry", "row 3: got label ''"]),
        ("name,discrete\na,sad\nb,sad\na,sad\n", ["row 4: got clip 'a' again, after row 2, wanted each clip once."]),
        ("name,discrete\na,sad\nb ,sad\n", ["row 3: got clip 'b ', wanted 'b'.", "got no row for 1 of 2 clips"]),
        ("name,discrete\na.mp4,sad\nb,sad\n", ["row 2: got clip 'a.mp4', wanted 'a'.", "got no row for 1 of 2"]),
        ("name,discrete\na,sad\nb,sad\nc,sad\n", ["row 4: got clip 'c', wanted a clip to be predicted. Delete"]),
        ("name,discrete\na,sad\nb,sad\n,sad\n", ["row 4: got an empty name"]),
        ("name,discrete\nb,sad\n", ["got no row for 1 of 2 clips (first: a), wanted every clip"]),
        ("name,openset\na,['sad']\nb,[]\n", []),
        ("name,openset\na,sad\nb,[]\n", ["row 2: got 'sad', wanted a list such as ['happy', 'relieved']."]),
        ("name,openset\na,[1]\nb,[]\n", ["row 2: got '[1]', wanted a list such as"]),
        ("""name,openset\na,"['x, y']"\nb,['']\n""", ["row 2: got label 'x, y', wanted labels", "row 3: got an empty"]),
    ],
)
def test_faults_name_the_row_what_was_got_and_what_was_wanted(
    tmp_path: Path, content: str | bytes, faults: list[str]
) -> None:
    path = tmp_path / "submission.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = [str(fault) for fault in find_faults(path, RULES["2024"], ("a", "b"))]
    assert len(found) == len(faults)
    for fault, beginning in zip(found, faults, strict=True):
        assert fault.startswith(beginning)


def test_without_a_list_no_name_is_unknown_or_lacking(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("name,discrete\nanything,sad\nanything,sad\n")
    assert [fault.row for fault in find_faults(path, RULES["2025"])] == [3]


@pytest.mark.parametrize(
    ("arrays", "fault"),
    [
        ({"filenames": ["a", "b"], "fileitems": ["[sad]", "['happy', 'sad']"]}, None),
        (
            {"filenames": ["a", "b"], "fileitems": ["[sad]", "happy"]},
            "row 2: got 'happy', wanted a list such as [happy",
        ),
        ({"filenames": ["a", "b"], "fileitems": ["[sad, ]", "[]"]}, "row 1: got an empty label"),
        ({"filenames": ["a", "b"], "fileitems": ["[sad]"]}, "got arrays of <U1 (2,) and <U5 (1,), wanted two arrays"),
        ({"filenames": ["a", "b"], "fileitems": [1, 2]}, "got arrays of <U1 (2,) and int64 (2,)"),
        ({"filenames": ["a", "b"]}, "got no array fileitems, wanted two arrays"),
        ({"filenames": ["a", "b"], "fileitems": [["sad"], None]}, "got an archive that cannot be read (Object arrays"),
    ],
)
def test_faults_of_archives(tmp_path: Path, arrays: dict[str, list[object]], fault: str | None) -> None:
    path = tmp_path / "a-openset.npz"
    kinds = {key: object if None in texts else None for key, texts in arrays.items()}
    np.savez_compressed(path, **{key: np.array(texts, dtype=kinds[key]) for key, texts in arrays.items()})
    found = [str(fault) for fault in find_faults(path, RULES["2026"], ("a", "b"))]
    assert found == [] if fault is None else found[0].startswith(fault) and len(found) == 1


def test_each_year_takes_its_own_format_of_open_labels(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,openset\na,[]\n")
    (fault,) = find_faults(tmp_path / "a.csv", RULES["2025"])
    assert fault.wanted == "an archive (.npz) of the arrays filenames and fileitems"
    write_open_submission(tmp_path / "a.npz", {"a": []}, RULES["2025"])
    (fault,) = find_faults(tmp_path / "a.npz", RULES["2024"])
    assert fault.wanted == "a CSV 'name,discrete' or 'name,openset'"


NPY = b"\x93NUMPY\x01\x00v\x00{'descr': '<i8', 'fortran_order': False, 'shape': (0,), }"


@pytest.mark.parametrize("content", [b"", b"name,openset\n", b"PK\x03\x04 cut off", NPY])
def test_a_damaged_archive_is_a_fault(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    (fault,) = find_faults(tmp_path / "a.npz", RULES["2025"])
    assert fault.got.startswith("an archive that cannot be read")


@settings(deadline=None)
@given(cell=st.text() | st.text("[]'\"{}()-,1"))
def test_no_cell_stops_the_check(tmp_path_factory: pytest.TempPathFactory, cell: str) -> None:
    path = tmp_path_factory.mktemp("any") / "submission.csv"
    path.write_bytes(f"name,openset\na,{cell}\n".encode(errors="replace"))
    assert all(str(fault) for fault in find_faults(path, RULES["2024"], ("a",)))


def test_an_absent_submission_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no submission"):
        find_faults(tmp_path / "absent.csv", RULES["2024"])


def test_candidates_keep_the_lists_order(tmp_path: Path) -> None:
    path = tmp_path / "candidate.csv"
    path.write_text("\ufeffname,duration\nb,1\n样本, 2\n a,3\n", encoding="utf-8")
    assert read_candidates(path) == ("b", "样本", "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column 'name': got nothing"),
        (b"clip\na\n", "has no column 'name': got clip"),
        (b"name\n", "lists no clip"),
        (b"name\na\nb\na\n", "row 4: 'a' stands there twice"),
        (b"name,x\na,1\n,2\n", "row 3: the name is empty"),
        (b"name\n\xff\n", "is not UTF-8"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "candidate.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_candidates(path)


def test_an_absent_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no list of candidates"):
        read_candidates(tmp_path / "absent.csv")


def test_the_years_classes_are_the_challenges() -> None:
    assert {rules.classes.names for rules in RULES.values()} == {MER2024.names}
