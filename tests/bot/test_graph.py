"""The runner of ours gives what Rasa's gives, for messages and for predictions, and refuses what it refuses."""

from __future__ import annotations

import pytest
from rasa.core.channels.channel import UserMessage
from rasa.core.processor import MessageProcessor
from rasa.engine.constants import PLACEHOLDER_MESSAGE, PLACEHOLDER_TRACKER
from rasa.engine.exceptions import GraphRunError
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.shared.core.trackers import DialogueStateTracker

from bot.graph import LeanProcessor, OrderedRunner


@pytest.fixture
def stock(loaded):
    """Rasa's runner over the same nodes."""
    ours = loaded.graph_runner
    assert isinstance(ours, OrderedRunner)
    runner = DaskGraphRunner.__new__(DaskGraphRunner)
    runner._graph_schema, runner._instantiated_nodes = ours._graph_schema, ours._instantiated_nodes
    runner._execution_context = ours._execution_context
    return runner


def asked(loaded, text: str) -> tuple[dict, list]:
    tracker = DialogueStateTracker.from_events("ana", [], loaded.domain.slots)
    inputs = {PLACEHOLDER_MESSAGE: [UserMessage(text)], PLACEHOLDER_TRACKER: tracker}
    return inputs, [loaded.model_metadata.nlu_target]


@pytest.mark.parametrize("text", ["oi", "where is my order 1001?", "asdfgh", "", "kd meu pedido em olinda amanhã"])
def test_a_message_is_read_as_rasas_own_runner_reads_it(loaded, stock, text):
    found = []
    for runner in (loaded.graph_runner, stock):
        inputs, targets = asked(loaded, text)
        (message,) = runner.run(inputs, targets)[targets[0]]
        found.append(message.as_dict(only_output_properties=True))
    assert found[0] == found[1]
    assert found[0]["intent"]["name"]


def test_a_prediction_is_made_as_rasas_own_runner_makes_it(loaded, stock):
    targets = [loaded.model_metadata.core_target]
    found = []
    for runner in (loaded.graph_runner, stock):
        tracker = DialogueStateTracker.from_events("ana", [], loaded.domain.slots)
        prediction = runner.run({PLACEHOLDER_TRACKER: tracker}, targets)[targets[0]]
        found.append((prediction.policy_name, prediction.probabilities))
    assert found[0] == found[1]


def test_what_rasas_own_runner_refuses_is_refused(loaded, stock):
    inputs, targets = asked(loaded, "oi")
    for runner in (loaded.graph_runner, stock):
        with pytest.raises(GraphRunError):
            runner.run({}, targets)
        with pytest.raises(GraphRunError):
            # Dask looks at words alone for a clash; a value of another kind would shadow the node in silence.
            runner.run({**inputs, targets[0]: targets[0]}, targets)


@pytest.mark.parametrize("text", ["oi", "where is my order 1001?", ""])
async def test_a_message_is_understood_as_stock_understands_it(loaded, text):
    found = [
        await read(loaded, UserMessage(text), DialogueStateTracker.from_events("ana", [], loaded.domain.slots))
        for read in (LeanProcessor.parse_message, MessageProcessor.parse_message)
    ]
    assert found[0] == found[1]
