"""A stand-in for the router's part of going on elsewhere, for tests of the door alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from connectors.contract import Connected, CustomerId, Identity, Invitation, Milliseconds, NotUnderstood

TOKEN = "abcdefghij0123456789_-"


@dataclass
class StandInLinks:
    """Offers Telegram, where a link opens it, and Slack, where a code is typed. Knows two identities of everybody."""

    accounts: tuple[str, ...] = ("telegram:main", "telegram:second", "slack:main")
    asked: list[tuple[Identity, CustomerId, str]] = field(default_factory=list)
    known: tuple[Connected, ...] = (
        Connected("w", "webchat:demo", here=True, chosen=False, since=Milliseconds(1)),
        Connected("t", "telegram:main", here=False, chosen=True, since=Milliseconds(2)),
    )

    def offered(self) -> tuple[str, ...]:
        return self.accounts

    async def invite(self, identity: Identity, known: CustomerId, account: str) -> Invitation:
        if account not in self.accounts:
            raise NotUnderstood("no conversation can be continued there")
        self.asked.append((identity, known, account))
        url = f"https://t.me/segue_bot?start={TOKEN}" if account.startswith("telegram:") else ""
        return Invitation(account, url, "ABCD-2345", Milliseconds(1_790_000_600_000))

    async def connected(self, identity: Identity, known: CustomerId) -> tuple[Connected, ...]:
        return self.known

    async def unlink(self, identity: Identity, known: CustomerId, which: str) -> bool:
        left = tuple(one for one in self.known if one.id != which)
        gone, self.known = left != self.known, left
        return gone

    async def choose(self, identity: Identity, known: CustomerId, which: str) -> None:
        if which and which not in {one.id for one in self.known}:
            raise NotUnderstood("there is no such identity")
        self.known = tuple(replace(one, chosen=one.id == which) for one in self.known)
