"""change notice: whoever listens hears of a change at its commit (PostgreSQL)

A trigger and no statement of ours, so that the edits of an older release, and of psql, are heard as well.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION aiservice_change_notice() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('aiservice_change', ''); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER aiservice_change_notice AFTER INSERT ON change "
        "FOR EACH STATEMENT EXECUTE FUNCTION aiservice_change_notice()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER aiservice_change_notice ON change")
        op.execute("DROP FUNCTION aiservice_change_notice()")
