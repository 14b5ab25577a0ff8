"""Delivers what is owed to platforms: per customer and channel account, in order; retry, give up, or do not know.

The words stay in the journal; a lane holds references. What a channel cannot show is rendered for it here, at the last
moment (`connectors/fallback.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from connectors.content import Content, Continue
from connectors.contract import (
    CredentialsRejected,
    CustomerId,
    Identity,
    Limit,
    Outbound,
    RefusedForGood,
    Sender,
    TryAgain,
    Unknown,
    Unreachable,
)
from connectors.fallback import rendered
from router import metrics
from router.loop import ReadyLoop, backoff
from router.store import Bucket, Lane, SendResult, Store, StoreUnavailable, Try
from router.store.hints import Hints
from router.text import speakable

log = structlog.get_logger()

MOST_TRIES = 10
"""Tries of one message before it is given up; with the back-off, about half an hour."""

LONGEST_SEND = 30.0
"""Seconds that a connector may take for one message."""

LEASE = int((LONGEST_SEND + 15) * 1000)
"""Milliseconds until a try whose worker died is looked at by another."""

SETTLE_PAUSES = (0.1, 0.3, 1.0, 2.0, 5.0)

CREDENTIALS_PAUSE = 60_000
"""Milliseconds between tries while the platform refuses our credentials: only the operator can mend that."""


Elsewhere = Callable[[Try, str], Awaitable[None]]
"""What becomes of a message whose person cannot be written to there, for the given reason."""

SpelledOut = Callable[[CustomerId, Identity, Continue], Awaitable[Content]]
"""An offer to go on elsewhere with its links, made at the moment it is sent."""


class Outbox:
    """`senders` by channel account; an account without one has its lanes wait."""

    def __init__(
        self,
        store: Store,
        senders: Mapping[str, Sender],
        hints: Hints,
        *,
        elsewhere: Elsewhere,
        spelled_out: SpelledOut,
        lease: int = LEASE,
        at_once: int = 64,
    ) -> None:
        self._store = store
        self._elsewhere = elsewhere
        self._spelled_out = spelled_out
        self._senders = senders
        self._lease = lease
        self._loop = ReadyLoop("outbox", store.lanes.ready, self._deliver, at_once=at_once)
        hints.on_lane.append(self._loop.hint)

    def start(self) -> None:
        self._loop.start()

    async def stop(self, *, within: float = 4.0) -> None:
        """Sends nothing more. What is cut off in the middle is found by its lease: sent again, or unknown."""
        await self._loop.stop(within=within)

    async def _deliver(self, lane: Lane) -> None:
        """Message after message, until the lane is empty or has to wait."""
        sender = self._senders.get(lane.account)
        try:
            while not self._loop.stopping:
                attempt = await self._store.lanes.reserve(
                    lane,
                    lease=self._lease,
                    safe=sender is None or sender.capabilities.idempotent,
                    bucket=_bucket(sender.person_limit) if sender else Bucket(),
                )
                if attempt is None or not await self._try(sender, attempt):
                    return
        except StoreUnavailable as error:
            log.warning("outbox.store_unavailable", account=lane.account, error=str(error))
        except Exception:
            log.exception("outbox.crashed", account=lane.account, customer=lane.customer)

    async def _try(self, sender: Sender | None, attempt: Try) -> bool:
        """Whether the lane may go on at once."""
        account = attempt.lane.account
        if sender is None:
            log.warning("outbox.no_sender", account=account, remedy="configure the channel account, or erase it")
            return await self._settle(attempt, "retry", "no_sender", delay=CREDENTIALS_PAUSE, counts=False)
        wait = await self._store.lanes.wait_for(account, _bucket(sender.account_limit))
        if wait:
            return await self._settle(attempt, "retry", "limit", delay=wait, counts=False)
        try:
            async with asyncio.timeout(LONGEST_SEND):
                receipt = await sender.send(await self._outbound(sender, attempt))
        except TryAgain as error:
            if attempt.tries >= MOST_TRIES:
                return await self._settle(attempt, "failed", "gave_up")
            delay = int(error.after * 1000) or backoff(attempt.tries, longest=600)
            taken = max(error.taken, attempt.taken)
            return await self._settle(attempt, "retry", "try_again", delay=delay, taken=taken)
        except Unreachable as error:
            # First where it goes now, then what became of it: dying in between does the first once more, to no effect.
            await self._elsewhere(attempt, str(error) or "unreachable")
            return await self._settle(attempt, "failed", str(error)[:200] or "unreachable")
        except RefusedForGood as error:
            return await self._settle(attempt, "failed", str(error)[:200] or "refused")
        except CredentialsRejected:
            log.error("outbox.credentials_rejected", account=account, remedy="give the account new credentials")
            return await self._settle(attempt, "retry", "credentials", delay=CREDENTIALS_PAUSE, counts=False)
        except (Unknown, TimeoutError):
            if sender.capabilities.idempotent and attempt.tries < MOST_TRIES:
                return await self._settle(attempt, "retry", "answer_lost", delay=backoff(attempt.tries, longest=600))
            return await self._settle(attempt, "unknown", "answer_lost")
        return await self._settle(attempt, "sent", "", vendor_id=receipt.vendor_id)

    async def _outbound(self, sender: Sender, attempt: Try) -> Outbound:
        state = await self._store.state(attempt.lane.customer, "lang", "loc")
        language = speakable(state.get("lang") or state.get("loc", ""))
        content = attempt.entry.content
        if isinstance(content, Continue):
            content = await self._spelled_out(attempt.lane.customer, attempt.identity, content)
        return Outbound(
            id=attempt.entry.id,
            to=attempt.identity,
            parts=rendered(content, sender.capabilities, language) if content else (),
            author=attempt.entry.author,
            tries=attempt.tries,
            taken=attempt.taken,
        )

    async def _settle(
        self,
        attempt: Try,
        result: SendResult,
        reason: str,
        *,
        vendor_id: str = "",
        delay: int = 0,
        counts: bool = True,
        taken: int = 0,
    ) -> bool:
        account = attempt.lane.account
        metrics.DELIVERIES.labels(account.partition(":")[0], result).inc()
        if result != "sent":
            log.warning(
                "outbox.not_sent",
                account=account,
                seq=attempt.seq,
                tries=attempt.tries,
                result=result,
                trace=attempt.entry.trace,
            )
        for pause in (*SETTLE_PAUSES, None):
            try:
                await self._store.lanes.settle(
                    attempt, result, vendor_id=vendor_id, reason=reason, delay=delay, counts=counts, taken=taken
                )
                break
            except StoreUnavailable:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        return result != "retry"


def _bucket(limit: Limit) -> Bucket:
    return Bucket(every=1000 / limit.per_second if limit.per_second else 0, burst=limit.burst)
