"""people: a time zone of their own, and which alerts come to them by mail"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("time_zone", sa.String(64), nullable=True))
    op.add_column("person", sa.Column("portal_only", sa.JSON(), nullable=True))
    op.add_column("person", sa.Column("digest", sa.String(8), nullable=True))
    op.add_column("person", sa.Column("digest_us", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for name in ("digest_us", "digest", "portal_only", "time_zone"):
        op.drop_column("person", name)
