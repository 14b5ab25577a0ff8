"""The training data: enough of it, in both languages, nothing said twice, nobody's real data, and nothing judged by
what it was taught with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from nlu.overlap import Sentence, alike, folded, pairs_alike, plain
from ruamel.yaml import YAML

from actions.identifiers import is_cpf

ROOT = Path(__file__).parents[2]
LANGUAGES = ("pt-BR", "en")
DOMAIN = YAML(typ="safe").load(ROOT / "domain.yml")
# Two examples closer than this teach the same thing twice.
SAME = {"letters": 0.8, "words": 0.9}
# A judge that is closer than this to an example only repeats it.
TOO_NEAR = {"letters": 0.75, "words": 0.8}
# Nobody says "não" or "bom dia" in words of their own: so short, and in these intents, a message may be in both.
SMALL_TALK = {"greet", "goodbye", "thanks", "affirm", "deny"}
EVERYDAY_WORDS = 2
# Check digits hold for these; they are the ones of the demo shop, and no others may be in the data.
CPFS = {"52998224725", "11144477735", "16899535009", "39053344705", "84517862003", "07284613580"}
_ENTITY = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<entity>\w+)\)")


def examples_in(folder: Path) -> Iterator[tuple[Path, str, str]]:
    for path in sorted([folder] if folder.is_file() else folder.rglob("*.yml")):
        for item in YAML(typ="safe").load(path)["nlu"]:
            for line in item["examples"].splitlines():
                yield path, item["intent"], line.removeprefix("- ").strip()


EXAMPLES = list(examples_in(ROOT / "data" / "nlu"))


@cache
def trained() -> list[Sentence]:
    return [
        Sentence(plain(text), f"{path.parent.name}/{path.name} {intent}: {plain(text)}")
        for path, intent, text in EXAMPLES
    ]


@cache
def held_out() -> list[Sentence]:
    return [Sentence(text, text) for _, _, text in examples_in(ROOT / "tests" / "nlu" / "heldout.yml")]


def frozen() -> list[Sentence]:
    """The frozen test set; whoever trains must not read it, so a failure names the line and not the words."""
    found = []
    for path in sorted((ROOT / "tests" / "nlu" / "retail").glob("*.tsv")):
        for number, line in enumerate(path.read_text("utf-8").splitlines()[1:], 2):
            found.append(Sentence(line.split("\t")[0], f"{path.name}:{number}"))
    return found


def shown(pairs: Iterable[tuple[Sentence, Sentence]]) -> list[str]:
    return [f"{one.where}  ~  {other.where}" for one, other in pairs]


def test_there_is_enough_in_all_and_for_every_intent_in_each_language() -> None:
    distinct = {folded(plain(text)) or text for _, _, text in EXAMPLES}
    assert len(distinct) >= 3000
    counted = Counter((path.parent.name, intent) for path, intent, _ in EXAMPLES)
    assert set(counted) == {(language, intent) for language in LANGUAGES for intent in DOMAIN["intents"]}
    assert {key: count for key, count in counted.items() if count < 30} == {}


def test_an_intent_is_in_one_file_of_a_language_and_has_both_languages_in_files_of_one_name() -> None:
    places: dict[tuple[str, str], set[str]] = {}
    for path, intent, _ in EXAMPLES:
        places.setdefault((path.parent.name, intent), set()).add(path.name)
    for intent in DOMAIN["intents"]:
        files = {"out_of_scope.yml", "out_of_scope_near.yml"} if intent == "out_of_scope" else None
        portuguese, english = (places[language, intent] for language in LANGUAGES)
        assert portuguese == english
        assert portuguese == files or len(portuguese) == 1


def test_a_third_of_what_is_out_of_scope_is_a_near_miss() -> None:
    for language in LANGUAGES:
        counted = Counter(path.stem for path, intent, _ in EXAMPLES if path.parent.name == language)
        far, near = counted["out_of_scope"], counted["out_of_scope_near"]
        assert far + near >= 100
        assert near >= (far + near) / 3


def test_no_two_examples_say_the_same() -> None:
    assert shown(pairs_alike(trained(), **SAME)) == []


def test_examples_are_short_and_long() -> None:
    lengths = sorted(len(plain(text).split()) for _, _, text in EXAMPLES)
    assert lengths[len(lengths) // 10] <= 3
    assert sum(length >= 20 for length in lengths) >= 80
    assert lengths[-1] <= 40


def test_what_is_marked_is_known_and_stands_free_of_spaces() -> None:
    known = {name for entity in DOMAIN["entities"] for name in entity}
    found = [(match["entity"], match["text"]) for _, _, text in EXAMPLES for match in _ENTITY.finditer(text)]
    assert {entity for entity, _ in found} == known
    assert [text for _, text in found if text != text.strip()] == []
    # What is left of brackets would reach the model as text.
    assert [text for _, _, text in EXAMPLES if re.search(r"[\[\]{}]", plain(text))] == []


@pytest.mark.parametrize(
    ("shape", "entity"),
    [
        (r"[\w.+-]+@[\w.-]+\.\w+", "email"),
        (r"\d{3}[. ]?\d{3}[. ]?\d{3}[- ]?\d{2}(?!\d)", "cpf"),
        (r"\b\d{5}-\d{3}\b", "cep"),
        (r"R\$ ?\d[\d.,]*\d", "money"),
        (r"(?:\+55 )?\(?\d{2}\)? ?9\d{4}-?\d{4}", "phone"),
    ],
)
def test_what_can_be_known_by_its_shape_is_marked(shape: str, entity: str) -> None:
    unmarked = [_ENTITY.sub(" ", text) for _, _, text in EXAMPLES]
    marked = [match["text"] for _, _, text in EXAMPLES for match in _ENTITY.finditer(text) if match["entity"] == entity]
    assert marked
    pattern = re.compile(rf"(?<![\w@.]){shape}")
    if entity != "phone":  # eleven digits without a dash may be either; the mark decides
        assert [text for text in marked if not pattern.fullmatch(text) and entity not in {"cep", "money"}] == []
    assert [text for text in unmarked if pattern.search(text)] == []


def test_nobody_is_in_the_data() -> None:
    texts = [plain(text) for _, _, text in EXAMPLES] + [sentence.text for sentence in held_out()]
    hosts = {host for text in texts for host in re.findall(r"@([\w.-]+\w)", text)}
    assert hosts <= {"exemplo.com.br", "example.com", "example.org", "example.net"}
    numbers = {
        re.sub(r"\D", "", found) for text in texts for found in re.findall(r"(?<!\d)\d[\d .-]{9,13}\d(?!\d)", text)
    }
    assert {number for number in numbers if is_cpf(number)} <= CPFS
    # 5555-01xx belongs to nobody in any area.
    phones = [
        match["text"] for _, _, text in EXAMPLES for match in _ENTITY.finditer(text) if match["entity"] == "phone"
    ]
    assert all(re.search(r"95555-?01\d\d$", phone) for phone in phones)


def test_no_judge_repeats_an_example() -> None:
    assert shown(pairs_alike(trained(), held_out(), **TOO_NEAR)) == []


def repeated(judges: list[Sentence]) -> list[str]:
    everyday = {
        said
        for _, intent, text in EXAMPLES
        if intent in SMALL_TALK and len((said := folded(plain(text))).split()) <= EVERYDAY_WORDS
    }
    pairs = pairs_alike([*trained(), *held_out()], judges, **TOO_NEAR)
    return shown((one, other) for one, other in pairs if one.folded != other.folded or one.folded not in everyday)


def test_no_message_of_the_frozen_set_repeats_an_example_or_a_held_out_sentence() -> None:
    assert repeated(frozen()) == []


def test_planted_repetitions_are_found_and_nothing_else() -> None:
    planted = [
        "Cadê minha COMPRAAA?",
        "onde fica o nº do pedido?",
        "quero trocar por outra cor, pfv",
        "do you have this in size 42?",
        "who pays return shipping for",
        "meu pedido",
    ]
    said_otherwise = [
        "boa noite, vocês abrem na sexta?",
        "quero trocar a cor do meu cabelo",
        "2 pedidos",
        "Bom dia!",
        "não",
    ]
    judges = [Sentence(text, f"planted:{number}") for number, text in enumerate(planted)]
    judges += [Sentence(text, "said otherwise") for text in said_otherwise]
    assert {line.rpartition("  ~  ")[2] for line in repeated(judges)} == {f"planted:{n}" for n in range(len(planted))}


def test_the_quick_search_finds_what_the_slow_one_finds() -> None:
    some = trained()[::9]
    slow = {
        (one.where, other.where)
        for at, one in enumerate(some)
        for other in some[at + 1 :]
        if alike(one, other, letters=0.5, words=0.6)
    }
    assert slow
    assert {(one.where, other.where) for one, other in pairs_alike(some, letters=0.5, words=0.6)} == slow
