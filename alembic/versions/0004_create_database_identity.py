"""Give the database an identity, which tells it from others in the same Temporal namespace.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "database_identity",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("identity", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("is_only_row", name="pk_database_identity"),
        sa.CheckConstraint("is_only_row", name=op.f("ck_database_identity_is_only_row")),
    )
    op.execute("INSERT INTO database_identity (identity) VALUES (gen_random_uuid())")
    # It is no secret, and a role that was granted the other tables one by one goes on working.
    op.execute("GRANT SELECT ON database_identity TO PUBLIC")


def downgrade() -> None:
    op.drop_table("database_identity")
