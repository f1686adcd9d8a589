"""Names of columns in messages: visible, bounded, harmless."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.display import MAX_SHOWN, display_name, display_names, escaped


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("area", "area"),
        ("Größe", "Größe"),
        ("Solar, R", "'Solar, R'"),
        ("a;b", "'a;b'"),
        ("", "''"),
        ("\x1b]0;title\x07z", r"'\x1b]0;title\x07z'"),
        ("a\tb\nc", r"a\tb\nc"),
        ("a\xa0b", r"a\xa0b"),
        ("a\u200bb", r"a\u200bb"),
        ("a\u202eb", r"a\u202eb"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
        (unicodedata.normalize("NFD", "Größe"), "Gro\\u0308ße"),
        ("हिन्दी", "हिन्दी"),  # combining characters that no other form has
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 61 + "..."),
    ],
)
def test_name_in_a_message_is_visible_and_bounded(name, shown):
    assert display_name(name) == shown


@given(st.text(st.characters(codec=None)))
def test_escaped_text_is_printable_and_escaping_it_again_changes_nothing(text):
    shown = escaped(text)
    assert shown.isprintable()
    assert escaped(shown) == shown
    assert len(display_name(text)) <= MAX_SHOWN + 2


def test_lists_of_names():
    assert display_names([]) == ""
    assert display_names(["a"]) == "a"
    assert display_names(["a", "b"]) == "a and b"
    assert display_names(["region_a", "smoker_yes", "sex_m"]) == "region_a, smoker_yes and sex_m"
    assert display_names(["a", "b", "c"], most=3) == "a, b and c"
    assert display_names(["a", "b", "c"], most=2) == "a, b and 1 more"
