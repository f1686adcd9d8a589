"""One field is changed, and every other byte of the file stays as it was; what cannot be changed alone is refused."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.manifest import ManifestError, read_documents, set_field

VERSION, FROZEN = ("spec", "version"), ("spec", "frozen")


def changed(tmp_path: Path, text: str, field: tuple[str, ...], value: str | bool, name: str = "r.yaml") -> str:
    """The text after the change of object `r`."""
    path = tmp_path / name
    path.write_bytes(text.encode())
    set_field(path, "K", "r", field, value)
    return path.read_bytes().decode()


def manifest(spec: str) -> str:
    """Object `r` with a spec of one or more lines."""
    return f"# a comment\nkind: K\nmetadata: {{name: r}}\nspec:\n{spec}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  version: v1\n", "  version: v2\n"),
        ("  version:   v1   # now\n", "  version:   v2   # now\n"),
        ("  version: 'v1'\n", "  version: 'v2'\n"),
        ('  "version": "v1"\n', '  "version": "v2"\n'),
        ("  model: m\n  version: v1", "  model: m\n  version: v2"),
        ("  version:\n    v1\n  model: m\n", "  version:\n    v2\n  model: m\n"),
        ("  version:\n  model: m\n", "  version: v2\n  model: m\n"),
        ("  version: # none yet\n  model: m\n", "  version: v2 # none yet\n  model: m\n"),
        ("  {model: m, version: v1}\n", "  {model: m, version: v2}\n"),
        ("  version: v1\n---\nkind: K\nmetadata: {name: s}\nspec: {version: v1}\n",
         "  version: v2\n---\nkind: K\nmetadata: {name: s}\nspec: {version: v1}\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_value_is_replaced_in_place(tmp_path: Path, before: str, after: str, newline: str) -> None:
    texts = [manifest(spec).replace("\n", newline) for spec in (before, after)]
    assert changed(tmp_path, texts[0], VERSION, "v2") == texts[1]
    assert changed(tmp_path, "\ufeff" + texts[0], VERSION, "v2") == "\ufeff" + texts[1]


@pytest.mark.parametrize("value", ["1.5", "1", "on", "1e3", "null", "0x1"])
def test_a_text_that_would_be_read_as_something_else_is_quoted(tmp_path: Path, value: str) -> None:
    text = changed(tmp_path, manifest("  version: v1\n"), VERSION, value)
    assert text == manifest(f'  version: "{value}"\n')
    assert changed(tmp_path, manifest("  version: 'v1'\n"), VERSION, value) == manifest(f"  version: '{value}'\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  model: m\n", "  frozen: true\n  model: m\n"),
        ("  frozen: false\n", "  frozen: true\n"),
        ("  frozen: no # thawed\n", "  frozen: true # thawed\n"),
        ("  {model: m}\n", "  {frozen: true, model: m}\n"),
        ("\n  # first\n    model: m\n", "\n  # first\n    frozen: true\n    model: m\n"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_field_that_is_not_there_is_put_first(tmp_path: Path, before: str, after: str, newline: str) -> None:
    texts = [manifest(spec).replace("\n", newline) for spec in (before, after)]
    assert changed(tmp_path, texts[0], FROZEN, True) == texts[1]


def test_json_and_lists(tmp_path: Path) -> None:
    text = '{"kind": "List", "items": [\n  {"kind": "K", "metadata": {"name": "r"}, "spec": {"version": "v1"}}]}\n'
    assert changed(tmp_path, text, VERSION, "v2", "r.json") == text.replace('"v1"', '"v2"')
    assert changed(tmp_path, text, FROZEN, True, "r.json") == text.replace('"spec": {', '"spec": {"frozen": true, ')
    text = "kind: List\nitems:\n- kind: K\n  metadata: {name: r}\n  spec:\n    version: v1\n- kind: K\n"
    assert changed(tmp_path, text, VERSION, "v2") == text.replace("v1", "v2")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("kind: K\nmetadata: {name: s}\nspec: {version: v1}\n", "has no K r"),
        ("kind: K\nmetadata: ~\n", "has no K r"),
        ("kind: K\nmetadata: {name: r}\n", "spec is not there to be changed"),
        ("kind: K\nmetadata: {name: r}\nspec: {}\n", "spec is not a mapping with fields"),
        ("kind: K\nmetadata: {name: r}\nspec: text\n", "spec is not a mapping with fields"),
        (manifest("  version: |\n    v1\n"), "is not a plain value"),
        (manifest("  version: [v1]\n"), "is not a plain value"),
        (manifest("  version: &v v1\n  model: *v\n"), "cannot be changed alone"),
        ("a: &s {version: v1}\nkind: K\nmetadata: {name: r}\nspec: *s\n", "cannot be changed alone"),
        ("kind: [\n", "not YAML"),
    ],
)
def test_what_is_for_a_person_to_edit_stays_as_it_is(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError, match=part):
        set_field(path, "K", "r", VERSION, "v2")
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


NAMES = st.text("abcxyz", min_size=1, max_size=5)
SCALARS = st.one_of(st.integers(-9, 9), st.booleans(), NAMES, st.sampled_from(["'a b'", '"c: d"', "e # f"]))


@given(st.dictionaries(NAMES, SCALARS, max_size=5), st.sampled_from(["v2", "1.0", "true", "a.b"]), st.booleans())
def test_nothing_but_the_field_changes(
    tmp_path_factory: pytest.TempPathFactory, rest: dict[str, object], value: str, flow: bool
) -> None:
    fields = [f"{key}: {str(item).lower() if isinstance(item, bool) else item}" for key, item in rest.items()]
    if flow:
        fields = [field.partition(" #")[0] for field in fields]
    fields.insert(len(fields) // 2, "version: v1")
    spec = f"  {{{', '.join(fields)}}}\n" if flow else "".join(f"  {field}\n" for field in fields)
    folder = tmp_path_factory.mktemp("edit")
    after = changed(folder, manifest(spec), VERSION, value)
    (document,) = read_documents(manifest(spec))
    document.body["spec"]["version"] = value
    assert read_documents(after)[0].body == document.body
    shown = value if value in ("v2", "a.b") else f'"{value}"'
    assert after == manifest(spec).replace("version: v1", f"version: {shown}")


# ---- the file ----


def test_the_mode_is_kept_and_a_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text(manifest("  version: v1\n"))
    real.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to("real.yaml")
    set_field(link, "K", "r", VERSION, "v2")
    assert link.is_symlink()
    assert "v2" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(manifest("  version: v1\n"))
    os.chown(path, 1234, 4321)
    set_field(path, "K", "r", VERSION, "v2")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_read_only_is_respected_by_root_too(tmp_path: Path, what: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(manifest("  version: v1\n"))
    place = path if what == "file" else tmp_path
    place.chmod(0o555)
    try:
        with pytest.raises(PermissionError, match=f"the {what} is read-only"):
            set_field(path, "K", "r", VERSION, "v2")
    finally:
        place.chmod(0o755)
    assert "v1" in path.read_text()


def test_what_a_killed_write_left_goes_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(manifest("  version: v1\n"))
    kept = {".r.yaml.swp", ".s.yaml.abcd1234", ".r.yaml.abcd12345", "r.yaml.abcd1234"}
    for name in (*kept, ".r.yaml.abcd1234", ".r.yaml.x_y_z_00"):
        (tmp_path / name).touch()
    set_field(path, "K", "r", VERSION, "v2")
    assert {found.name for found in tmp_path.iterdir()} == kept | {"r.yaml"}


def test_an_equal_value_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(manifest("  version: v1\n"))
    before = path.stat().st_ino
    set_field(path, "K", "r", VERSION, "v1")
    assert path.stat().st_ino == before


def test_a_file_that_is_gone_or_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        set_field(tmp_path / "r.yaml", "K", "r", VERSION, "v1")
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match="not UTF-8"):
        set_field(tmp_path / "r.yaml", "K", "r", VERSION, "v1")
