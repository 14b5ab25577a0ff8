"""Files that people sent on a platform come into our keeping, beside the turn that they came with.

The message was acknowledged long before. The turn is committed after its files were fetched: so whoever runs it again
after a crash fetches what is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from connectors.content import Audio, Content, File, Image, Placeholder, Text, Video
from connectors.contract import Author, ConnectorError, FetchesMedia, Identity, RefusedForGood, TryAgain
from connectors.media import About, Intake, Kept, Media, NotTaken, plain_name
from router import metrics
from router.store import Claim, Entry, Store, Written

log = structlog.get_logger()

LARGEST = 20 * 1024 * 1024
LONGEST = 25.0
"""Seconds that a turn waits for its files."""
PAUSES = (0.5, 2.0)

_FILES = (Image, File, Audio, Video)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that a message brought, and who can fetch it."""

    seq: int
    entry: Entry
    content: Image | File | Audio | Video
    source: FetchesMedia

    @property
    def account(self) -> str:
        return Identity.parse(self.entry.identity).account


@dataclass(frozen=True, slots=True)
class Fetching:
    """`sources` by channel account; `owner` makes of an identity what the media port knows it by."""

    store: Store
    sources: Mapping[str, FetchesMedia]
    media: Media
    intake: Intake
    owner: Callable[[str], str]

    def wanted(self, claim: Claim) -> list[Wanted]:
        """What the claim's messages bring and is still with its platform."""
        return [
            found
            for written in claim.batch
            if not isinstance(content := written.entry.content, Text)  # nearly all
            and isinstance(content, _FILES)
            and (found := self._wanted(written, content))
        ]

    @contextlib.asynccontextmanager
    async def beside(self, claim: Claim, wanted: list[Wanted]) -> AsyncIterator[None]:
        """It is fetched while the body runs, and is here, or given up, behind it."""
        fetching = asyncio.ensure_future(self._all(claim, wanted))
        try:
            yield
            await fetching
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    async def _all(self, claim: Claim, wanted: list[Wanted]) -> None:
        await asyncio.gather(*(self._one(claim, one) for one in wanted))

    def _wanted(self, written: Written, content: Image | File | Audio | Video) -> Wanted | None:
        entry = written.entry
        identity = Identity.parse(entry.identity)
        source = self.sources.get(identity.account)
        if not source:
            return None
        # Any other address is not the platform's to fetch.
        theirs = content.url.startswith(f"{identity.channel}:")
        return Wanted(written.seq, entry, content, source) if theirs else None

    async def _one(self, claim: Claim, wanted: Wanted) -> None:
        """Fetches, keeps, and writes down what the message says by now. Raises `StoreUnavailable`."""
        account, channel = wanted.account, wanted.account.partition(":")[0]
        name = f"f{wanted.entry.id}"
        _, there = await self.store.find_message(claim.customer, account, name)
        if there:
            return
        found = await self._fetched(wanted)
        content = _shown(wanted.content, found) if isinstance(found, Kept) else _missing(wanted.content)
        reason = "" if isinstance(found, Kept) else found
        metrics.FETCHED.labels(channel, reason or "kept").inc()
        if reason:
            log.warning("file.not_fetched", account=account, seq=wanted.seq, why=reason, trace=wanted.entry.trace)
        edit = Entry(
            kind="edit",
            author=Author("system"),
            identity=wanted.entry.identity,
            content=content,
            of=wanted.seq,
            reason=reason,
        )
        written_down = 0
        try:
            written_down = await self.store.append(
                claim.customer,
                f"{account}/{name}",
                edit,
                audience="customer",
                event="message.edited",
                channel=channel,
            )
        finally:
            if not written_down and isinstance(found, Kept):
                await self.media.remove(found.id)

    async def _fetched(self, wanted: Wanted) -> Kept | str:
        """The file, or by a short name why there is none."""
        try:
            async with asyncio.timeout(LONGEST), self.media.draft() as draft:
                named = await _asked(wanted.source, wanted.content.url, draft)
                name = plain_name(getattr(wanted.content, "name", "") or named)
                return await self.intake.keep(draft, About(owner=self.owner(wanted.entry.identity), name=name))
        except NotTaken as error:
            return error.why
        except RefusedForGood as error:
            return str(error) if str(error) in ("too_large", "gone") else "refused"
        except (ConnectorError, TimeoutError, OSError):
            return "not_fetched"


async def _asked(source: FetchesMedia, url: str, draft: Path) -> str:
    """The name that the platform gives it. Raises `RefusedForGood`, or at last `TryAgain`."""
    for pause in PAUSES:
        try:
            return await source.fetch(url, draft, most_bytes=LARGEST)
        except TryAgain as error:
            await asyncio.sleep(max(pause, min(error.after, 5.0)))
    return await source.fetch(url, draft, most_bytes=LARGEST)


def _shown(content: Image | File | Audio | Video, kept: Kept) -> Content:
    url, said = f"media:{kept.id}", content.text
    match kept.kind.partition("/")[0]:
        case "image":
            return Image(url, kept.name, said)
        case "audio":
            return Audio(url, said)
        case "video":
            return Video(url, said)
        case _:
            return File(url, kept.name, said)


def _missing(content: Image | File | Audio | Video) -> Content:
    """An honest note: something was sent, and it is not here."""
    return Placeholder(str(content.__struct_config__.tag), content.text)
