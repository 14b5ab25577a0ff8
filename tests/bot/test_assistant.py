"""The real assistant: trained from this repository, with its actions and its shop, asked as customers ask.

The model is trained once; the actions run in the application environment, as they do in production.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import ruamel.yaml
from dialogue import Dialogue

ROOT = Path(__file__).parents[2]
# Of the order 1001 and nothing else: what a stranger must never read.
SECRETS = ("Vestido", "Rápido Sul")
# Rasa's own, in every domain.
BY_RASA = {"back", "nlu_fallback", "restart", "session_start"}
GIBBERISH = (
    "xqzt brrp",
    "asdkjh qwe",
    "fgh",
    "lkjhg poiuy mnbv",
    "qwrtp",
    "blorf snarg wib",
    "hjkl hjkl",
    "zxc pqp xd",
    "jfdksl; fjdks",
    "trewq",
    "bvcxz nmlk",
    "gsdfg sdfgsd",
)


@pytest.fixture(scope="session")
def assistant_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository's assistant, trained once."""
    from rasa.model_training import train

    folder = tmp_path_factory.mktemp("assistant")
    before = Path.cwd()
    os.chdir(folder)  # Rasa's cache would land in the repository, and it does not see changed component modules
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trained = train(
                domain=str(ROOT / "domain.yml"),
                config=str(ROOT / "config.yml"),
                training_files=[str(ROOT / "data")],
                output=str(folder),
                fixed_model_name="assistant",
            )
    finally:
        os.chdir(before)
    return Path(trained.model)


