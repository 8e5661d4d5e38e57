"""Create the table of records, and the view that counts how they were written.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "records",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("idempotency_key", sa.Text(collation="C"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("submission_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("write_path", sa.Text(), nullable=False),
        sa.Column("run_label", sa.Text(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column(
            "written_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
        sa.UniqueConstraint("idempotency_key", name="uq_records_idempotency_key"),
    )
    op.execute(
        """
        CREATE VIEW write_counts AS
        SELECT
            run_label,
            write_path,
            count(*) AS rows,
            count(DISTINCT batch_id) AS batches,
            round(count(*)::numeric / count(DISTINCT batch_id), 1) AS rows_per_batch
        FROM records
        GROUP BY run_label, write_path
        ORDER BY min(id)
        """
    )


def downgrade() -> None:
    op.execute("DROP VIEW write_counts")
    op.drop_table("records")
