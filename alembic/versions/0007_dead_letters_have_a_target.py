"""Let dead letters say which target their records are for.

Revision ID: 0007
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    target = sa.Column("target", sa.Text(), server_default="records", nullable=False)
    op.add_column("dead_letters", target)


def downgrade() -> None:
    op.drop_column("dead_letters", "target")
