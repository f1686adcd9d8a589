"""One field is changed, and every other byte of the file stays as it was; what cannot be changed alone is refused."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.manifests.manifest import ManifestError, RemoveItem, SetField, edit_object, read_documents

VERSION, FROZEN = ("spec", "version"), ("spec", "frozen")


def changed(tmp_path: Path, text: str, field: tuple[str, ...], value: str | bool, name: str = "r.yaml") -> str:
    """The text after the change of object `r`."""
    path = tmp_path / name
    path.write_bytes(text.encode())
    edit_object(path, "K", "r", SetField(field, value))
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
def test_value_is_replaced_in_place(tmp_path: Path, before: str, after: str, newline: str) -> None:
    texts = [manifest(spec).replace("\n", newline) for spec in (before, after)]
    assert changed(tmp_path, texts[0], VERSION, "v2") == texts[1]
    assert changed(tmp_path, "\ufeff" + texts[0], VERSION, "v2") == "\ufeff" + texts[1]


@pytest.mark.parametrize("value", ["1.5", "1", "on", "1e3", "null", "0x1"])
def test_text_that_would_be_read_as_something_else_is_quoted(tmp_path: Path, value: str) -> None:
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
def test_field_that_is_not_there_is_put_first(tmp_path: Path, before: str, after: str, newline: str) -> None:
    texts = [manifest(spec).replace("\n", newline) for spec in (before, after)]
    assert changed(tmp_path, texts[0], FROZEN, True) == texts[1]


def test_edit_of_json_and_lists(tmp_path: Path) -> None:
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
        ("kind: K\nmetadata: {name: r}\n", "spec does not exist, so it cannot be changed"),
        ("kind: K\nmetadata: {name: r}\nspec: {}\n", "spec is not a mapping with fields"),
        ("kind: K\nmetadata: {name: r}\nspec: text\n", "spec is not a mapping with fields"),
        (manifest("  version: |\n    v1\n"), "is not a plain value"),
        (manifest("  version: [v1]\n"), "is not a plain value"),
        (manifest("  version: &v v1\n  model: *v\n"), "cannot be changed alone"),
        ("a: &s {version: v1}\nkind: K\nmetadata: {name: r}\nspec: *s\n", "cannot be changed alone"),
        ("kind: [\n", "not YAML"),
    ],
)
def test_manifest_that_only_a_person_can_edit_is_unchanged(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError, match=part):
        edit_object(path, "K", "r", SetField(VERSION, "v2"))
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


# ---- an item of a list ----

LEAVE = RemoveItem(("spec", "split"), "version", "v2")


def promoted(tmp_path: Path, text: str) -> str:
    """The text once v2 is the current version and no candidate any more."""
    path = tmp_path / "r.yaml"
    path.write_bytes(text.encode())
    edit_object(path, "K", "r", SetField(VERSION, "v2"), LEAVE)
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  split: [{version: v2, percent: 10}] # try\n", "  split: [] # try\n"),
        ("  split: [ {version: v2, percent: 10}, ]\n", ""),
        ("  split: [\n    {version: v2, percent: 10}\n  ]\n  # end\n", "  # end\n"),
        ("  split: [{version: v2, percent: 10}, {version: v3}]\n", "  split: [{version: v3}]\n"),
        ("  split: [{version: v3}, {version: v2, percent: 10}]\n", "  split: [{version: v3}]\n"),
        ("  split: [{version: v3}, {version: v2}, ]\n", "  split: [{version: v3}, ]\n"),
        ("  split:\n  - {version: v2, percent: 10}\n", ""),
        ("  split:\n  - {version: v2, percent: 10}", ""),
        ("  split:\n  - version: v2\n    percent: 10\n\n  rateLimit: {}\n", "\n  rateLimit: {}\n"),
        ("  split: # a tenth\n  - {version: v2, percent: 10}\n", "  split: [] # a tenth\n"),
        ("  split:   # candidates\n    # a tenth\n    - version: v2\n      percent: 10  # of all\n\n  # end\n",
         "  split: []   # candidates\n    # a tenth\n\n  # end\n"),
        ("  split:\n  - version: v2\n    percent: 10\n  # the other\n  - version: v3\n    percent: 5\n",
         "  split:\n  # the other\n  - version: v3\n    percent: 5\n"),
        ("  split:\n  - version: v3\n  -\n    percent: '10'\n    version: v2\n  rateLimit: {}\n",
         "  split:\n  - version: v3\n  rateLimit: {}\n"),
        ('  "split":\n  - {"version": "v2"}\n', ""),
        ("  split: [{version: v3}]\n", "  split: [{version: v3}]\n"),
        ("  split: []\n", "  split: []\n"),
        ("  split:\n", "  split:\n"),
        ("  model: m\n", "  model: m\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_candidate_that_is_promoted_leaves_the_split(tmp_path: Path, before: str, after: str, newline: str) -> None:
    texts = [
        manifest(f"  version: {version} # now\n{rest}").replace("\n", newline)
        for version, rest in (("v1", before), ("v2", after))
    ]
    assert promoted(tmp_path, texts[0]) == texts[1]


def test_list_in_json_loses_an_item(tmp_path: Path) -> None:
    text = '{"kind": "K", "metadata": {"name": "r"}, "spec": {"version": "v1", "split": [\n  {"version": "v2"}\n]}}'
    assert promoted(tmp_path, text) == text.replace('"v1"', '"v2"').replace('[\n  {"version": "v2"}\n]', "[]")


def test_candidate_list_can_be_appended_again_after_a_promotion(tmp_path: Path) -> None:
    candidate = "  split:\n  - {version: v2, percent: 10}\n"
    text = manifest(f"  version: v1\n{candidate}")
    assert promoted(tmp_path, text) == manifest("  version: v2\n")
    (document,) = read_documents(promoted(tmp_path, text) + candidate)
    assert document.body["spec"]["split"] == [{"version": "v2", "percent": 10}]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("spec: {version: v1, split: [{version: v2}]}\n", "spec: {version: v2, split: []}\n"),
        ("spec: {\n  version: v1,\n  split: [{version: v2}]\n  }\n", "spec: {\n  version: v2,\n  split: []\n  }\n"),
    ],
)
def test_empty_list_stays_in_a_flow_mapping(tmp_path: Path, before: str, after: str) -> None:
    head = "kind: K\nmetadata: {name: r}\n"
    assert promoted(tmp_path, head + before) == head + after


def test_empty_list_stays_if_it_is_the_only_field(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(manifest("  split:\n  - version: v2\n"))
    edit_object(path, "K", "r", LEAVE)
    assert path.read_text() == manifest("  split: []\n")


@pytest.mark.parametrize(
    "split",
    [
        "  split: &s [{version: v2}]\n  other: *s\n",
        "  split:\n  - &c {version: v2}\n  other: *c\n",
        "  split:\n  -\n    # a-b\n    version: v2\n",
    ],
)
def test_list_that_cannot_lose_an_item_alone_stays_with_the_version(tmp_path: Path, split: str) -> None:
    text = manifest(f"  version: v1\n{split}")
    with pytest.raises(ManifestError):
        promoted(tmp_path, text)
    assert (tmp_path / "r.yaml").read_text() == text


CANDIDATES = st.lists(
    st.tuples(st.sampled_from(["v2", "v3", "'v4'"]), st.integers(0, 50)),
    min_size=1, max_size=3, unique_by=lambda candidate: candidate[0],
)  # fmt: skip


@given(CANDIDATES, st.sampled_from(["flow", "block", "mixed"]), st.sampled_from(["", "  # why"]))
def test_edit_changes_only_the_version_and_the_item(
    tmp_path_factory: pytest.TempPathFactory, candidates: list[tuple[str, int]], style: str, comment: str
) -> None:
    items = [f"{{version: {version}, percent: {percent}}}" for version, percent in candidates]
    split = f"  split: [{', '.join(items)}]{comment}\n"
    if style == "mixed":
        split = f"  split:{comment}\n" + "".join(f"  - {item}{comment}\n" for item in items)
    elif style == "block":
        split = "  split:\n" + "".join(f"    - version: {v}{comment}\n      percent: {p}\n" for v, p in candidates)
    text = manifest(f"  model: m\n  version: v1\n{split}  serverName: s\n")
    after = promoted(tmp_path_factory.mktemp("edit"), text)
    (document,) = read_documents(text)
    document.body["spec"]["version"] = "v2"
    document.body["spec"]["split"] = [c for c in document.body["spec"]["split"] if c["version"] != "v2"]
    if not document.body["spec"]["split"] and not comment:
        del document.body["spec"]["split"]
    assert read_documents(after)[0].body == document.body
    assert after.startswith(text.partition("v1")[0] + "v2")
    assert after.endswith("  serverName: s\n")


NAMES = st.text("abcxyz", min_size=1, max_size=5)
SCALARS = st.one_of(st.integers(-9, 9), st.booleans(), NAMES, st.sampled_from(["'a b'", '"c: d"', "e # f"]))


@given(st.dictionaries(NAMES, SCALARS, max_size=5), st.sampled_from(["v2", "1.0", "true", "a.b"]), st.booleans())
def test_edit_changes_only_the_field(
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


def test_mode_is_kept_and_a_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text(manifest("  version: v1\n"))
    real.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to("real.yaml")
    edit_object(link, "K", "r", SetField(VERSION, "v2"))
    assert link.is_symlink()
    assert "v2" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(manifest("  version: v1\n"))
    os.chown(path, 1234, 4321)
    edit_object(path, "K", "r", SetField(VERSION, "v2"))
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_read_only_files_are_respected_by_root_too(tmp_path: Path, what: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(manifest("  version: v1\n"))
    place = path if what == "file" else tmp_path
    place.chmod(0o555)
    try:
        with pytest.raises(PermissionError, match=f"the {what} is read-only"):
            edit_object(path, "K", "r", SetField(VERSION, "v2"))
    finally:
        place.chmod(0o755)
    assert "v1" in path.read_text()


def test_files_left_by_a_killed_write_go_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(manifest("  version: v1\n"))
    kept = {".r.yaml.swp", ".s.yaml.abcd1234", ".r.yaml.abcd12345", "r.yaml.abcd1234"}
    for name in (*kept, ".r.yaml.abcd1234", ".r.yaml.x_y_z_00"):
        (tmp_path / name).touch()
    edit_object(path, "K", "r", SetField(VERSION, "v2"))
    assert {found.name for found in tmp_path.iterdir()} == kept | {"r.yaml"}


def test_change_is_taken_back_unless_the_file_was_changed_since(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    text = manifest("  version: v1\n  split: [{version: v2}]\n")
    path.write_text(text)
    undo = edit_object(path, "K", "r", SetField(VERSION, "v2"), LEAVE)
    changed_text = path.read_text()
    assert changed_text != text
    path.write_text(changed_text + "# mine\n")
    undo()
    assert path.read_text() == changed_text + "# mine\n"
    path.write_text(changed_text)
    undo()
    assert path.read_text() == text


def test_equal_value_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(manifest("  version: v1\n"))
    before = path.stat().st_ino
    edit_object(path, "K", "r", SetField(VERSION, "v1"))
    assert path.stat().st_ino == before


def test_file_that_is_gone_or_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        edit_object(tmp_path / "r.yaml", "K", "r", SetField(VERSION, "v1"))
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match="not UTF-8"):
        edit_object(tmp_path / "r.yaml", "K", "r", SetField(VERSION, "v1"))
