"""One turn of a dialogue as a pure function: events and a message in, events and responses out; nothing is stored.

Built from Rasa's own steps by one subclass of its MessageProcessor: no Agent, no tracker store, no lock. What
stock Rasa turns into silence (a broken action, a missing text, an endless loop) is a TurnFailure here.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import logging
import time
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog
from rasa.core.actions.action import Action, ActionExecutionRejection
from rasa.core.channels.channel import OutputChannel, UserMessage
from rasa.core.policies.policy import PolicyPrediction
from rasa.core.policies.rule_policy import RulePolicy
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
from rasa.shared.core.constants import (
    ACTION_DEFAULT_FALLBACK_NAME,
    ACTION_LISTEN_NAME,
    REQUESTED_SLOT,
    SESSION_START_METADATA_SLOT,
)
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot import window
from bot.action_endpoint import ActionEndpoint, ActionSocket, validate_once_built
from bot.brand import BrandResponses
from bot.components.identifiers import ASKED
from bot.events import nlu_of, remember_event_classes, slim
from bot.failure import TurnFailure
from bot.graph import LeanProcessor
from bot.language import Language, decide
from bot.request import TurnRequest
from bot.typed import harmless, parse_payload

LANGUAGE_SLOT = "language"
_PRIVATE_SLOTS = frozenset({REQUESTED_SLOT, SESSION_START_METADATA_SLOT})
_RESPONSE_KEYS = ("text", "image", "buttons", "quick_replies", "attachment", "elements", "custom")

remember_event_classes()
validate_once_built()
# Stock parses every rule's JSON again for every state of the history.
RulePolicy._rule_key_to_state = staticmethod(lru_cache(maxsize=4096)(RulePolicy._rule_key_to_state))


def quiet_rasa() -> None:
    """Rasa's log lines quote what people write, at every level; ours say what went wrong without it."""
    logging.getLogger("rasa").setLevel(logging.CRITICAL + 1)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), cache_logger_on_first_use=False
    )


class Collected(OutputChannel):
    """Keeps whole responses, as they were given."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self.responses: list[dict[str, Any]] = []

    def name(self) -> str:  # type: ignore[override] # Rasa asks the instance too, for responses by channel
        return self._channel

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        response = {key: message[key] for key in _RESPONSE_KEYS if message.get(key)}
        if response:
            self.responses.append(response)


class Watched(Action):
    """An action whose failure is remembered on its way into Rasa's `except Exception`."""

    def __init__(self, action: Action) -> None:
        self._action = action
        self.failure: Exception | None = None

    def name(self) -> str:
        return self._action.name()

    def event_for_successful_execution(self, prediction: PolicyPrediction) -> ActionExecuted:
        return self._action.event_for_successful_execution(prediction)

    async def run(self, *args: Any, **kwargs: Any) -> list[Event]:
        try:
            return await self._action.run(*args, **kwargs)
        except ActionExecutionRejection:
            raise
        except Exception as failure:
            self.failure = failure
            raise


def _break_circuit(tracker: DialogueStateTracker, *_: Any) -> None:
    raise TurnFailure("action_limit", tracker.latest_action_name or "", "The policies never stopped to listen.")


