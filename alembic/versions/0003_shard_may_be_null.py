"""Let rows have no shard: those of the paths without a batcher had 0, as shard 0 has.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("records", "shard", existing_type=sa.SmallInteger(), nullable=True)
    op.execute("UPDATE records SET shard = NULL WHERE write_path <> 'batched'")


def downgrade() -> None:
    op.execute("UPDATE records SET shard = 0 WHERE shard IS NULL")
    op.alter_column("records", "shard", existing_type=sa.SmallInteger(), nullable=False)
