"""The head start of the encoder's last layers: which file it is, what it does, and what happens without it."""

from __future__ import annotations

import hashlib
import logging

import numpy as np
import pytest

from bot import learn_head_start
from bot.components import head_start as module
from bot.components import intent_fit
from bot.components.head_start import FILE, SHA256, HeadStartMissing, head_start, packed, unpacked
from bot.components.hybrid_intents import PRIOR, HybridIntentClassifier
from bot.components.intent_fit import fit
from bot.components.sentence_top import vectors_of
from bot.components.sentence_vectors import load_encoder
from bot.labelled import Labelled

PAIRS = [
    *((text, "greet") for text in ("oi", "bom dia", "hello", "hi there", "good morning", "olá, tudo bem")),
    *((text, "parcel") for text in ("cadê meu pedido", "where is my order", "não chegou", "track my parcel")),
    *((text, "pay") for text in ("aceita pix", "can I pay by card", "formas de pagamento", "payment refused")),
]


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


def test_the_file_is_the_one_that_the_source_names_and_is_small():
    content = FILE.read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    assert len(content) < 2**20


def test_every_layer_starts_elsewhere_than_at_the_encoders_own(encoder):
    started = head_start(encoder.top)
    assert started.keys() == encoder.top.keys()
    for name, own in encoder.top.items():
        assert own.shape == started[name].shape
        assert started[name].dtype == np.float32
        assert 1e-4 < np.abs(started[name] - own).max() < 0.2


def test_a_model_is_made_from_the_head_start(encoder):
    settings = HybridIntentClassifier.get_default_config()
    with_it, without = (fit(PAIRS, encoder, {**settings, "head_start_until": one}, PRIOR) for one in (15, 0))
    assert with_it.vectors is not None
    assert without.vectors is not None
    assert settings["head_start_until"] == 15
    assert np.abs(with_it.vectors.top.entry - without.vectors.top.entry).max() > 1e-3


def test_many_examples_an_intent_begin_at_the_encoders_own_layers(encoder, monkeypatch):
    def refuse(before):
        raise AssertionError("not with so many")

    monkeypatch.setattr(intent_fit, "head_start", refuse)
    many = [(f"{text} {word}", intent) for text, intent in PAIRS for word in ("please", "agora", "now", "hoje", "ok")]
    assert fit(many, encoder, HybridIntentClassifier.get_default_config(), PRIOR).vectors is not None
    with pytest.raises(AssertionError, match="not with so many"):
        fit(PAIRS, encoder, HybridIntentClassifier.get_default_config(), PRIOR)


def test_a_file_for_other_weights_is_refused(encoder):
    other = {name: values + 1 for name, values in encoder.top.items()}
    with pytest.raises(HeadStartMissing, match="other weights"):
        unpacked(FILE.read_bytes(), other)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off", FILE.read_bytes()[:-100]])
def test_without_a_file_that_serves_the_encoders_own_layers_are_used_and_the_log_says_so(
    encoder, tmp_path, caplog, content
):
    file = tmp_path / "head_start.npz"
    if content is not None:
        file.write_bytes(content)
    with caplog.at_level(logging.WARNING, logger=module.__name__):
        assert head_start(encoder.top, file) is encoder.top
    assert "encoder's own layers" in caplog.text


def test_a_changed_file_is_refused_although_it_can_be_read(encoder, tmp_path, caplog, monkeypatch):
    file = tmp_path / "head_start.npz"
    file.write_bytes(packed(encoder.top, {name: values * 1.01 for name, values in encoder.top.items()}))
    assert head_start(encoder.top, file) is not encoder.top
    monkeypatch.setattr(module, "FILE", file)
    with caplog.at_level(logging.WARNING, logger=module.__name__):
        assert head_start(encoder.top, file) is encoder.top
    assert "not the file" in caplog.text


def test_what_is_packed_comes_back_nearly(encoder):
    random = np.random.default_rng(3)
    moved = {
        name: values + random.normal(0, 0.01, values.shape).astype(np.float32) for name, values in encoder.top.items()
    }
    back = unpacked(packed(encoder.top, moved), encoder.top)
    for name, values in moved.items():
        assert np.abs(back[name] - values).max() < 0.004


def test_the_same_tables_make_the_same_file_whatever_is_out_of_scope(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(learn_head_start, "STEPS_A_SET", 3)
    rows = [f"{text}\t{intent}" for text, intent in PAIRS]
    (tmp_path / "one.tsv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "two.tsv").write_text("\n".join([*rows, "quem ganhou o jogo\toos"]), encoding="utf-8")
    made = []
    for name in ("one", "one", "two"):
        out = tmp_path / f"made-{len(made)}.npz"
        assert learn_head_start.main([str(tmp_path / f"{name}.tsv"), "--out", str(out)]) == 0
        made.append(out.read_bytes())
        assert hashlib.sha256(made[-1]).hexdigest() in capsys.readouterr().out
    assert made[0] == made[1] == made[2]


def test_sets_are_told_apart_within_themselves_and_gather(encoder):
    rows = [Labelled(text, intent) for text, intent in PAIRS]
    one = learn_head_start.taught(rows, encoder)
    after = learn_head_start.learned([one], encoder.top, encoder.top_bias)

    def apart(top):
        vectors = vectors_of(top, encoder.top_bias, one.features, one.pieces)
        same = one.labels[:, None] == one.labels[None]
        cosines = vectors @ vectors.T
        return cosines[same].mean() - cosines[~same].mean()

    assert apart(after) > apart(encoder.top) + 0.05


def test_a_table_that_cannot_be_used_is_one_sentence(tmp_path, capsys):
    assert learn_head_start.main([str(tmp_path / "none.tsv"), "--out", str(tmp_path / "out.npz")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()