class Turns(LeanProcessor):
    """A loaded model that takes turns. One serves any customer; turns may run at the same time."""

    def __init__(
        self,
        model: str | Path,
        *,
        actions: ActionSocket | None,
        brand: str | Path,
        turn_seconds: float = 9.0,
        action_seconds: float = 5.0,
    ) -> None:
        super().__init__(model, on_circuit_break=_break_circuit)
        self.nlg = BrandResponses(EndpointConfig(brand=str(brand)), self.domain)
        self._actions = actions
        self._turn_seconds = turn_seconds
        self._action_seconds = action_seconds
        self._slots = {slot.name for slot in self.domain.slots}
        # Windows that could not be shortened exactly, and how many states the others took: for /health.
        self.cuts: Counter[str] = Counter()

    async def take(self, request: TurnRequest) -> dict[str, Any]:
        """The answer to one turn. Raises TurnFailure, and then nothing has happened."""
        deadline = time.monotonic() + self._turn_seconds
        turn = copy.copy(self)
        turn.action_endpoint = self._actions and ActionEndpoint(
            self._actions,
            turn=request.turn,
            dry_run=request.dry_run,
            timeout=self._action_seconds,
            deadline=deadline,
        )
        try:
            return await asyncio.wait_for(turn._take(request), self._turn_seconds)
        except TurnFailure:
            raise
        except asyncio.TimeoutError:
            raise TurnFailure("error", "turn", f"No answer within {self._turn_seconds:g} s.") from None
        except Exception as error:
            # Its message may quote what the person wrote: only its kind goes on.
            raise TurnFailure("error", _origin(error), type(error).__name__) from error

    async def _take(self, request: TurnRequest) -> dict[str, Any]:
        seed = [] if request.new_session else request.window
        tracker = self._seed(request, seed)
        given = len(tracker.events)
        output = Collected(request.channel)
        text, parsed = self._read(request)
        await self._update_tracker_session(tracker, output)
        for name, value in request.slots.items():
            if name not in self._slots:
                raise TurnFailure("bad_request", f"slots.{name}", "The model has no such slot.")
            tracker.update(SlotSet(name, value), self.domain)
        self._put_down_said(request, tracker)
        language = self._choose_language(request, tracker, text if request.payload is None else "")
        if request.has_message:
            message = UserMessage(
                text=text,
                output_channel=output,
                sender_id=tracker.sender_id,
                parse_data=parsed,
                input_channel=request.channel or None,
                message_id=request.turn,
                metadata=request.metadata,
            )
            ASKED.set(tracker.get_slot(REQUESTED_SLOT))
            await self._handle_message_with_tracker(message, tracker)
            await self.run_action_extract_slots(output, tracker)
            await self._run_prediction_loop(output, tracker)
            self._check_end(tracker, given)
        return self._answer(request, tracker, given, output, language)

    def _seed(self, request: TurnRequest, events: list[dict[str, Any]]) -> DialogueStateTracker:
        try:
            return DialogueStateTracker.from_dict(request.customer, events, self.domain.slots)
        except Exception as error:
            raise TurnFailure("bad_request", "window", f"An event cannot be read: {type(error).__name__}.") from error

    def _read(self, request: TurnRequest) -> tuple[str, dict[str, Any] | None]:
        if request.payload is None:
            return harmless(request.text or ""), None
        shown = harmless(request.text) if request.text else request.payload
        return shown, parse_payload(request.payload, text=shown, intents=self.domain.intents)

    def _put_down_said(self, request: TurnRequest, tracker: DialogueStateTracker) -> None:
        # Without action_listen, pause or session boundary: rules and an open form go on as if it had not happened.
        for said in request.said:
            metadata = {"author": said.author}
            if said.author == "customer":
                event: Event = UserUttered(said.text, timestamp=said.at, metadata=metadata)
            else:
                event = BotUttered(said.text, timestamp=said.at, metadata=metadata)
            tracker.update(event, self.domain)

    def _choose_language(self, request: TurnRequest, tracker: DialogueStateTracker, text: str) -> Language:
        language = decide(text, current=request.language, votes=request.votes, locale=request.locale)
        if LANGUAGE_SLOT in self._slots and tracker.get_slot(LANGUAGE_SLOT) != language.current:
            tracker.update(SlotSet(LANGUAGE_SLOT, language.current), self.domain)
        return language

    def _check_end(self, tracker: DialogueStateTracker, given: int) -> None:
        if tracker.is_paused():
            return
        # The listen of a session start or of the turn before does not count: only what came after the message.
        for event in itertools.islice(reversed(tracker.events), len(tracker.events) - given):
            if isinstance(event, ActionExecuted) and event.action_name == ACTION_LISTEN_NAME:
                return
            if isinstance(event, (ActionExecuted, UserUttered)):
                break
        raise TurnFailure("no_listen", tracker.latest_action_name or "", "The turn ended without listening.")

    async def _run_action(
        self,
        action: Action,
        tracker: DialogueStateTracker,
        output_channel: OutputChannel,
        nlg: Any,
        prediction: PolicyPrediction,
    ) -> bool:
        watched = Watched(action)
        goes_on = await super()._run_action(watched, tracker, output_channel, nlg, prediction)
        if isinstance(watched.failure, TurnFailure):
            raise watched.failure
        if watched.failure is not None:
            raise TurnFailure("action_error", action.name(), type(watched.failure).__name__) from watched.failure
        return goes_on

    async def _schedule_reminders(self, *_: Any) -> None:
        """Reminders are in the answer's events; the router keeps time."""

    async def _cancel_reminders(self, *_: Any) -> None:
        """As above."""

    def _answer(
        self,
        request: TurnRequest,
        tracker: DialogueStateTracker,
        given: int,
        output: Collected,
        language: Language,
    ) -> dict[str, Any]:
        events = list(tracker.events)
        new = events[given:]
        responses, requests = _split_requests(output.responses)
        answer: dict[str, Any] = {
            "outcome": "answered" if responses or requests else "silent",
            "events": [_dump(event) for event in new],
            "responses": responses,
            "nlu": nlu_of(tracker.latest_message.parse_data or {})
            if request.has_message and tracker.latest_message
            else {},
            "state": {
                "slots": {
                    name: slot.value
                    for name, slot in tracker.slots.items()
                    if slot.value is not None and name not in _PRIVATE_SLOTS
                },
                "form": tracker.active_loop_name,
                "requested_slot": tracker.get_slot(REQUESTED_SLOT),
            },
            "language": {"current": language.current, "votes": language.votes},
            "fallback": request.has_message and _fell_back(tracker, new),
            "requests": requests,
        }
        if request.new_session:
            answer["window"] = answer["events"]
        elif len(events) > window.LONG:
            cut = window.shorten(events, self.domain, rule_length=self.rule_length)
            self.cuts[str(cut.states) if cut.exact else "refused"] += 1
            if len(cut.events) < len(events):
                answer["window"] = [_dump(event) for event in cut.events]
        return answer


