"""How a conversation moves, put together: which channels it can go on at, and who does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from connectors.contract import Invites
from connectors.registry import Connector
from router.customers import Customers
from router.invitations import Address, Invitations
from router.linking import Linking
from router.merging import Merging
from router.routing import Routing
from router.store import Store
from router.voice import Voice
from segue.settings import Settings, page_of


@dataclass(frozen=True, slots=True)
class Continuity:
    """What the turn, the outbox, the widget and the API are given of it."""

    merging: Merging
    linking: Linking
    routing: Routing
    invitations: Invitations
    customers: Customers


def continuity(
    settings: Settings,
    store: Store,
    voice: Voice,
    channels: Mapping[str, Connector],
    digest: Callable[[str, str], str],
    zone: str,
) -> Continuity:
    merging = Merging(store)
    places = {f"webchat:{key}": urlsplit(page_of(site)).netloc for key, site in settings.shown_sites().items()}
    linking = Linking(store, merging, voice, digest, ZoneInfo(zone), places)
    invitations = Invitations(store, linking, _addresses(settings, channels), digest)
    tokens = [token.get_secret_value() for token in settings.api.tokens]
    customers = Customers(store, merging, invitations, tokens)
    return Continuity(merging, linking, Routing(store, voice), invitations, customers)


def _addresses(settings: Settings, channels: Mapping[str, Connector]) -> dict[str, Address]:
    """Every account with its way in. A link back to a web site carries its token behind #, which no server sees."""
    found: dict[str, Address] = {}
    for account, channel in channels.items():
        found[account] = channel.invitation if isinstance(channel, Invites) else _typed
    for key, site in settings.shown_sites().items():
        if page := page_of(site):
            found[f"webchat:{key}"] = partial(_page, page)
    return found


def _page(page: str, token: str) -> str:
    return f"{page.partition('#')[0]}#segue={token}"


def _typed(token: str) -> str:
    """This channel is opened by hand; the code is typed there."""
    return ""
