"""The table of rights, and what its columns mean. `python -m tests.services.rights_page` puts it into the README.

An action is `object.verb`, as the audit log calls it. `words` end the sentence "Only an admin may …".
"""

from enum import IntEnum
from typing import NamedTuple

from aiservice.principal import Role


class Reach(IntEnum):
    """Whose rows, from nobody's to everybody's. A right reaches so far; a row is so far away from who asks.

    OWN is the person's account, the clients they own and all that is theirs: keys, usage, requests, limits. TEAM adds
    what holds for a team that such a client is in, PLATFORM what holds for everybody, ANYONE what is others' own.
    """

    NONE = 0
    OWN = 1
    TEAM = 2
    PLATFORM = 3
    ANYONE = 4


ROW_OF_SCOPE = {"platform": Reach.PLATFORM, "team": Reach.TEAM, "client": Reach.OWN, "key": Reach.OWN}
"""Whose what is kept for a scope is, for who may see its client or key."""


class Held(NamedTuple):
    """How far a right reaches, by role. `operator` is the command line on the server's machine."""

    developer: Reach
    admin: Reach
    operator: Reach

    def by(self, role: Role) -> Reach:
        return {Role.DEVELOPER: self.developer, Role.ADMIN: self.admin}.get(role, Reach.NONE)


ADMINS = Held(Reach.NONE, Reach.ANYONE, Reach.ANYONE)
OWNERS = Held(Reach.OWN, Reach.ANYONE, Reach.ANYONE)
TEAMS = Held(Reach.TEAM, Reach.ANYONE, Reach.ANYONE)
READERS = Held(Reach.PLATFORM, Reach.ANYONE, Reach.ANYONE)
ONESELF = Held(Reach.OWN, Reach.OWN, Reach.OWN)
MACHINE = Held(Reach.NONE, Reach.NONE, Reach.ANYONE)

