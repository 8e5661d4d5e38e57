"""The file that declares targets: what it says, and what is refused, in words."""

from pathlib import Path

import pytest

from batching_demo.contracts.targets import OnConflict, TargetDeclaration
from batching_demo.target_files import TargetsFileError, read_targets

INVOICES = """
[invoices]
table = "billing.invoices"
key = ["invoice_no"]
"""


def read(directory: Path, text: str) -> tuple[TargetDeclaration, ...]:
    path = directory / "targets.toml"
    path.write_text(text)
    return read_targets(path)


def test_an_entry_says_everything(tmp_path: Path) -> None:
    text = """
        [invoices]
        table = "billing.invoices"
        key = ["tenant", "invoice_no"]
        columns = { issued_at = "date", "Mixed Case" = "mixed", id = false }
        on_conflict = "newest"
        newest_by = "version"
        return = ["id", "created_at"]
        receipts = true
        """
    [found] = read(tmp_path, text)
    assert found == TargetDeclaration(
        "invoices",
        "billing.invoices",
        ("tenant", "invoice_no"),
        {"issued_at": "date", "Mixed Case": "mixed", "id": None},
        OnConflict.NEWEST,
        "version",
        ("id", "created_at"),
        receipts=True,
    )
    assert found.origin == str(tmp_path / "targets.toml")
    assert (found.field_of("issued_at"), found.field_of("amount")) == ("date", "amount")
    assert found.key_fields == ("tenant", "invoice_no")


def test_what_an_entry_leaves_out_has_a_default(tmp_path: Path) -> None:
    [found] = read(tmp_path, INVOICES)
    assert found == TargetDeclaration("invoices", "billing.invoices", ("invoice_no",))


def test_a_file_may_declare_several_targets_or_none(tmp_path: Path) -> None:
    text = INVOICES + INVOICES.replace("[invoices]", "[other]")
    assert [one.name for one in read(tmp_path, text)] == ["invoices", "other"]
    assert read(tmp_path, "# later\n") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[invoices", "is no TOML: Expected"),
        ('table = "a"', "table stands outside of a table: write [the name of a target] above it"),
        ("[records]", "[records] is the built-in table and cannot be declared: choose another"),
        ("['a b']", "[a b] is no name of a target"),
        ('[a]\nkey = ["k"]', '[a] has no table: add a text, such as table = "billing.invoices"'),
        (f"{INVOICES}ke = 1", "[invoices] ke is unknown: is it key?"),
        (f"{INVOICES}on-conflict = 1", "on-conflict is unknown: is it on_conflict?"),
        (f"{INVOICES}quite_else = 1", "quite_else is unknown: there are table, key, columns, on_c"),
        (f"{INVOICES}delete = true", "delete is refused: rows are inserted and updated, never"),
        (f"{INVOICES}auto_create = true", "auto_create is refused: your own migrations create"),
        (f"{INVOICES}alter = true", "alter is refused: your own migrations create and change"),
        (f"{INVOICES}types = {{}}", "types is refused: types are those of the table"),
        (f"{INVOICES}on_conflict = 'delete'", "on_conflict: write one of ignore, newest, update"),
        (f"{INVOICES}receipts = 'yes'", "[invoices] receipts: write true or false"),
        (
            f"{INVOICES}return = 'id'",
            "[invoices] return: write a list of columns, such as return =",
        ),
        (f"{INVOICES}columns = {{ a = 1 }}", "[invoices] columns: write the field for each column"),
        (
            "[a]\ntable = 't'\nkey = 'k'",
            'key: write a list of columns, such as key = ["invoice_no"]',
        ),
        (
            f"{INVOICES}columns = {{ a = '' }}",
            "[invoices] columns: write the field for each column",
        ),
        (
            f'{INVOICES}columns = {{ a = "b\\u0000" }}',
            "[invoices] columns: write the field for each column",
        ),
        ("[a]\ntable = 't'\nkey = []", "[a] key: write a list of columns"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(TargetsFileError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "targets.toml"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(TargetsFileError) as caught:
        read(tmp_path, f"{INVOICES}receipts = 1\ndelet = 1\n[records]\n")
    for words in ("[invoices] receipts", "[invoices] delet is unknown", "[records]"):
        assert words in str(caught.value)


def test_a_file_that_is_not_there_is_named_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(TargetsFileError, match=r"No such file.*--targets or BATCHING_DEMO_TARGETS"):
        read_targets(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"\xe9 = 1")
    with pytest.raises(TargetsFileError, match=r"latin\.toml is not UTF-8"):
        read_targets(tmp_path / "latin.toml")