def _dump(event: Event) -> dict[str, Any]:
    dumped = event.as_dict()
    if isinstance(event, BotUttered) and event.metadata:
        # Rasa copies the response's conditions and channel here; they are in the domain.
        dumped["metadata"] = {
            key: value for key, value in event.metadata.items() if key not in ("condition", "channel", "id")
        }
    return slim(dumped)


def _split_requests(given: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    responses, requests = [], []
    for response in given:
        custom = response.get("custom")
        ours = custom.get("segue") if isinstance(custom, dict) else None
        asked = [kind for kind in ("handoff", "continue") if isinstance(ours, dict) and kind in ours]
        if asked:
            requests.extend({"kind": kind, "reason": str(ours[kind])} for kind in asked)
            rest = {key: value for key, value in custom.items() if key != "segue"}
            response = {key: value for key, value in response.items() if key != "custom"}
            if rest:
                response["custom"] = rest
        if response:
            responses.append(response)
    return responses, requests


def _fell_back(tracker: DialogueStateTracker, new: list[Event]) -> bool:
    intent = tracker.latest_message.intent.get("name") if tracker.latest_message else None
    return intent == DEFAULT_NLU_FALLBACK_INTENT_NAME or any(
        isinstance(event, ActionExecuted) and event.action_name == ACTION_DEFAULT_FALLBACK_NAME for event in new
    )


def _origin(error: BaseException) -> str:
    """The module and line that raised, for whoever looks into it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '')}:{trace.tb_lineno}" if trace else ""
