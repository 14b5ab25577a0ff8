"""Rasa's processor without what costs every message and says nothing.

Its nodes run one after another, in an order that is found once. Rasa's own runner hands the graph to dask, which finds
the order anew for every run and passes each result through a queue: for seven nodes of a message that took longer than
most of the nodes. Same nodes, same inputs, same results.
"""

from __future__ import annotations

from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from rasa.core.channels.channel import UserMessage
from rasa.core.policies.rule_policy import RulePolicy
from rasa.core.processor import MessageProcessor
from rasa.engine.exceptions import GraphRunError
from rasa.engine.graph import GraphNode
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.events import ActionExecuted
from rasa.shared.core.trackers import DialogueStateTracker

from bot.window import longest_rule

_Step = tuple[str, GraphNode, tuple[str, ...]]


class OrderedRunner(DaskGraphRunner):
    """`loaded` has made the nodes; this one runs them."""

    def __init__(self, loaded: DaskGraphRunner) -> None:
        self._graph_schema = loaded._graph_schema
        self._instantiated_nodes = loaded._instantiated_nodes
        self._execution_context = loaded._execution_context
        self._orders: dict[tuple[str, ...], list[_Step]] = {}

    def run(self, inputs: dict[str, Any] | None = None, targets: list[str] | None = None) -> dict[str, Any]:
        """The outputs of the targets, by name. Raises GraphRunError when an input is missing or named like a node."""
        wanted = tuple(targets or self._graph_schema.target_names)
        order = self._orders.get(wanted)
        if order is None:
            order = self._orders[wanted] = self._order_of(wanted)
        # A node takes and gives (name, output); what nobody provides goes in as its name, which the node refuses.
        found: dict[str, Any] = {name: (name, value) for name, value in (inputs or {}).items()}
        if clash := found.keys() & self._instantiated_nodes.keys():
            raise GraphRunError(f"An input is named like a node: {', '.join(sorted(clash))}.")
        try:
            for name, node, needs in order:
                found[name] = node(*[found.get(need, need) for need in needs])
        except RuntimeError as error:
            raise GraphRunError("Error running runner.") from error
        return {name: found[name][1] for name in wanted}

    def components(self) -> list[Any]:
        """What the nodes hold: policies, classifiers and so on."""
        return [getattr(node, "_component", None) for node in self._instantiated_nodes.values()]

    def _order_of(self, targets: tuple[str, ...]) -> list[_Step]:
        nodes = self._graph_schema.minimal_graph_schema(list(targets)).nodes
        order = TopologicalSorter({name: set(node.needs.values()) & nodes.keys() for name, node in nodes.items()})
        return [
            (name, self._instantiated_nodes[name], tuple(nodes[name].needs.values())) for name in order.static_order()
        ]


def recent_states(tracker: DialogueStateTracker, domain: Domain, *, many: int, **_: Any) -> list[State]:
    """The last states of a dialogue, as many as its rules look at; stock makes all of them for every prediction.

    A rule looks at no more states than it has, so those before cannot change which rule fits.
    """
    events = tracker.applied_events()
    left = 1 + sum(isinstance(event, ActionExecuted) for event in events)
    states = []
    past = tracker.init_copy()
    for event in events:
        if isinstance(event, ActionExecuted):
            if left <= many:
                states.append(domain.get_active_state(past))
            left -= 1
        past.update(event)
    return [*states, domain.get_active_state(past)]


class LeanProcessor(MessageProcessor):
    """Rasa's processor, whose nodes run in order and whose reading of a message is the graph's alone.

    Stock also compares the whole domain with an empty one for every message, to warn of intents that training has
    looked for already, and copies what was found for a log line that is off.
    """

    def __init__(self, model_path: str | Path, **options: Any) -> None:
        super().__init__(model_path=model_path, tracker_store=None, lock_store=None, generator=None, **options)
        self.graph_runner = OrderedRunner(self.graph_runner)
        policies = [node for node in self.graph_runner.components() if isinstance(node, RulePolicy)]
        self.rule_length = max((longest_rule(policy.lookup) for policy in policies), default=1)
        for policy in policies:
            policy.featurizer._create_states = partial(recent_states, many=self.rule_length + 1)  # type: ignore[method-assign]

    async def parse_message(
        self, message: UserMessage, tracker: DialogueStateTracker | None = None, only_output_properties: bool = True
    ) -> dict[str, Any]:
        """What the graph finds in a message."""
        tracker = tracker or DialogueStateTracker.from_events(message.sender_id, [])
        parsed = self._parse_message_with_graph(message, tracker, only_output_properties)
        self._update_full_retrieval_intent(parsed)
        return parsed