@pytest.fixture(scope="session")
def assistant_actions() -> Iterator[str]:
    """The action server of the application environment; gives its socket."""
    python = os.environ.get("SEGUE_APP_PYTHON") or str(ROOT / ".segue" / "env-app" / "bin" / "python")
    if not Path(python).exists():
        pytest.fail(f"no application environment at {python}: run bin/segue once, or set SEGUE_APP_PYTHON")
    with tempfile.TemporaryDirectory(prefix="sa") as folder:
        process = subprocess.Popen(
            [python, "-m", "actions.serve", "--socket", f"{folder}/a.sock", "--data-dir", folder],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "actions ready" in line:
                    break
            else:
                pytest.fail("the action server ended before it was ready")
            yield f"{folder}/a.sock"
        finally:
            process.terminate()
            process.communicate(timeout=10)


@pytest.fixture(scope="session")
def assistant_loaded(assistant_model: Path) -> Any:
    from bot.turns import Turns, quiet_rasa

    quiet_rasa()
    return Turns(assistant_model, actions=None, brand=ROOT / "brand.toml")


@pytest_asyncio.fixture
async def talk(assistant_loaded: Any, assistant_actions: str, request: pytest.FixtureRequest) -> Any:
    """Begins a dialogue of a new customer: `talk("en")`."""
    import copy

    from bot.action_endpoint import ActionSocket

    socket = ActionSocket(assistant_actions)
    turns = copy.copy(assistant_loaded)
    turns._actions = socket
    begun = 0

    def begin(locale: str = "pt-BR") -> Dialogue:
        nonlocal begun
        begun += 1
        dialogue = Dialogue(turns, customer=f"{request.node.name}-{begun}")
        dialogue.language = {"current": None, "votes": 0, "locale": locale}
        return dialogue

    yield begin
    await socket.close()


async def test_cade_meu_pedido_1001(talk: Any) -> None:
    ana = talk()
    assert await ana.texts("cadê meu pedido?") == ["Qual é o número do pedido?"]
    [proof] = await ana.texts("é o 1001")
    assert "e-mail ou o CPF" in proof
    [answer] = await ana.texts("ana@exemplo.com.br")
    assert re.fullmatch(
        r"O pedido 1001 está a caminho com a transportadora Rápido Sul \(Vestido midi azul, M\)\. "
        r"A previsão de entrega é \d\d/\d\d\.",
        answer,
    )


async def test_where_is_my_order_1001(talk: Any) -> None:
    ana = talk("en")
    [proof] = await ana.texts("where is my order 1001?")
    assert "CPF used for the purchase" in proof
    [answer] = await ana.texts("my cpf is 529.982.247-25")
    assert re.fullmatch(
        r"Order 1001 is on its way with Rápido Sul \(Vestido midi azul, M\)\. It should arrive on \d+ [A-Z][a-z]+\.",
        answer,
    )


async def test_a_late_order_gets_an_apology_and_is_looked_up(talk: Any) -> None:
    customer = talk()
    sorry, proof = await customer.texts("meu pedido 1005 tá atrasado")
    assert sorry.startswith("Sinto muito pela demora.")
    assert "e-mail ou o CPF" in proof
    assert (await customer.texts("ainda não chegou, já passou do prazo")) == [proof]
    assert "está atrasado" in (await customer.texts("84517862003"))[0]


# Answered by the router's own sentences, in both languages: the bot asks it to.
BY_ROUTER = {"continue_elsewhere"}


async def test_every_intent_is_answered_in_both_languages(talk: Any, assistant_loaded: Any) -> None:
    said: dict[str, dict[str, list[str]]] = {"pt-BR": {}, "en": {}}
    for language, by_intent in said.items():
        for intent in sorted({*assistant_loaded.domain.intents} - BY_RASA - BY_ROUTER):
            customer = talk(language)
            await customer.say("oi" if language == "pt-BR" else "hello")
            by_intent[intent] = await customer.texts(payload=f"/{intent}")
    assert len(said["en"]) >= 50
    assert [intent for intent, texts in said["pt-BR"].items() if not any(texts)] == []
    assert [intent for intent, texts in said["pt-BR"].items() if texts == said["en"][intent]] == []


async def test_everything_in_one_sentence(talk: Any) -> None:
    [answer] = await talk().texts("oi, cadê o pedido 1003? comprei com carla@example.com")
    assert answer.startswith("O pedido 1003 foi entregue em ")


@pytest.mark.parametrize(
    ("number", "proof", "words"),
    [
        ("1002", "111.444.777-35", "em separação"),
        ("1004", "diego@exemplo.com.br", "foi cancelado"),
        ("1005", "84517862003", "está atrasado"),
        ("1006", "frank@example.com", "Ainda falta: Toalha de banho cinza"),
    ],
)
async def test_every_state_of_an_order(talk: Any, number: str, proof: str, words: str) -> None:
    customer = talk()
    await customer.say(f"pedido {number}")
    [answer] = await customer.texts(proof)
    assert words in answer


async def test_a_question_in_the_middle_is_answered_and_the_form_asks_again(talk: Any) -> None:
    customer = talk()
    await customer.say("kd meu pedido")
    hours, again = await customer.texts("que horas vcs fecham?")
    assert "10h às 22h" in hours
    assert again == "Qual é o número do pedido?"
    await customer.say("1001")
    freight, again = await customer.texts("quanto é o frete?")
    assert "R$ 19,90" in freight
    assert "e-mail ou o CPF" in again


async def test_a_button_in_the_middle_does_the_same(talk: Any) -> None:
    customer = talk("en")
    await customer.say("where is my order")
    where, again = await customer.texts(payload="/find_order_number")
    assert "confirmation e-mail" in where
    assert again == "What is your order number?"


async def test_a_wrong_format_is_explained_and_then_ways_out_are_offered(talk: Any) -> None:
    customer = talk()
    await customer.say("meu pedido")
    unclear, again = await customer.texts("abc")
    assert unclear.startswith("Não achei um número de pedido")
    assert again == "Qual é o número do pedido?"
    stuck = await customer.say("xyz")
    assert [button["payload"] for button in stuck["responses"][0]["buttons"]] == ["/human_handoff"]
    await customer.say("1001")
    wrong, _ = await customer.texts("529.982.247-26")
    assert wrong.startswith("Esse CPF não confere")


@pytest.mark.parametrize("stop", ["deixa pra lá", "cancela", "não quero passar meu cpf", "never mind", "stop"])
async def test_stopping_forgets_what_was_given(talk: Any, stop: str) -> None:
    customer = talk()
    await customer.say("cadê meu pedido 1001")
    answer = await customer.say(stop)
    assert answer["state"]["form"] is None
    assert not any(answer["state"]["slots"].get(name) for name in ("order_number", "order_proof"))
    assert await customer.texts("cadê meu pedido") in (["Qual é o número do pedido?"], ["What is your order number?"])


async def test_asking_for_a_person_in_the_middle_asks_the_router_and_keeps_the_form(talk: Any) -> None:
    customer = talk()
    await customer.say("cadê meu pedido 1001")
    answer = await customer.say("quero falar com um atendente")
    assert answer["requests"] == [{"kind": "handoff", "reason": "asked"}]
    [interim] = [response["text"] for response in answer["responses"]]
    assert "0800 555 0199" in interim
    assert answer["state"]["form"] == "order_status_form"
    assert (await customer.texts("ana@exemplo.com.br"))[0].startswith("O pedido 1001 está a caminho")


async def test_wanting_to_go_on_elsewhere_asks_the_router_and_keeps_the_pending_question(talk: Any) -> None:
    customer = talk()
    await customer.say("cadê meu pedido 1001")
    answer = await customer.say("quero continuar essa conversa no telegram")
    assert answer["requests"] == [{"kind": "continue", "reason": "asked"}]
    assert answer["state"]["requested_slot"] == "order_proof"
    assert (await customer.texts("ana@exemplo.com.br"))[0].startswith("O pedido 1001 está a caminho")


async def test_two_misses_offer_a_person_and_a_yes_asks_for_one(talk: Any) -> None:
    customer = talk()
    await customer.say("oi")
    first = await customer.say("xqzt brrp")
    assert first["fallback"] is True
    assert first["responses"][0]["text"] == "Não entendi. Você pode dizer de outro jeito?"
    assert len(first["responses"][0]["buttons"]) == 6
    [offer] = await customer.texts("wfgh zzrt")
    assert offer == "Ainda não entendi. Quer falar com uma pessoa?"
    assert (await customer.say("sim"))["requests"] == [{"kind": "handoff", "reason": "asked"}]


async def test_an_understood_turn_forgives_the_misses_before_it(talk: Any) -> None:
    customer = talk("en")
    await customer.say("hello")
    await customer.say("xqzt brrp")
    await customer.say("what are your opening hours?")
    assert await customer.texts("wfgh zzrt") == ["I did not understand. Could you say it another way?"]


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("pt-BR", "Acho que me perdi. Você pode dizer de outro jeito?"),
        ("en", "I think I lost track. Could you say it another way?"),
    ],
)
async def test_a_dialogue_that_no_rule_covers_is_answered_and_goes_on(talk: Any, locale: str, sentence: str) -> None:
    customer = talk(locale)
    # No rule of the fallback has a condition for this: what another version of the data may have left in a slot.
    lost = await customer.say("xqzt brrp", slots={"misses": None})
    assert (lost["outcome"], lost["fallback"]) == ("answered", True)
    assert lost["responses"][0]["text"] == sentence
    assert len(lost["responses"][0]["buttons"]) == 6
    assert (await customer.say("pix?"))["outcome"] == "answered"


