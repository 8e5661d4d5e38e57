"""Refuse a CSV file without a column that the target of its records needs."""

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.main_service.files.inspect import Inspected
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.records.rejection import shown, shown_names


def check_fields(inspected: Inspected, declaration: TargetDeclaration) -> None:
    """Check that the header has all that the declaration of a target names.

    Raises:
        SourceError: A field is missing that fills the key, decides what is newest, or is mapped.
    """
    header = inspected.source.columns
    for field, column in needed_fields(declaration).items():
        if header and field not in header:
            raise SourceError(
                f"{inspected.source.name}: no column {shown(field)}, which fills {column} of target"
                f" {declaration.name}; the header has {shown_names(header)}: correct it, or"
                f" `columns` in {declaration.origin}"
            )


def needed_fields(declaration: TargetDeclaration) -> dict[str, str]:
    """Return the fields that a declaration names, each with the column that it fills."""
    by = [declaration.newest_by] if declaration.newest_by else []
    columns = [*declaration.key, *by, *declaration.columns]
    fields = ((declaration.field_of(column), column) for column in columns)
    return {field: column for field, column in fields if field}
