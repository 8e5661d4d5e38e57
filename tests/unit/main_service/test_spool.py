"""Inputs that are no plain UTF-8 file become one, named by its content."""

import gzip
import io
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.files.spool import Readable, readable
from tests.support.preparing import CASES

TEXT = "id,name\n1,Café\n2,naïve\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory that is not there yet."""
    return tmp_path / "state"


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def test_plain_utf_8_is_read_where_it_is(tmp_path: Path, state: Path) -> None:
    path = write(tmp_path / "a.csv", TEXT.encode())
    assert readable(path, "UTF8", state) == Readable(Path(path), "a.csv")
    assert not state.exists()


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"])
def test_other_encodings_become_utf_8(tmp_path: Path, state: Path, encoding: str) -> None:
    path = write(tmp_path / "a.csv", TEXT.encode(encoding))
    file = readable(path, encoding, state)
    assert file.path.read_text() == TEXT
    assert file.name == "a.csv"
    inspected = inspect(file.path, name=file.name, encoding=encoding)
    assert (inspected.records, inspected.source.name) == (2, "a.csv")


def test_gzip_becomes_what_it_holds(tmp_path: Path, state: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(TEXT.encode()))
    file = readable(path, "utf-8", state)
    assert (file.path.read_text(), file.name) == (TEXT, "a.csv.gz")
    # The content decides, so the plain file is the same input.
    plain = inspect(Path(write(tmp_path / "a.csv", TEXT.encode())))
    assert inspect(file.path, name=file.name).source.digest == plain.source.digest


@pytest.mark.parametrize("cut", [5, 20, -9])
def test_gzip_that_is_not_whole_is_refused(tmp_path: Path, state: Path, cut: int) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(TEXT.encode())[:cut])
    with pytest.raises(SourceError, match=r"a\.csv\.gz: is not whole gzip"):
        readable(path, "utf-8", state)
    assert list((state / "spool").iterdir()) == []


def test_what_only_claims_to_be_gzip_is_refused(tmp_path: Path, state: Path) -> None:
    with pytest.raises(SourceError, match="is not whole gzip"):
        readable(write(tmp_path / "a.csv.gz", TEXT.encode()), "utf-8", state)


