"""audit: entries may be deleted up to a checkpoint, and no others"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_WORDS = "audit entries are never changed or deleted"
_COVERED = "COALESCE((SELECT number FROM audit_checkpoint WHERE id = 1), 0)"


def upgrade() -> None:
    op.create_table(
        "audit_checkpoint",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _on_postgres()
    else:
        op.execute("DROP TRIGGER audit_entry_no_delete")
        op.execute(
            f"CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry WHEN OLD.number > {_COVERED} "
            f"BEGIN SELECT RAISE(ABORT, '{_WORDS}'); END"
        )


def _on_postgres() -> None:
    op.execute("DROP TRIGGER aiservice_audit_is_final ON audit_entry")
    op.execute(
        "CREATE TRIGGER aiservice_audit_is_final BEFORE UPDATE OR TRUNCATE ON audit_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION aiservice_audit_is_final()"
    )
    op.execute(
        "CREATE FUNCTION aiservice_audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF OLD.number > {_COVERED} THEN RAISE EXCEPTION '{_WORDS}'; END IF; RETURN OLD; END $$"
    )
    op.execute(
        "CREATE TRIGGER aiservice_audit_is_kept BEFORE DELETE ON audit_entry "
        "FOR EACH ROW EXECUTE FUNCTION aiservice_audit_is_kept()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER aiservice_audit_is_kept ON audit_entry")
        op.execute("DROP FUNCTION aiservice_audit_is_kept()")
        op.execute("DROP TRIGGER aiservice_audit_is_final ON audit_entry")
        op.execute(
            "CREATE TRIGGER aiservice_audit_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry "
            "FOR EACH STATEMENT EXECUTE FUNCTION aiservice_audit_is_final()"
        )
    else:
        op.execute("DROP TRIGGER audit_entry_no_delete")
        op.execute(
            "CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry "
            f"BEGIN SELECT RAISE(ABORT, '{_WORDS}'); END"
        )
    op.drop_table("audit_checkpoint")