async def test_the_language_changes_when_it_is_asked_for(talk: Any) -> None:
    customer = talk()
    await customer.say("oi, bom dia")
    assert await customer.texts("pode falar em inglês?") == ["Sure, let us speak English. I also speak Portuguese."]
    assert (await customer.texts("ok thanks"))[0].startswith("You are welcome")
    assert await customer.texts("speak portuguese please") == ["Certo, vamos falar em português. Também falo inglês."]


async def test_a_stranger_learns_nothing_and_cannot_tell_which_orders_exist(talk: Any) -> None:
    heard = []
    for number in ("1001", "9999"):
        stranger = talk()
        said = []
        for guess in range(7):
            await stranger.say(f"cadê o pedido {number}")
            said += await stranger.texts(f"guess{guess}-{number}@example.com")
        heard.append(said)
    assert heard[0] == heard[1]
    assert "espere um pouco" in heard[0][-1]
    assert not any(secret in text for said in heard for text in said for secret in SECRETS)


async def test_a_dry_run_answers_and_counts_no_guess(talk: Any) -> None:
    customer = talk()
    await customer.say("pedido 1005")
    for _ in range(8):
        answer = await customer.turns.take(_dry(customer, "nobody@example.com"))
        assert answer["responses"][0]["text"].startswith("Não encontrei um pedido")


