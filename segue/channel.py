"""`segue channel`: looks at one channel account at its platform, and sets there what it needs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from connectors import registry
from connectors.contract import Accepted, Checked, Checks, Edited, Identity, Inbound, Ports, StatusReport, TryAgain
from connectors.media import MediaFolder
from segue.installation import Installation
from segue.refusal import Refusal


class _NoDoor:
    """Nothing comes in while only a look is taken."""

    async def accept(self, inbound: Inbound) -> Accepted:
        raise TryAgain("nothing is taken here")

    async def report(self, report: StatusReport) -> None:
        raise TryAgain("nothing is taken here")

    async def edited(self, edited: Edited) -> None:
        raise TryAgain("nothing is taken here")

    async def reachable(self, identity: Identity, yes: bool, reason: str = "") -> None:
        raise TryAgain("nothing is taken here")

    async def ready(self) -> bool:
        return False


def check(installation: Installation, named: str) -> int:
    """One line for each thing that was looked at: 1 when something has to be done, else 0."""
    account = named.replace(".", ":", 1)
    configured = installation.settings.channels
    if account not in configured:
        known = ", ".join(sorted(one.replace(":", ".", 1) for one in configured)) or "none"
        raise Refusal(
            f"There is no channel account {named}: configured are {known}. "
            "Write a table [channels.<channel>.<account>] into segue.toml."
        )
    ports = Ports(
        door=_NoDoor(),
        media=MediaFolder(installation.data / "media"),
        public_url=installation.settings.server.public_url,
    )
    connector = registry.connectors({account: configured[account]}, ports)[account]
    if not isinstance(connector, Checks):
        raise Refusal(
            f"The channel {account.partition(':')[0]} has nothing to look at: it is set up on our side alone."
        )
    found = asyncio.run(_looked(connector, connector))
    for one in found:
        print(_line(named, one))
    return 1 if any(one.level == "fail" for one in found) else 0


async def _looked(connector: registry.Connector, checks: Checks) -> Sequence[Checked]:
    async with connector:
        return await checks.check()


def _line(named: str, found: Checked) -> str:
    colour = {"ok": "32", "warn": "33", "fail": "31"}[found.level]
    level = f"\x1b[{colour}m{found.level:<4}\x1b[0m" if sys.stdout.isatty() else f"{found.level:<4}"
    remedy = f" – {found.remedy}" if found.remedy else ""
    return f"{level}  {named}: {found.says}{remedy}"
