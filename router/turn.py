"""One turn, top to bottom: who answers, ask, compose, commit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from connectors.content import Button, Buttons, Choice, Command, Content, Continue, Image, Placeholder, Text
from connectors.contract import Identity, ShowsTyping
from router import conversation, metrics
from router.bot import Answer, Bot, Question, Response, joined_window
from router.bot_workers import BotFailure
from router.later import Later
from router.linking import OURS, Linking
from router.routing import Routing
from router.store import Claim, Commit, NewEntry, OfferedButton, Store, StoreUnavailable
from router.text import speakable
from router.voice import Voice

log = structlog.get_logger()

HELP = "/help"
"""What a platform's own command for help means to the bot."""

TYPING_AFTER = 0.15
"""Seconds of a turn after which the bot is shown typing; most answers are there before."""

TYPING_AGAIN = 4.0
"""Seconds after which a platform is told so again: it shows it for some five."""

MOMENT_AFTER = 5.0
"""Seconds of a turn after which the customer is told that it takes a moment."""

LONGEST_TURN = 60.0

FILES_TOGETHER = 10_000
"""Milliseconds between two files of which one thank-you is enough."""

LARGEST_COMMIT = 256 * 1024
MOST_ITEMS = 500
"""What one commit may bring into Redis; a bot that brings more has failed."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Runs turns. Decides nothing about leases: the worker holds them."""

    store: Store
    bot: Bot
    voice: Voice
    linking: Linking
    routing: Routing
    elsewhere: Callable[[Identity], tuple[str, ...]] = lambda identity: ()
    """Accounts of other channels that a conversation can go on at."""
    typing: Mapping[str, ShowsTyping] = field(default_factory=dict)
    """Of channel accounts whose platform can show it."""
    _slow: Later = field(init=False, default_factory=lambda: Later(TYPING_AFTER))

    async def run(self, claim: Claim) -> Commit:
        """What this turn leaves behind. The caller commits it."""
        first = claim.batch[0].entry
        if first.kind == "merged":
            return await self.linking.arrival(claim)
        if first.link:
            return await self.linking.redeem(claim)
        said = tuple([written.entry.content for written in claim.batch if written.entry.content is not None])
        button = self._button(claim, said) if said else None
        # What it means, by the store; one that is no longer known is words.
        offered = await self.store.find_button(claim.customer, button) if button else None
        if offered is None and claim.state.get("num"):
            offered = await self._titled(claim, said)
        payload = offered.payload if offered else None
        if payload and payload.startswith(OURS):
            return await self.linking.tapped(claim, payload)
        control = claim.state.get("ctl", "bot")
        facts = conversation.Facts(control=control, attempts=claim.attempts)  # type: ignore[arg-type]
        match conversation.who_answers(facts):
            case "people":
                return Commit()
            case "nobody":
                log.error("turn.given_up", turn=claim.turn_id, trace=claim.trace, attempts=claim.attempts)
                metrics.TURNS.inc("dead")
                return self._apology(claim, dead="attempts")
            case "bot":
                payload = HELP if isinstance(said[0], Command) else payload
                commit = self._answered_by_us(claim, said) or await self._ask_bot(claim, said, payload)
                if claim.state.get("lt") == claim.batch[-1].entry.identity and claim.state.get("ns") != "back":
                    return commit  # where the last turn answered too, nothing is said around it
                return await self._introduced(claim, commit)

    def _answered_by_us(self, claim: Claim, said: tuple[Content, ...]) -> Commit | None:
        """What the bot is not asked about."""
        if isinstance(said[0], Command):
            return self.linking.commanded(claim, said[0])
        if isinstance(said[-1], Placeholder):
            return self._received(claim, "placeholder_received")
        if conversation.wordless(said):
            return self._received(claim, "file_received")
        return None

    def _received(self, claim: Claim, key: str) -> Commit:
        """Said once of files that come together: platforms bring an album picture by picture."""
        if claim.now - int(claim.state.get("fa", 0)) < FILES_TOGETHER:
            return Commit(state={"fa": str(claim.now)})
        commit = self._offer_person(claim, key)
        return msgspec.structs.replace(commit, state={**commit.state, "fa": str(claim.now)})

    async def _introduced(self, claim: Claim, commit: Commit) -> Commit:
        """What is said around an answer: who we are, on first contact; that the conversation went on, where it was."""
        before: list[NewEntry] = []
        state = dict(commit.state)
        there = self.voice.capabilities.get(claim.identity.account)
        if conversation.is_first_contact(claim.state.get("lt", "")) and there and there.introduces:
            before.append(self.linking.first_contact(claim))
        if claim.state.get("ns") == "back":
            before.append(self.voice.says(claim, "came_back"))
            state["ns"] = ""
        here, last = claim.batch[-1].entry.identity, claim.state.get("lt", "")
        if last != here:
            state["lt"] = here
            if last:
                left = await self.routing.moved_on(claim, last)
                before.extend(left.entries)
                state.update(left.state)
        if not before and state == commit.state:
            return commit
        return msgspec.structs.replace(commit, entries=[*before, *commit.entries], state=state)

    async def _ask_bot(self, claim: Claim, said: tuple[Content, ...], payload: str | None) -> Commit:
        try:
            answer = await self._thought(claim, self._question(claim, said, payload))
            commit = self._answer(claim, answer, joined_window(claim.window, answer))
            chosen = claim.state.get("to")
            if chosen and chosen != str(claim.identity):
                commit = await self._routed(claim, commit, chosen)
        except BotFailure as failure:
            log.warning("turn.failed", turn=claim.turn_id, trace=claim.trace, kind=failure.kind, where=failure.where)
            metrics.TURNS.inc("failed")
            return self._apology(claim, dead="")
        metrics.TURNS.inc(answer.outcome)
        return commit

    def _question(self, claim: Claim, said: tuple[Content, ...], payload: str | None) -> Question:
        asked = conversation.asked(said, payload)
        locale = claim.state.get("loc", "")
        return Question(
            turn_id=claim.turn_id,
            text=asked.text,
            payload=asked.payload,
            metadata={"channel": claim.identity.channel, "locale": locale, "trace": claim.trace},
            language=claim.state.get("lang", ""),
            votes=int(claim.state.get("lv", 0)),
            locale=speakable(locale),
            new_session=claim.state.get("ns") == "1",
            window=claim.window,
        )

    def _button(self, claim: Claim, contents: tuple[Content, ...]) -> str | None:
        """The button that was tapped, or meant by a typed number."""
        last = contents[-1]
        if isinstance(last, Choice):
            return last.button
        if len(contents) == 1 and isinstance(last, Text) and (offered := claim.state.get("num")):
            return conversation.chosen(last.text, tuple(offered.split(" ")))
        return None

    async def _titled(self, claim: Claim, contents: tuple[Content, ...]) -> OfferedButton | None:
        """The button whose title was typed in place of its number, while those numbers are the last thing asked."""
        if len(contents) != 1 or not isinstance(contents[0], Text):
            return None
        typed = contents[0].text.strip().casefold()
        numbered = claim.state.get("num", "").split()
        offered = await asyncio.gather(*(self.store.find_button(claim.customer, button) for button in numbered))
        return next((one for one in offered if one and one.title.casefold() == typed), None)

    async def _thought(self, claim: Claim, question: Question) -> Answer:
        """The bot's answer. While it thinks the customer sees it typing, and hears "um momento" when it takes long."""
        thinking: list[asyncio.Task[None]] = []

        def think() -> None:
            thinking.append(asyncio.create_task(self._show_work(claim), name=f"thinking {claim.turn_id}"))
            if shows := self.typing.get(claim.identity.account):
                thinking.append(asyncio.create_task(_keep_typing(shows, claim.identity)))

        # Most answers are there before.
        self._slow.call(think)
        try:
            return await self.bot.ask(question)
        finally:
            self._slow.cancel(think)
            if thinking:
                for task in thinking:
                    task.cancel()
                await asyncio.gather(*thinking, return_exceptions=True)

    async def _show_work(self, claim: Claim) -> None:
        try:
            await self.store.hint_typing(claim.customer, on=True)
            await asyncio.sleep(MOMENT_AFTER - TYPING_AFTER)
            with contextlib.suppress(StoreUnavailable):
                await self.store.interject(claim, self.voice.says(claim, "moment"))
            await asyncio.sleep(LONGEST_TURN)
        finally:
            await self.store.hint_typing(claim.customer, on=False)

    async def _routed(self, claim: Claim, commit: Commit, chosen: str) -> Commit:
        """Answers go where the customer wrote, unless they chose another channel."""
        route, notice = await self.routing.of(claim, chosen)
        to = route.to or claim.identity
        if to == claim.identity:
            return commit
        there = [self.voice.sent_to(new, to) for new in commit.entries]
        state = {**commit.state, **notice.state, "num": self.voice.numbered(there)}
        return msgspec.structs.replace(commit, entries=[*notice.entries, *there], state=state)

    # ── composing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, claim: Claim, answer: Answer, window: bytes) -> Commit:
        # The offer first: what the bot asks stands last.
        entries = self._offered_elsewhere(claim, answer)
        entries += [new for response in answer.responses for new in self._composed(claim, response)]
        state = {
            "lang": answer.language.current or claim.state.get("lang", ""),
            "lv": str(answer.language.votes),
            "slots": bytes(answer.state.slots).decode(),
            "form": answer.state.form or "",
            "ask": "",
            "num": self.voice.numbered(entries),
            "tr_seq": str(claim.batch[-1].seq),
            "ns": "",
        }
        if answer.state.requested_slot and entries and entries[-1].entry.content is not None:
            state["ask"] = msgspec.json.encode(entries[-1].entry.content).decode()
        events = ["turn.fallback"] if answer.fallback else []
        items = len(entries) + sum([len(new.buttons) for new in entries])
        size = len(window) + len("".join(state.values())) + sum([len(said.text) for said in answer.responses])
        if items > MOST_ITEMS or size > LARGEST_COMMIT:
            raise BotFailure("too_large", f"{items} items, {size} bytes")
        return Commit(entries=entries, state=state, window=window, events=events)

    def _offered_elsewhere(self, claim: Claim, answer: Answer) -> list[NewEntry]:
        """The bot found that the customer wants to go on elsewhere. Links are made when the offer is shown."""
        if "continue" not in [request.kind for request in answer.requests]:
            return []
        accounts = self.elsewhere(claim.identity)
        if not accounts:
            return [self.voice.says(claim, "continue_nowhere")]
        return [
            self.voice.entry(claim, Continue(self.voice.sentence("continue_offer", claim), accounts), kind="system")
        ]

    def _composed(self, claim: Claim, response: Response) -> list[NewEntry]:
        offered = tuple(
            [
                self.voice.button(str(button["title"]), str(button["payload"]))
                for button in response.buttons
                if button.get("title") and button.get("payload")
            ]
        )
        content: Content
        if offered:
            content = Buttons(response.text, tuple(Button(button.id, button.title) for button in offered))
        elif response.image:
            content = Image(url=response.image, text=response.text)
        elif response.text:
            content = Text(response.text)
        else:
            return []
        return [self.voice.entry(claim, content, buttons=offered)]

    def _apology(self, claim: Claim, *, dead: str) -> Commit:
        """The bot could not answer: say so, and offer a person. The dialogue stays as it was."""
        return self._offer_person(claim, "apology", events=("turn.failed",), dead=dead)

    def _offer_person(self, claim: Claim, key: str, *, events: Sequence[str] = (), dead: str = "") -> Commit:
        new = self.voice.says(claim, key, [("button_person", "/human_handoff")])
        return Commit(entries=[new], state={"num": self.voice.numbered([new])}, events=events, dead=dead)


async def _keep_typing(shows: ShowsTyping, to: Identity) -> None:
    while True:
        await shows.typing(to)
        await asyncio.sleep(TYPING_AGAIN)