def _dry(customer: Dialogue, text: str) -> Any:
    from bot.request import parse_request

    customer.turn += 1  # another turn id each time: a repeat would not be counted anyway
    return parse_request(customer.body(text, dry_run=True))


def _held_out() -> list[tuple[str, str]]:
    loaded = ruamel.yaml.YAML(typ="safe").load(ROOT / "tests" / "nlu" / "heldout.yml")
    return [(item["intent"], line[2:].strip()) for item in loaded["nlu"] for line in item["examples"].splitlines()]


async def _intent(turns: Any, text: str) -> str:
    from rasa.core.channels import UserMessage

    return (await turns.parse_message(UserMessage(text)))["intent"]["name"]


async def test_nine_of_ten_held_out_sentences_are_understood(assistant_loaded: Any) -> None:
    """Out of scope may also be no match at all: both tell the customer that we cannot help with that."""
    wrong = []
    sentences = _held_out()
    for intent, text in sentences:
        got = await _intent(assistant_loaded, text)
        if got != intent and not (intent == "out_of_scope" and got == "nlu_fallback"):
            wrong.append(f"{text} -> {got}, not {intent}")
    assert len(sentences) >= 400
    assert len(wrong) <= len(sentences) / 10, "\n".join(wrong)


@pytest.mark.parametrize("text", GIBBERISH)
async def test_gibberish_is_not_understood(assistant_loaded: Any, text: str) -> None:
    assert await _intent(assistant_loaded, text) == "nlu_fallback"


def _rasa(arguments: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "rasa", *arguments.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_data_is_valid_and_says_only_what_actions_say_beyond_the_rules(tmp_path: Path) -> None:
    """The one warning that may come: a response that no rule names, because an action or the form says it."""
    parts = f"--domain {ROOT}/domain.yml --data {ROOT}/data --config {ROOT}/config.yml"
    done = _rasa(f"data validate {parts}", folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    warned = [line for line in (done.stdout + done.stderr).splitlines() if "UserWarning" in line]
    unnamed = [re.search(r"'(utter_\w+)' is not used in any story or rule", line) for line in warned]
    assert all(unnamed), warned
    assert {found.group(1) for found in unnamed if found} <= _said_by_actions()


def _said_by_actions() -> set[str]:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "actions").rglob("*.py"))
    stages = set(re.findall(r'= "(\w+)"', (ROOT / "actions" / "shop" / "port.py").read_text("utf-8")))
    asked = {"utter_ask_order_number", "utter_ask_order_proof", "utter_default"}  # by Rasa itself
    return set(re.findall(r'"(utter_\w+)"', source)) | {f"utter_order_{stage}" for stage in stages} | asked


def test_the_stories_pass_as_rasa_runs_them(assistant_model: Path, tmp_path: Path) -> None:
    parts = f"--stories {ROOT}/tests/stories --model {assistant_model} --out {tmp_path}"
    done = _rasa(f"test core {parts} --no-plot --fail-on-prediction-errors", folder=tmp_path)
    failed = tmp_path / "failed_test_stories.yml"
    assert done.returncode == 0, failed.read_text() if failed.exists() else done.stderr[-2000:]
    stories = sum(path.read_text("utf-8").count("- story:") for path in (ROOT / "tests" / "stories").glob("*.yml"))
    assert f"{stories} / {stories}" in done.stdout + done.stderr
