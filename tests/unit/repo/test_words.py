"""No text that people read contains a word for which the field has a better one."""

from pathlib import Path

import pytest

import prose
import words

WORD = "anew"
CLEAN = {
    *("crds", "client", "operator", "server", "trainer"),
    *("manifests", "integrations", "helm", "docs", "tests", "other"),
}
TEXTS = {
    "module.py": (f'"""Begins {WORD}."""\n', "docstring"),
    "function.py": (f'def f():\n    """Begins\n    {WORD}."""\n', "docstring"),
    "comment.py": (f"x = 1  # begins {WORD}\n", "comment"),
    "raise.py": (f'raise ValueError("the training of it begins {WORD}")\n', "message"),
    "log.py": (f'log.info(f"the training of {{name}} begins {WORD}")\n', "message"),
    "help.py": (f'click.option("--x", help="Whether a training begins {WORD}.")\n', "message"),
    "crd.yaml": (f"a:\n  description: >-\n    A training that\n    begins {WORD}.\n", "message"),
    "rules.yaml": (f"- rule: x\n  message: the training begins {WORD}\n", "message"),
    "values.yaml": (f"# Begins {WORD}.\nkey: 1\n", "comment"),
    "helpers.tpl": (f"{{{{/* Begins {WORD}. */}}}}\n", "comment"),
    "page.md": (f"A training\nbegins {WORD}.\n", "prose"),
    "Makefile": (f"target: ## Begin {WORD}\n", "comment"),
}
FINE = {
    "code.md": f"Text.\n```console\n$ {WORD}\n```\nIn code, `{WORD}`.\n",
    "names.py": f'KINDS = ("{WORD}", "x-{WORD}")\n',
    "generated.yaml": f"# Generated from x by `make generate`.\n# {WORD}\n",
}
SENTENCES = [
    ("None where there is none.", ["where there is"]),
    ("It says where it is.", []),
    ("The folder where it was stored.", []),
    ("Nobody was told.", ["nobody", "told"]),
    ("Besides, a retold tale.", []),
    ("`told` is a name.", []),
    ("The manager hands\n    on the token.", ["hands on"]),
]


@pytest.mark.parametrize("name", TEXTS)
def test_planted_word_is_found_in_each_place(tmp_path: Path, name: str) -> None:
    source, kind = TEXTS[name]
    (tmp_path / name).write_text(source)
    found = [finding for text in prose.texts_of(tmp_path / name) for finding in words.findings(text)]
    assert [(finding.word, finding.strict, finding.where.kind) for finding in found] == [(WORD, True, kind)]
    assert WORD in str(found[0])


@pytest.mark.parametrize("name", FINE)
def test_code_names_and_generated_files_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FINE[name])
    assert not [finding for text in prose.texts_of(tmp_path / name) for finding in words.findings(text)]


@pytest.mark.parametrize(("sentence", "expected"), SENTENCES)
def test_sentence_has_these_strict_words(sentence: str, expected: list[str]) -> None:
    text = prose.Text(Path("x.py"), 1, "docstring", f"Of a test. {sentence}")
    assert [finding.word for finding in words.findings(text) if finding.strict] == expected


def test_repository_has_no_strict_word_and_few_loose_ones() -> None:
    texts = [text for path in prose.files() for text in prose.texts_of(path)]
    assert len(texts) > 5000
    texts = [text for text in texts if text.package in CLEAN]
    assert [str(found) for text in texts for found in words.findings(text) if found.strict] == []
    rates = {name: round(row.rate, 2) for name, row in words.table(texts).items()}
    assert {name: rate for name, rate in rates.items() if rate >= words.LIMIT} == {}
