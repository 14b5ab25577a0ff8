"""Numbers that the router counts, for `GET /metrics`. Labels are kinds, never ids or words."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Tally(Collector):
    """A counter of what every message counts: a number in a dictionary, added up when somebody asks.

    prometheus_client's own take a lock and several calls each time; all of ours count in one thread.
    """

    def __init__(self, name: str, about: str, labels: Sequence[str], registry: CollectorRegistry = REGISTRY) -> None:
        self._name, self._about, self._labels = name, about, labels
        self._counts: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def inc(self, *labels: str) -> None:
        self._counts[labels] = self._counts.get(labels, 0) + 1

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._about, labels=self._labels)
        for labels, count in self._counts.items():
            family.add_metric(labels, count)
        return [family]


class Durations(Collector):
    """A histogram in seconds, kept as plainly."""

    def __init__(self, name: str, about: str, bounds: Sequence[float], registry: CollectorRegistry = REGISTRY) -> None:
        self._name, self._about, self._bounds = name, about, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterable[Metric]:
        upto, so_far = [], 0
        for bound, count in zip([*map(float, self._bounds), float("inf")], self._counts, strict=True):
            so_far += count
            upto.append(("+Inf" if bound == float("inf") else str(bound), so_far))
        return [HistogramMetricFamily(self._name, self._about, buckets=upto, sum_value=self._sum)]


ACCEPTED = Tally("segue_messages_accepted", "Messages written down, by channel", ["channel", "repeated"])
RECEIPTS = Counter(
    "segue_receipts_total", "What platforms said of our messages, by what came of it", ["channel", "kept"]
)
DELIVERIES = Counter("segue_deliveries_total", "Sends by what came of them", ["channel", "result"])
REFUSED = Counter("segue_refused_total", "Messages turned away with 503, by why", ["why"])
TURNS = Tally("segue_turns", "Turns by outcome: answered, silent, failed, dead", ["outcome"])
BOT_SECOND = Counter("segue_bot_second_worker_total", "Turns given to a second bot worker because the first was slow")
BOT_GONE = Counter("segue_bot_gone_total", "Questions whose bot worker was gone or went away")
TURN_SECONDS = Durations("segue_turn_seconds", "Claim to commit", (0.01, 0.03, 0.1, 0.3, 1, 3, 10))
FETCHED = Counter(
    "segue_files_fetched_total", "Files of people, by what came of them: kept, or why not", ["channel", "what"]
)
MERGES = Counter("segue_merges_total", "Merges of two customers that are over: done, undone, void", ["phase"])
LEASES_LOST = Counter("segue_leases_lost_total", "Turns dropped because another worker had the customer")
LINKS = Counter("segue_links_total", "Link codes by what came of them", ["what", "channels"])
"""offered · redeemed · arrived · disputed, with `from>to`; unknown, used, expired, with the channel that tried."""
REROUTED = Counter(
    "segue_rerouted_total", "Replies that could not go where the customer wrote last", ["why", "channel"]
)
