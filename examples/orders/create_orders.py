"""Create the table of orders: a migration, to be put into alembic/versions.

Revision ID: orders
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "orders"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "orders",
        sa.Column("idempotency_key", sa.Text(collation="C"), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("submission_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("idempotency_key", name="pk_orders"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("orders")