TABLE: dict[str, tuple[Held, str]] = {
    # The own account
    "account.get": (ONESELF, "see an account"),
    "account.settings": (ONESELF, "change settings"),
    "account.confirm": (ONESELF, "say a password again"),
    "account.change_password": (ONESELF, "change a password"),
    "factor.list": (ONESELF, "see second factors"),
    "factor.change": (ONESELF, "change second factors"),
    "session.list": (OWNERS, "see sessions"),
    "session.end_all": (ADMINS, "sign others out"),
    "session.end": (OWNERS, "end sessions"),
    "access_token.list": (OWNERS, "see access tokens"),
    "access_token.create": (Held(Reach.OWN, Reach.OWN, Reach.ANYONE), "make access tokens"),
    "access_token.revoke": (OWNERS, "end access tokens"),
    "find.any": (OWNERS, "find things"),
    # People, teams, clients
    "person.list": (ADMINS, "see people"),
    "person.create": (ADMINS, "make accounts"),
    "person.invite": (ADMINS, "invite people"),
    "person.uninvite": (ADMINS, "take invitations back"),
    "person.reset_link": (ADMINS, "make links for new passwords"),
    "person.reset_password": (ADMINS, "set passwords"),
    "person.disable": (ADMINS, "keep people out"),
    "person.enable": (ADMINS, "let people in again"),
    "person.role": (ADMINS, "say who is an admin"),
    "factor.reset": (ADMINS, "reset second factors"),
    "sign_in.get_rule": (ADMINS, "see of whom a second factor is asked"),
    "sign_in.rule": (ADMINS, "say of whom a second factor is asked"),
    "sso.list": (ADMINS, "see single sign-on"),
    "sso.change": (ADMINS, "set up single sign-on"),
    "sso.set_secret": (ADMINS, "change a single sign-on's secret"),
    "sso.switch": (ADMINS, "switch single sign-on"),
    "sso.check": (ADMINS, "test single sign-on"),
    "sso.require": (ADMINS, "say whether people may come in without single sign-on"),
    "sso.unlink": (ADMINS, "take a person's single sign-on away"),
    "sso.break_glass": (MACHINE, "say who may come in without single sign-on"),
    "team.list": (TEAMS, "see teams"),
    "team.create": (ADMINS, "make teams"),
    "team.rename": (ADMINS, "rename teams"),
    "team.change": (ADMINS, "change what a team may do"),
    "team.delete": (ADMINS, "delete teams"),
    "team.limits": (ADMINS, "limit a team"),
    "team.budget": (ADMINS, "give a team a budget"),
    "client.list": (OWNERS, "see clients"),
    "client.get": (OWNERS, "see clients"),
    "client.personal": (ONESELF, "have a client of their own"),
    "client.create": (ADMINS, "create clients"),
    "client.change": (ADMINS, "change what a client may do"),
    "client.team": (ADMINS, "put a client into a team"),
    "client.disable": (ADMINS, "disable clients"),
    "client.enable": (ADMINS, "enable clients"),
    "client.limits": (ADMINS, "limit a client"),
    "client.budget": (ADMINS, "give a client a budget"),
    "client.payloads": (ADMINS, "have payloads kept"),
    "client.shred": (ADMINS, "destroy what is kept of a client"),
    # Keys, limits, budgets
    "key.list": (OWNERS, "see keys"),
    "key.get": (OWNERS, "see keys"),
    "key.create": (OWNERS, "make keys"),
    "key.change": (OWNERS, "change keys"),
    "key.roll": (OWNERS, "roll keys"),
    "key.end_overlap": (OWNERS, "end a rolled key's old secret"),
    "key.revoke": (OWNERS, "revoke keys"),
    "key.limits": (OWNERS, "limit keys"),
    "key.budget": (OWNERS, "give a key a budget"),
    "key.reveal": (ONESELF, "see a key again"),
    "key.report_leak": (MACHINE, "report a leaked key by hand"),
    "playground.run": (OWNERS, "call as a client"),
    "limit.list": (TEAMS, "see limits"),
    "limit.get": (TEAMS, "see limits"),
    "budget.list": (TEAMS, "see budgets"),
    "budget.get": (TEAMS, "see budgets"),
    # What holds for requests
    "preference.list": (READERS, "see preferences"),
    "preference.set": (OWNERS, "set the preferences"),
    "preference.clear": (OWNERS, "clear the preferences"),
    "preference.history": (READERS, "see what preferences were"),
    "preference.revert": (OWNERS, "take back the preferences"),
    "preference.try": (OWNERS, "try the preferences"),
    "alias.list": (READERS, "see aliases"),
    "alias.set": (OWNERS, "set the aliases"),
    "alias.remove": (OWNERS, "remove the aliases"),
    "alias.history": (READERS, "see what aliases were"),
    "alias.revert": (OWNERS, "take back the aliases"),
    "cache.list": (READERS, "see what the cache does"),
    "cache.policy": (OWNERS, "say what the cache does for requests"),
    "cache.share_in_team": (ADMINS, "let a team share its answers"),
    "cache.purge": (OWNERS, "purge the answers"),
    "shadow.list": (ADMINS, "see shadow traffic"),
    "shadow.set": (ADMINS, "set up shadow traffic"),
    "shadow.clear": (ADMINS, "end shadow traffic"),
    # Providers and prices
    "connection.list": (READERS, "see provider connections"),
    "connection.get": (READERS, "see provider connections"),
    "connection.add": (ADMINS, "add provider connections"),
    "connection.check": (ADMINS, "try provider connections"),
    "connection.test": (ADMINS, "test provider connections"),
    "connection.change": (ADMINS, "change provider connections"),
    "connection.set_key": (ADMINS, "change a provider's key"),
    "connection.set_address": (ADMINS, "change a provider's address"),
    "connection.disable": (ADMINS, "disable provider connections"),
    "connection.enable": (ADMINS, "enable provider connections"),
    "connection.remove": (ADMINS, "remove provider connections"),
    "connection.health": (ADMINS, "see providers' health"),
    "connection.quota": (ADMINS, "see providers' quotas"),
    "connection.uses": (ADMINS, "see who uses a provider connection"),
    "environment_key.list": (ADMINS, "see the environment's provider keys"),
    "environment_key.import": (ADMINS, "import the environment's provider keys"),
    "provider_key.get": (ADMINS, "see providers' keys"),
    "provider_key.add": (ADMINS, "add providers' keys"),
    "provider_key.set_secret": (ADMINS, "change providers' keys"),
    "provider_key.change": (ADMINS, "change providers' keys"),
    "provider_key.disable": (ADMINS, "disable providers' keys"),
    "provider_key.enable": (ADMINS, "enable providers' keys"),
    "provider_key.remove": (ADMINS, "remove providers' keys"),
    "provider_key.test": (ADMINS, "test providers' keys"),
    "vendor.list": (ADMINS, "see vendors"),
    "vendor.add": (ADMINS, "add vendors"),
    "vendor.remove": (ADMINS, "remove vendors"),
    "price.list": (ADMINS, "see prices"),
    "price.set": (ADMINS, "set prices"),
    "price.clear": (ADMINS, "clear prices"),
    # What happened
    "usage.get": (OWNERS, "see usage"),
    "usage.by_user": (ADMINS, "see usage by user"),
    "usage.export": (OWNERS, "export usage"),
    "request.list": (OWNERS, "see requests"),
    "request.get": (OWNERS, "see requests"),
    "request.export": (OWNERS, "export requests"),
    "payload.read": (OWNERS, "read kept bodies"),
    "audit.list": (ADMINS, "read the audit log"),
    "audit.export": (ADMINS, "export the audit log"),
    "audit.verify": (ADMINS, "verify the audit log"),
    # Abuse and alerts
    "sanction.list": (OWNERS, "see what was done about clients"),
    "sanction.undo": (ADMINS, "undo what was done about a client"),
    "abuse_policy.list": (ADMINS, "see policies"),
    "abuse_policy.set": (ADMINS, "set policies"),
    "abuse_policy.replay": (ADMINS, "try policies"),
    "alert.list": (OWNERS, "see alerts"),
    "alert.acknowledge": (OWNERS, "acknowledge alerts"),
    "alert.resolve": (OWNERS, "resolve alerts"),
    "alert.mute": (OWNERS, "mute alerts"),
    "alert.deliveries": (ADMINS, "see what was sent of alerts"),
    "alert_rule.list": (ADMINS, "see alert rules"),
    "alert_rule.set": (ADMINS, "set alert rules"),
    "alert_rule.remove": (ADMINS, "remove alert rules"),
    "alert_rule.switch": (ADMINS, "switch alert rules"),
    "alert_channel.list": (ADMINS, "see alert channels"),
    "alert_channel.add": (ADMINS, "add alert channels"),
    "alert_channel.roll_secret": (ADMINS, "change a channel's secret"),
    "alert_channel.switch": (ADMINS, "switch alert channels"),
    "alert_channel.remove": (ADMINS, "remove alert channels"),
    "alert_channel.resend": (ADMINS, "send alerts again"),
    "alert_channel.test": (ADMINS, "test alert channels"),
    # The installation, on its machine
    "server.run": (MACHINE, "run the server"),
    "server.migrate": (MACHINE, "migrate the database"),
    "server.rotate_master_key": (MACHINE, "change the master key"),
    "server.backup": (MACHINE, "make backups"),
    "server.restore": (MACHINE, "restore backups"),
    "system.get": (ADMINS, "see the system"),
    "system.examine": (ADMINS, "have the system examined"),
    "retention.list": (ADMINS, "see what is kept"),
    "retention.purge": (ADMINS, "have what is past its time deleted"),
    "server.examine": (MACHINE, "examine the installation"),
}
"""By action: how far the right to it reaches, and its words."""
