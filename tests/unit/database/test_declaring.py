"""Targets that are declared in Python, and the names of tables."""

import pytest
from sqlalchemy import BLANK_SCHEMA, Column, Integer, MetaData, Table, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from batching_demo import OnConflict, TargetDeclaration, declare_target
from batching_demo.database.targets.table_name import parse_table_name, quote_table_name


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "Invoices"
    __table_args__ = {"schema": "billing"}  # noqa: RUF012  # SQLAlchemy's

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column("invoiceNo", unique=True)
    version: Mapped[int]


ORDERS = Table("orders", MetaData(), Column("order_id", Text, key="id"), Column("n", Integer))


def test_a_mapped_class_is_declared_by_its_names_in_the_database() -> None:
    declaration = declare_target(
        Invoice,
        name="invoices",
        key=[Invoice.number],
        columns={Invoice.version: "v", "id": None},
        on_conflict=OnConflict.NEWEST,
        newest_by=Invoice.version,
        returned=[Invoice.id, "version"],
        receipts=True,
    )
    assert declaration == TargetDeclaration(
        "invoices",
        'billing."Invoices"',
        ("invoiceNo",),
        {"version": "v", "id": None},
        OnConflict.NEWEST,
        "version",
        ("id", "version"),
        receipts=True,
    )


def test_a_table_is_named_like_itself() -> None:
    found = declare_target(ORDERS, key=[ORDERS.c.id])
    assert found == TargetDeclaration("orders", "orders", ("order_id",))
    of_schema = Table("t", MetaData(schema="shop"), Column("k", Text))
    assert declare_target(of_schema, key=["k"]).table == "shop.t"
    without = Table("t", MetaData(schema="shop"), Column("k", Text), schema=BLANK_SCHEMA)
    assert declare_target(without, key=["k"]).table == "t"


def test_what_is_no_table_or_no_name_is_refused() -> None:
    class Joined(Base):
        __table__ = select(Invoice.__table__).subquery()
        __mapper_args__ = {"primary_key": [__table__.c.id]}  # noqa: RUF012  # SQLAlchemy's

    with pytest.raises(ValueError, match="is not mapped to a table: give the Table itself"):
        declare_target(Joined, key=["id"])
    with pytest.raises(ValueError, match="is not mapped to a table: give the Table itself"):
        declare_target(object, key=["id"])
    with pytest.raises(ValueError, match="target records is the built-in table"):
        declare_target(ORDERS, key=["id"], name="records")


def test_one_column_is_no_list_of_columns() -> None:
    for key in ("order_id", ORDERS.c.id):
        with pytest.raises(ValueError, match="key is no list of columns: write key="):
            declare_target(ORDERS, key=key)  # type: ignore[arg-type]  # without mypy it passes
    with pytest.raises(ValueError, match="returned is no list of columns"):
        declare_target(ORDERS, key=["order_id"], returned="id")


def test_the_text_of_a_rule_is_the_rule() -> None:
    declaration = TargetDeclaration("a", "a", ("k",), on_conflict="update")  # type: ignore[arg-type]  # as above
    assert declaration.on_conflict is OnConflict.UPDATE
    with pytest.raises(ValueError, match="'upsert' is not a valid OnConflict"):
        TargetDeclaration("a", "a", ("k",), on_conflict="upsert")  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("invoices", ("", "invoices")),
        ("Billing.Invoices", ("billing", "invoices")),
        ('"Billing"."Invoices"', ("Billing", "Invoices")),
        (' billing."a.b ""c""" ', ("billing", 'a.b "c"')),
        ("_a1$", ("", "_a1$")),
        ("é.t", ("é", "t")),
        ("ÉTATS", ("", "États")),
        (f'{"a" * 70}."{"ü" * 40}"', ("a" * 63, "ü" * 31)),
        ("a.b.c", None),
        ("a b", None),
        ('"a', None),
        ('""', None),
        ("1a", None),
        ("", None),
        ("a.", None),
    ],
)
def test_a_name_is_read_as_sql_reads_it(text: str, parts: tuple[str, str] | None) -> None:
    assert parse_table_name(text) == parts
    if parts:
        assert parse_table_name(quote_table_name(*parts)) == parts
