"""What raters hand back: pages' and sheets' files, and everything that can be wrong with them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.ov.rating_sheets import Answers, collect, read_answers, write_sheet

ITEMS = ["item-1", "item-2", "item-3"]
RATERS = ["rater-1", "rater-2"]
VALUES = ("1", "2", "3", "4")


def answers(rater: str, *given: tuple[str, str], study: str = "s") -> Answers:
    return Answers(Path(f"{rater}.json"), study, rater, given)


def whole(rater: str, values: str = "123") -> Answers:
    return answers(rater, *zip(ITEMS, values, strict=True))


def gathered(*files: Answers, allow_incomplete: bool = False):
    return collect(files, "s", RATERS, ITEMS, VALUES, allow_incomplete)


def saved(path: Path, rows: Sequence[dict[str, object]], **changed: object) -> Path:
    """A file as the page saves it."""
    contents = {"format": "mertools answers 1", "study": "s", "rater": "rater-1", "answers": rows, **changed}
    path.write_text(json.dumps(contents), encoding="utf-8")
    return path


def test_the_pages_file_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", [{"item": "item-2", "rating": "4"}, {"item": "item-1", "rating": None}])
    assert read_answers(path, "rating") == Answers(path, "s", "rater-1", (("item-2", "4"), ("item-1", "")))


def test_a_sheet_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "rater-1.csv"
    rows = [{"item": "item-1", "description": '=HYPERLINK("x")'}, {"item": "item-2", "description": "她说：\n“好”"}]
    write_sheet(path, "s", "rater-1", ["rating"], rows)
    with path.open(encoding="utf-8-sig", newline="") as file:
        sheet = list(csv.DictReader(file))
    assert [row["description"] for row in sheet] == ['\'=HYPERLINK("x")', "她说：\n“好”"]
    assert read_answers(path, "rating").given == (("item-1", ""), ("item-2", ""))


def test_a_sheet_may_have_several_questions_and_drafts(tmp_path: Path) -> None:
    rows = [{"item": "item-1", "summary": "=He", "clip": "a"}, {"item": "item-2", "summary": "She", "clip": "b"}]
    write_sheet(tmp_path / "s.csv", "s", "checker", ["summary", "verdict"], rows)
    with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.reader(file)) == ["study", "rater", "item", "clip", "summary", "verdict"]
    assert read_answers(tmp_path / "s.csv", "summary").given == (("item-1", "=He"), ("item-2", "She"))
    assert read_answers(tmp_path / "s.csv", "verdict").given == (("item-1", ""), ("item-2", ""))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_sheets_of_any_spreadsheet_are_read(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "filled.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows(
            [["study", "rater", "item", "note, or so", "rating"], ["s", "rater-2", "item-1", "x;y", " 3 "]]
        )
        # An empty row, and one that ends early.
        writer.writerows([["", "", "", "", ""], ["s", "rater-2", "item-2"]])
    assert read_answers(path, "rating") == Answers(path, "s", "rater-2", (("item-1", "3"), ("item-2", "")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not what the rating page saves"),
        ('{"format": "other"}', "not what the rating page saves"),
        ('{"format": "mertools answers 1", "answers": 3}', "not what the rating page saves"),
        ("study,rater,item\ns,r,i\n", "lacks the column rating"),
        ("", "lacks the column study, rater, item, rating"),
        ("study,rater,item,rating\ns,rater-1,i,1\ns,rater-2,i,1\n", "2 raters"),
        ("study,rater,item,rating\n", "0 raters"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_answers(tmp_path / "x", "rating")


def test_absent_files_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_answers(tmp_path / "x", "rating")
    (tmp_path / "x").write_bytes("study,rater,item,rating,说明".encode("gbk"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_answers(tmp_path / "x", "rating")


def test_whole_files_are_put_together() -> None:
    found = gathered(whole("rater-2", "444"), whole("rater-1"))
    assert found.answers == {
        "rater-2": {"item-1": "4", "item-2": "4", "item-3": "4"},
        "rater-1": {"item-1": "1", "item-2": "2", "item-3": "3"},
    }
    assert found.gaps == ()


@given(st.lists(st.sampled_from(VALUES), min_size=3, max_size=3))
def test_what_was_answered_is_what_is_found(values: list[str]) -> None:
    found = gathered(whole("rater-1", "".join(values)), whole("rater-2"))
    assert list(found.answers["rater-1"].values()) == values


FAULTS = {
    "twice": (answers("rater-1", *whole("rater-1").given, ("item-2", "2")), r"1 item there more than once.*item-2"),
    "unknown": (answers("rater-1", *whole("rater-1").given, ("item-9", "2")), r"1 item unknown \(first: item-9\)"),
    "out of range": (whole("rater-1", "105"), r"2 items answered out of range \(item-2: '0', wanted 1, 2, 3, 4\)"),
}
GAPS = {
    "missing": (answers("rater-1", ("item-1", "1")), r"rater-1 \(rater-1.json\): 2 items missing \(first: item-2\)"),
    "not answered": (answers("rater-1", *zip(ITEMS, ["1", "", "2"], strict=True)), r"1 item not answered.*item-2"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("allow_incomplete", [False, True])
def test_faults_are_refused_whatever_is_allowed(fault: str, allow_incomplete: bool) -> None:
    file, message = FAULTS[fault]
    with pytest.raises(InputError, match=message):
        gathered(file, whole("rater-2"), allow_incomplete=allow_incomplete)


@pytest.mark.parametrize("gap", GAPS)
def test_gaps_are_refused_or_told(gap: str) -> None:
    file, message = GAPS[gap]
    with pytest.raises(InputError, match=f"(?s){message}.*--allow-incomplete"):
        gathered(file, whole("rater-2"))
    found = gathered(file, whole("rater-2"), allow_incomplete=True)
    assert found.answers["rater-1"] == {item: answer for item, answer in file.given if answer}
    assert len(found.gaps) == (2 if gap == "missing" else 1)


def test_raters_who_saw_different_items_are_told() -> None:
    files = answers("rater-1", ("item-1", "1"), ("item-2", "1")), answers("rater-2", ("item-1", "1"), ("item-3", "1"))
    with pytest.raises(InputError, match="the raters saw different items: 1 in every file, 2 in some only"):
        gathered(*files)


def test_every_file_is_told_at_once() -> None:
    with pytest.raises(InputError, match=r"(?s)rater-1 .*out of range.*rater-2 .*out of range"):
        gathered(whole("rater-1", "129"), whole("rater-2", "x22"))


def test_raters_without_a_file_are_told() -> None:
    assert gathered(whole("rater-1")).gaps == ("1 of 2 raters gave no file: rater-2",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([answers("rater-1", study="other")], "of the study 'other'; this key is of 's'"),
        ([whole("rater-7")], "of the rater 'rater-7'; the key knows rater-1, rater-2"),
        ([whole("rater-1"), whole("rater-1")], "both of rater-1"),
    ],
)
def test_files_of_others_are_refused(files: list[Answers], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gathered(*files, allow_incomplete=True)
