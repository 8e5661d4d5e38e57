"""Create the log of batches.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("write_path", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("written", sa.Integer(), nullable=False),
        sa.Column("duplicate", sa.Integer(), nullable=True),
        sa.Column("conflict", sa.Integer(), nullable=True),
        sa.Column("rejected", sa.Integer(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column(
            "written_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("written_at", "id", name="pk_batches"),
        # Room for the later update of each row, so that it needs no entry in an index.
        postgresql_with={"fillfactor": "60"},
    )
    op.create_index("ix_batches_batch_id", "batches", ["batch_id"])
    # The INSERT of records writes the log too, so a role that was granted that one goes on working.
    op.execute(
        """
        DO $$
        DECLARE grantee text;
        BEGIN
            FOR grantee IN
                SELECT DISTINCT CASE acl.grantee WHEN 0 THEN 'PUBLIC'
                                ELSE quote_ident(pg_get_userbyid(acl.grantee)) END
                FROM pg_class, aclexplode(relacl) AS acl
                WHERE oid = 'records'::regclass AND privilege_type = 'INSERT'
            LOOP
                EXECUTE 'GRANT SELECT, INSERT, UPDATE ON batches TO ' || grantee;
            END LOOP;
        END $$
        """
    )


def downgrade() -> None:
    op.drop_table("batches")
