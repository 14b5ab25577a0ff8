"""`bin/segue bench nlu`: tables in odd shapes, plain refusals, and the numbers of a small run."""

from __future__ import annotations

import pytest

from bot.confusion import drawn
from bot.labelled import BadTable, Labelled, read_examples, read_table, safe_names
from bot.measure import Read, auroc, judged, long_texts, main, teach_outside


def write(folder, content: bytes):
    path = folder / "t.tsv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"text\tintent\noi\tgreet\n",
        b"oi\tgreet\n",
        b"\xef\xbb\xbftext\tlabel\r\noi\tgreet\r\n\r\n",
        b"intent\ttext\ngreet\toi\n",
        b"id\ttext\tintent\n7\toi\tgreet\n",
        b"text\tintent\tlanguage\noi\tgreet\tpt-BR\n",
        "text\tintent\noi\tgreet\n".encode("utf-16"),
        b"o\x00i\tgreet",
    ],
)
def test_tables_come_in_many_shapes(content, tmp_path):
    assert [Labelled("oi", "greet")] == read_table(write(tmp_path, content))


def test_bytes_that_are_no_utf8_are_read_as_the_old_windows_table(tmp_path):
    assert "não" == read_table(write(tmp_path, "não\tdeny\n".encode("cp1252")))[0].text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no labelled message"),
        (b"text\tintent\n", "no labelled message"),
        (b"oi greet\n", "line 1: a line is text, a tab, and its intent; this one has no tab"),
        (b"oi\tgreet\nola\t\n", "line 2: the intent is missing"),
        (b"oi\tgreet\tx\n", "more columns"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(content, said, tmp_path):
    with pytest.raises(BadTable, match=said):
        read_table(write(tmp_path, content))


def test_a_missing_file_is_refused_in_one_sentence(tmp_path, capsys):
    assert main(["--train", str(tmp_path / "no.tsv"), "--test", str(tmp_path / "no.tsv")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_out_of_scope_in_the_validation_table_is_taught_where_training_has_none():
    weather, hello = Labelled("vai chover", "oos"), Labelled("oi", "greet")
    tables = {"train": [hello], "test": [weather], "val": [weather, hello]}
    assert teach_outside(tables, "oos")
    assert ([hello, weather], [hello]) == (tables["train"], tables["val"])
    assert not teach_outside({"train": [hello, weather], "test": [], "val": [weather]}, "oos")
    assert not teach_outside({"train": [hello], "test": [weather]}, "oos")


def test_any_label_gets_a_name_that_rasa_takes_and_no_two_the_same():
    names = safe_names({"faq/ask price", "faq ask price", "???", "oos", "out_of_scope", "ação"}, "oos")
    assert len(set(names.values())) == len(names)
    assert names["oos"] == "out_of_scope"
    assert names["ação"] == "ação"
    assert not any(set("/ ?") & set(name) for name in names.values())


def found(*ranking, refused=False):
    named = [{"name": name, "confidence": confidence} for name, confidence in ranking]
    first = {"name": "nlu_fallback", "confidence": 0.7} if refused else named[0]
    return {"intent": first, "intent_ranking": [first, *named] if refused else named}


def test_numbers_of_a_case_small_enough_to_count():
    reads = [
        Read("a", found(("a", 0.9), ("b", 0.1))),
        Read("a", found(("a", 0.2), ("b", 0.1), refused=True)),
        Read("b", found(("a", 0.6), ("b", 0.5))),
        Read("out_of_scope", found(("a", 0.1), refused=True)),
        Read("out_of_scope", found(("out_of_scope", 0.8), ("b", 0.3))),
    ]
    numbers = judged(reads)
    assert numbers["accuracy"] == pytest.approx(2 / 3)
    assert numbers["macro_f1"] == pytest.approx((4 / 5 + 0) / 2)
    assert numbers["in_scope_accuracy"] == pytest.approx(1 / 3)
    assert numbers["oos_recall"] == 1
    assert numbers["oos_precision"] == pytest.approx(2 / 3)
    assert numbers["oos_auroc"] == pytest.approx(5 / 6)


def test_examples_of_a_folder_are_read_without_their_marks(tmp_path):
    (tmp_path / "a.yml").write_text(
        "nlu:\n- intent: buy\n  examples: |\n    - a [red](color) one\n- lookup: city\n  examples: |\n    - Recife\n"
    )
    assert [Labelled("a red one", "buy")] == read_examples(tmp_path)
    (tmp_path / "a.yml").write_text("nlu: []\n")
    with pytest.raises(BadTable):
        read_examples(tmp_path)


def test_the_picture_of_confusions_counts_what_is_wrong():
    svg = drawn([("greet", "greet")] * 3 + [("greet", "a<b")] * 2)
    assert svg.count(">3</text>") == 1
    assert svg.count("rgba(200,30,30,0.9)") == svg.count(">2</text>") == 1
    assert "a&lt;b" in svg


def test_long_texts_are_as_long_as_a_message_may_be():
    assert len(long_texts()) == len(set(long_texts()))
    assert all(19_990 < len(text) <= 20_000 for text in long_texts())


def test_auroc_counts_a_tie_as_half():
    assert auroc([1.0], [1.0]) == 0.5
    assert auroc([2.0, 3.0], [1.0]) == 1.0


def test_a_small_run_prints_one_number_a_line(tmp_path, capsys):
    taught = {"greet": "oi olá hello hey", "pay": "pix cartão boleto pagamento", "x/y z": "troca trocar tamanho maior"}
    rows = [f"{word}\t{intent}" for intent, words in taught.items() for word in words.split()]
    train = tmp_path / "train.tsv"
    train.write_text("\n".join([*rows, "que dia é hoje\toos", "quem ganhou o jogo\toos"]), encoding="utf-8")
    test = tmp_path / "test.tsv"
    test.write_text("oii\tgreet\nde cartao\tpay\n[a](b)\tx/y z\n/restart\toos\n", encoding="utf-8")
    assert main(["--train", str(train), "--test", str(test), "--val", str(train)]) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert list(printed)[:6] == [
        "accuracy", "macro_f1", "oos_auroc", "oos_recall", "oos_precision", "in_scope_accuracy",
    ]  # fmt: skip
    assert {"p50_ms", "p95_ms", "train_s", "load_s", "rss_mb"} <= printed.keys()
    assert float(printed["val_accuracy"]) > 0.9
