"""Products, cities and stores: names that the shop knows, found without accents and with one wrong letter.

The names come as Rasa's own lookup tables (`- lookup: city` in data/nlu), where the shop's data are exported to, and
from the examples in which a word is marked as one.
"""

from __future__ import annotations

import json
import re
from typing import Any, Collection, Dict, Iterator, List, NamedTuple, Optional, Sequence, Text, Tuple

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.spelling import deletions, is_one_edit
from bot.components.words import MOST_LETTERS, fold

_WORD = re.compile(r"[^\W_]+")
# A shorter word is one letter away from too many others.
_SHORTEST_TO_MEND = 5
MOST_WORDS = 200


class Named(NamedTuple):
    """A name in a text: its kind, how the shop writes it, and where it is."""

    entity: str
    value: str
    start: int
    end: int


Key = Tuple[str, ...]


class Names:
    """Finds names: the longest wins, a plain plural counts, one letter of a long enough word may be wrong."""

    def __init__(self, tables: Dict[str, Sequence[str]], words: Collection[str] = ()) -> None:
        """`tables`: kind → names. Of kinds that share a name the first has it. `words`: those that mean themselves."""
        self._meant = frozenset(words)
        self._known: Dict[Key, Tuple[str, str]] = {}
        for kind, names in tables.items():
            for name in names:
                if key := tuple(_WORD.findall(fold(name))):
                    self._known.setdefault(key, (kind, name))
        self._longest = max(map(len, self._known), default=0)
        self._words = {word for key in self._known for word in key}
        self._near: Dict[str, List[str]] = {}
        for word in sorted(self._words):
            if len(word) >= _SHORTEST_TO_MEND and word.isalpha():
                for part in {word, *deletions(word)}:
                    self._near.setdefault(part, []).append(word)

    def _mended(self, word: str) -> Optional[str]:
        """The known word that a word stands for."""
        if word in self._words:
            return word
        if word.endswith("s") and word[:-1] in self._words:
            return word[:-1]
        if len(word) < _SHORTEST_TO_MEND or not word.isalpha() or word in self._meant:
            return None
        candidates = {near for part in (word, *deletions(word)) for near in self._near.get(part, ())}
        # The same first letter: "saia" is no "caia", and people get that one right.
        fitting = sorted(near for near in candidates if near[0] == word[0] and is_one_edit(word, near))
        return fitting[0] if fitting else None

    def near(self, words: Collection[str]) -> List[str]:
        """Those of some words that would be mended."""
        return sorted(word for word in words if self._mended(word) not in (None, word, word.removesuffix("s")))

    def find(self, text: str) -> Iterator[Named]:
        """The names of a text, in their order, none overlapping another."""
        places = [match.span() for match in _WORD.finditer(text)][:MOST_WORDS]
        # One character may stand for eighteen: what is too long for a name is not even folded.
        words = [self._mended(fold(text[start:end])) if end - start <= MOST_LETTERS else None for start, end in places]
        at = 0
        while at < len(words):
            for size in range(min(self._longest, len(words) - at), 0, -1):
                key = words[at : at + size]
                known = None if None in key else self._known.get(tuple(key))  # type: ignore[arg-type]
                if known:
                    yield Named(*known, places[at][0], places[at + size - 1][1])
                    at += size - 1
                    break
            at += 1


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=True)
class NameExtractor(GraphComponent, EntityExtractorMixin):
    """Puts names on the message as entities, where no identifier is yet."""

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        """`kinds`, in the order in which they win."""
        return {"component_version": 1, "kinds": ["store", "city", "product"]}

    def __init__(self, config: Dict[Text, Any], storage: ModelStorage, resource: Resource) -> None:
        self._config, self._storage, self._resource = config, storage, resource
        self._names = Names({})

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> NameExtractor:
        """One that knows no names yet."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> NameExtractor:
        """One with the names that it was trained on."""
        extractor = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            if (folder / "names.json").is_file():
                known = json.loads((folder / "names.json").read_text(encoding="utf-8"))
                extractor._names = Names(known["tables"], known["words"])
        return extractor

    def train(self, training_data: TrainingData) -> Resource:
        """Gathers the names of lookup tables and of marked words."""
        tables: Dict[str, Dict[str, None]] = {kind: {} for kind in self._config["kinds"]}
        for table in training_data.lookup_tables:
            if table["name"] in tables and isinstance(table["elements"], list):
                tables[table["name"]].update(dict.fromkeys(table["elements"]))
        for example in training_data.entity_examples:
            for entity in example.get(ENTITIES, []):
                kind = entity.get("entity")
                written = str(example.get(TEXT))[entity.get("start", 0) : entity.get("end", 0)]
                if kind in tables and written.strip():
                    tables[kind].setdefault(written.strip().lower())
        names = {kind: list(known) for kind, known in tables.items()}
        # "recipe" is no Recife: a word of the examples that is near a name and none of its own.
        written = {
            word for example in training_data.nlu_examples for word in _WORD.findall(fold(example.get(TEXT) or ""))
        }
        words = Names(names).near(written)
        self._names = Names(names, words)
        with self._storage.write_to(self._resource) as folder:
            (folder / "names.json").write_text(
                json.dumps({"tables": names, "words": words}, ensure_ascii=False), encoding="utf-8"
            )
        return self._resource

    def process(self, messages: List[Message]) -> List[Message]:
        """Adds what it finds to the entities of each message."""
        for message in messages:
            there = message.get(ENTITIES, [])
            found: List[Dict[Text, Any]] = [
                {**one._asdict(), "confidence_entity": 1.0}
                for one in self._names.find(message.get(TEXT) or "")
                if not any(one.start < other["end"] and other["start"] < one.end for other in there)
            ]
            if found:
                message.set(ENTITIES, there + self.add_extractor_name(found), add_to_output=True)
        return messages
