"""provider quotas: what an admin says a connection's provider gives in a minute, and the clients' weights"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("provider_connection", sa.Column("rpm", sa.Integer(), nullable=True))
    op.add_column("provider_connection", sa.Column("tpm", sa.BigInteger(), nullable=True))
    op.add_column("client", sa.Column("weight", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    op.drop_column("client", "weight")
    op.drop_column("provider_connection", "tpm")
    op.drop_column("provider_connection", "rpm")
