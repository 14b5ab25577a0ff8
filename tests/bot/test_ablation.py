"""Each variant lacks what its name says, and the table says of which messages how many are understood."""

from __future__ import annotations

import pytest

from bot import ablation
from bot.ablation import VARIANTS, fitted, read_rows, understood
from bot.components.sentence_vectors import load_encoder
from bot.labelled import BadTable

PAIRS = [
    *(
        (text, "parcel")
        for text in ("cadê meu pedido", "where is my order", "meu pedido não chegou", "track my parcel")
    ),
    *((text, "pay") for text in ("aceita pix", "can I pay by card", "formas de pagamento", "pagar no boleto")),
]


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.fixture(scope="module")
def models(encoder):
    return {name: fitted(variant, PAIRS, encoder) for name, variant in VARIANTS.items()}


def test_every_variant_lacks_what_its_name_says(models, encoder):
    assert models["without the encoder"].vectors is None
    assert not models["without words and pieces of words"].weights.any()
    assert models["shipped"].weights.any()
    assert models["shipped"].speller.words("peddio") == ["pedido"]
    assert models["without the speller"].speller.words("peddio") == ["peddio"]
    entries = [models[name].vectors.top.entry for name in ("without adaptation", "adapted as strongly as a small set")]
    assert abs(entries[0] - entries[1]).max() > 1e-3


def test_shares_are_by_kind(models):
    rows = [("cadê meu pedido", "parcel", "a clean"), ("aceita pix", "pay", "a clean"), ("aceita pix", "parcel", "b")]
    assert understood(models["shipped"], rows) == {"a clean": 100.0, "b": 0.0}


def test_a_table_without_kinds_is_one_sentence(tmp_path, capsys):
    (tmp_path / "one.tsv").write_text("text\tintent\noi\tgreet\n", encoding="utf-8")
    with pytest.raises(BadTable, match="kind"):
        read_rows(tmp_path / "one.tsv")
    (tmp_path / "nlu.yml").write_text(
        'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - oi\n', encoding="utf-8"
    )
    assert ablation.main(["--data", str(tmp_path), "--tests", str(tmp_path)]) == 1
    assert "no column" in capsys.readouterr().err
