"""provider connections: how often each is probed; where nobody says, as the settings say"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("provider_connection", sa.Column("probe_every_seconds", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("provider_connection", "probe_every_seconds")
