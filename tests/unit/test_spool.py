"""Inputs that are no plain UTF-8 file become one, named by its content."""

import gzip
import io
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.main_service.sources import SourceError, inspect, read_slice, slices
from batching_demo.main_service.spool import Readable, readable

CASES = Path(__file__).parents[1] / "cases"
TEXT = "id,name\n1,Café\n2,naïve\n"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def test_plain_utf_8_is_read_where_it_is(tmp_path: Path, spool: Path) -> None:
    path = write(tmp_path / "a.csv", TEXT.encode())
    assert readable(path, "UTF8", spool) == Readable(Path(path), "a.csv")
    assert not spool.exists()


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"])
def test_other_encodings_become_utf_8(tmp_path: Path, spool: Path, encoding: str) -> None:
    path = write(tmp_path / "a.csv", TEXT.encode(encoding))
    file = readable(path, encoding, spool)
    assert file.path.read_text() == TEXT
    assert file.name == "a.csv"
    inspected = inspect(file.path, name=file.name, encoding=encoding)
    assert (inspected.records, inspected.source.name) == (2, "a.csv")


def test_gzip_becomes_what_it_holds(tmp_path: Path, spool: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(TEXT.encode()))
    file = readable(path, "utf-8", spool)
    assert (file.path.read_text(), file.name) == (TEXT, "a.csv")
    # The content decides, so the plain file is the same input.
    plain = inspect(Path(write(tmp_path / "a.csv", TEXT.encode())))
    assert inspect(file.path, name=file.name).source.digest == plain.source.digest


@pytest.mark.parametrize("cut", [5, 20, -9])
def test_gzip_that_is_not_whole_is_refused(tmp_path: Path, spool: Path, cut: int) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(TEXT.encode())[:cut])
    with pytest.raises(SourceError, match=r"a\.csv\.gz: is not whole gzip"):
        readable(path, "utf-8", spool)
    assert list(spool.iterdir()) == []


def test_what_only_claims_to_be_gzip_is_refused(tmp_path: Path, spool: Path) -> None:
    with pytest.raises(SourceError, match="is not whole gzip"):
        readable(write(tmp_path / "a.csv.gz", TEXT.encode()), "utf-8", spool)


def test_standard_input(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    file = readable("-", "utf-8", spool)
    assert (file.path.read_text(), file.name) == (TEXT, "standard input")
    assert inspect(file.path, format="csv", name=file.name).records == 2
    with pytest.raises(SourceError, match=r"standard input: .*--format"):
        inspect(file.path, name=file.name)


def test_a_pipe_is_read_once(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(TEXT,))
    writer.start()
    assert readable(str(path), "utf-8", spool).path.read_text() == TEXT
    writer.join()


@pytest.mark.parametrize(
    ("content", "line"), [(b"a\nb\nc\x81", 3), (b"a\r\nb\rc\nd\x81", 4), (b"\x81", 1)]
)
def test_bytes_outside_the_encoding_name_line_and_byte(
    tmp_path: Path, spool: Path, content: bytes, line: int
) -> None:
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(SourceError, match=rf"a\.csv, line {line}: byte 0x81 is not cp1252"):
        readable(path, "cp1252", spool)


def test_an_unknown_encoding_is_refused(spool: Path) -> None:
    with pytest.raises(SourceError, match="klingon"):
        readable("a.csv", "klingon", spool)


def test_a_directory_is_refused(tmp_path: Path, spool: Path) -> None:
    with pytest.raises(SourceError, match="is a directory"):
        readable(str(tmp_path), "latin-1", spool)


def test_a_file_that_is_absent_is_named(spool: Path) -> None:
    with pytest.raises(SourceError, match=r"absent\.csv\.gz"):
        readable("absent.csv.gz", "utf-8", spool)


def test_the_latin_1_case_is_read_whole(spool: Path) -> None:
    file = readable(str(CASES / "C07_latin1.csv"), "latin-1", spool)
    source = inspect(file.path, name=file.name, encoding="latin-1").source
    raw = [read_slice(source, slice_).decode() for slice_ in slices(source, 1)]
    assert len(raw) == 3
    assert "Café nº 2" in raw[1]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    directory = tmp_path_factory.mktemp("text")
    path = write(directory / "a.csv", text.encode("utf-16"))
    assert readable(path, "utf-16", directory).path.read_bytes() == text.encode()