def test_standard_input(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    file = readable("-", "utf-8", state)
    assert (file.path.read_text(), file.name) == (TEXT, "standard input")
    assert inspect(file.path, format="csv", name=file.name).records == 2
    with pytest.raises(SourceError, match=r"standard input: .*--format"):
        inspect(file.path, name=file.name)


def test_all_names_of_standard_input_are_standard_input(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker would read its own descriptor instead, and wait for ever if that is a terminal."""
    link = tmp_path / "in.csv"
    link.symlink_to("/dev/stdin")
    directory = tmp_path / "descriptors"
    directory.symlink_to("/dev/fd")
    paths = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "/proc/thread-self/fd/0"]
    for path in (*paths, f"/proc/{os.getpid()}/fd/0", str(link), str(directory / "0")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
        file = readable(path, "utf-8", state)
        assert (file.path.parent.name, file.name) == ("spool", "standard input")
        assert file.path.read_text() == TEXT


def test_another_descriptor_is_copied(tmp_path: Path, state: Path) -> None:
    """This is what a shell makes of <(command), with a pipe or a file behind it."""
    with open(write(tmp_path / "a.csv", TEXT.encode()), "rb") as regular:
        path = f"/dev/fd/{regular.fileno()}"
        file = readable(path, "utf-8", state)
    assert (file.path.parent.name, file.name) == ("spool", path)
    assert file.path.read_text() == TEXT


def test_a_pipe_is_read_once(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(TEXT,))
    writer.start()
    assert readable(str(path), "utf-8", state).path.read_text() == TEXT
    writer.join()


@pytest.mark.parametrize(
    ("content", "line"), [(b"a\nb\nc\x81", 3), (b"a\r\nb\rc\nd\x81", 4), (b"\x81", 1)]
)
def test_bytes_outside_the_encoding_name_line_and_byte(
    tmp_path: Path, state: Path, content: bytes, line: int
) -> None:
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(SourceError, match=rf"a\.csv, line {line}: byte 0x81 is not cp1252"):
        readable(path, "cp1252", state)


def test_an_unknown_encoding_is_refused(state: Path) -> None:
    with pytest.raises(SourceError, match="klingon"):
        readable("a.csv", "klingon", state)


@pytest.mark.parametrize("encoding", ["rot13", "base64", "hex", "zlib", ""])
def test_what_does_not_make_text_of_bytes_is_no_encoding(state: Path, encoding: str) -> None:
    with pytest.raises(SourceError, match="is unknown; try utf-8"):
        readable("a.csv", encoding, state)


@pytest.mark.parametrize("encoding", ["UTF8", "Latin1", "iso-8859-1", "utf_16"])
def test_all_spellings_of_an_encoding_are_the_same_input(
    tmp_path: Path, state: Path, encoding: str
) -> None:
    path = write(tmp_path / "a.csv", TEXT.encode(encoding))
    assert readable(path, encoding, state).encoding in ("utf-8", "iso8859-1", "utf-16")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "gb18030", "iso2022_jp"])
def test_the_line_is_right_in_encodings_that_have_a_state(
    tmp_path: Path, state: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = {"utf-16": b"\xfe\xff", "utf-32": b"\0\0\xfe\xff"}.get(encoding, b"")
    codec = f"{encoding}-be" if mark else encoding
    bad = {"utf-16-be": b"\xdc\0\0a", "utf-32-be": b"\x7f\0\0\0"}.get(codec, b"\xff")
    path = write(tmp_path / "a.csv", mark + "日本\r\n本\n日\r".encode(codec) + bad)
    for size in range(1, 40):
        monkeypatch.setattr("batching_demo.main_service.files.source_file.CHUNK_BYTES", size)
        with pytest.raises(SourceError, match=r"a\.csv, line 4: byte 0x.. is not"):
            readable(path, encoding, state)


def test_parts_of_gzip_are_one_input(tmp_path: Path, state: Path) -> None:
    parts = gzip.compress(TEXT.encode()) + gzip.compress(b"3,x\n")
    path = write(tmp_path / "A.CSV.GZ", parts)
    file = readable(path, "utf-8", state)
    assert inspect(file.path, name=file.name).records == 3


def test_a_copy_that_is_there_stays_the_file_it_is(tmp_path: Path, state: Path) -> None:
    """Another starter may be reading it, and would take a new one for a change."""
    path = write(tmp_path / "a.csv.gz", gzip.compress(TEXT.encode()))
    first = readable(path, "utf-8", state).path
    before = first.stat()
    assert readable(path, "utf-8", state).path.stat() == before
    first.write_bytes(b"")
    assert readable(path, "utf-8", state).path.read_text() == TEXT
    assert len(list(first.parent.iterdir())) == 1


def test_where_no_copy_can_be_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(TEXT.encode()))
    with pytest.raises(SourceError, match=r"spool: a copy .* cannot be kept there .*XDG_STATE"):
        readable(path, "utf-8", Path(path))


def test_standard_input_that_is_closed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SourceError, match="standard input is closed"):
        readable("-", "utf-8", state)


def test_standard_input_that_cannot_be_read(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "output").open("wb") as file:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=file))
        with pytest.raises(SourceError, match=r"standard input: cannot be read \(read\)"):
            readable("-", "utf-8", state)


def test_a_worker_that_misses_a_copy_names_the_original(tmp_path: Path, state: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(TEXT.encode()))
    file = readable(path, "utf-8", state)
    source = inspect(file.path, name=file.name).source
    (slice_,) = slices(source, 10)
    file.path.unlink()
    with pytest.raises(SourceError, match=r"the copy of a\.csv\.gz: start again"):
        read_slice(source, slice_)


def test_a_directory_is_refused(tmp_path: Path, state: Path) -> None:
    with pytest.raises(SourceError, match="is a directory"):
        readable(str(tmp_path), "latin-1", state)


def test_a_file_that_is_absent_is_named(state: Path) -> None:
    with pytest.raises(SourceError, match=r"absent\.csv\.gz"):
        readable("absent.csv.gz", "utf-8", state)


def test_the_latin_1_case_is_read_whole(state: Path) -> None:
    file = readable(str(CASES / "C07_latin1.csv"), "latin-1", state)
    source = inspect(file.path, name=file.name, encoding="latin-1").source
    raw = [read_slice(source, slice_).decode() for slice_ in slices(source, 1)]
    assert len(raw) == 3
    assert "Café nº 2" in raw[1]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    directory = tmp_path_factory.mktemp("text")
    path = write(directory / "a.csv", text.encode("utf-16"))
    assert readable(path, "utf-16", directory).path.read_bytes() == text.encode()
