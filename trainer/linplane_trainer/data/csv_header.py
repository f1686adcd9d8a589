"""The first record of a CSV: the columns' names, and which of them a training uses. PURE."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from linplane_api.display import display_name, display_names
from linplane_api.names import MAX_FEATURE_NAME, MAX_FEATURES
from linplane_api.task import CsvOptions

from ..errors import BadData, OtherColumnsError
from ..holdout import Holdout
from .csv_numbers import GAP_WORDS
from .file_kind import file_problem, undecodable

SEPARATORS = {",": '","', ";": '";"', "\t": "a tab", "|": '"|"', " ": "a blank"}
NUMBER = re.compile(r"[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?")
DATE = re.compile(r"[0-9]{1,4}[-/. ]([0-9]{1,2}|[A-Za-z]{3,9})[-/. ][0-9]{1,4}.*")


@dataclass(frozen=True)
class Selection:
    """What a training reads of a table. `features` None: every numeric column but the target, those of `exclude`, and
    the holdout's key. `csv` None: a CSV is written as usual.
    """

    features: tuple[str, ...] | None
    target: str
    holdout: Holdout
    exclude: tuple[str, ...] = ()
    csv: CsvOptions | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The holdout's key, if it has one."""
        return () if self.holdout.key is None else (self.holdout.key,)

    @property
    def others(self) -> frozenset[str]:
        """The columns that are no features by default."""
        return frozenset((self.target, *self.exclude, *self.keys))


@dataclass(frozen=True)
class Columns:
    """The columns of a file, which is called `name`: all files of a folder have these, in any order."""

    name: str
    names: Sequence[str]

    def check(self, names: Sequence[str]) -> None:
        """Raises OtherColumnsError for another file with other columns. It repeats no name of that file if one is
        missing: else it may not be the user's data at all.
        """
        missing = [name for name in self.names if name and name not in set(names)]
        more = [name for name in names if name and name not in set(self.names)]
        if missing or more:
            change = "missing" if missing else "added"
            which = f"{display_names(missing or more)} {'is' if len(missing or more) == 1 else 'are'} {change}"
            raise OtherColumnsError(f"has other columns than {display_name(self.name)}: {which}")


def split_header(beginning: bytes, whole: bool, separator: str, packing: str) -> tuple[list[str], bytes]:
    """The names, without blanks around them, and what follows. `whole`: the file ends with this. `packing`: the name of
    the packing that it was in, if any. Raises BadData.
    """
    if problem := file_problem(beginning, packing):
        raise BadData(problem)
    match = _pattern(separator).match(beginning)
    if match is None:
        raise BadData("the header is malformed: a quote is misplaced, or is never closed")
    if not match[2] and not whole:
        raise BadData("the header is too long")
    try:
        text = match[1].decode()
        names = [name.strip() for name in next(csv.reader([text], delimiter=separator), [])]
    except UnicodeDecodeError:
        raise BadData(undecodable(packing)) from None  # the cause holds the bytes
    except csv.Error as error:
        raise BadData("the header is malformed") from error
    if not any(names):
        raise BadData("the file is empty: a header and rows are needed")
    return names, beginning[match.end() :]


def _pattern(separator: str) -> re.Pattern[bytes]:
    sign = re.escape(separator).encode()
    field = rb'(?:"(?:[^"]|"")*"[^%s\r\n]*|[^"%s\r\n][^%s\r\n]*|)' % (sign, sign, sign)
    return re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(%s(?:%s%s)*)(\r\n|\r|\n|\Z)" % (field, sign, field))


def check_names(
    names: list[str],
    selection: Selection,
    *,
    remote: bool,
    separator: str | None = ",",
    like: Columns | None = None,
) -> None:
    """Raises BadData if the header lacks columns of the selection, or these are ambiguous. `separator`: the header's,
    None if it is not that of a CSV. `like`: the columns of another file that it must have too.

    The names of a remote file are repeated only if the target is one of them: else it may not be the user's data at
    all. A first line that looks like a row is never repeated.
    """
    features, target, exclude, key = selection.features, selection.target, selection.exclude, selection.holdout.key
    if like is not None:
        like.check(names)
    needed = [*(features or ()), *exclude, target, *selection.keys]
    known = set(names)
    missing = [name for name in needed if name not in known]
    if missing:
        raise BadData(_missing_text(names, missing, target, remote, separator))
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise BadData(f"the header has a name twice: {display_names(twice)}")
    if features is not None and target in features:
        raise BadData(f"the target {display_name(target)} is among the features")
    if key is not None and key in (target, *(features or ())):
        which = "the target" if key == target else "among the features"
        raise BadData(f"the holdout key {display_name(key)} is {which}")
    if features is not None and len(set(features)) != len(features):
        raise BadData("a feature is listed twice")
    if target in exclude:
        raise BadData(f"the target {display_name(target)} is excluded")
    if features is not None and exclude:
        raise BadData("features are listed: none can be excluded")
    if features is not None and not features:
        raise BadData("features: an empty list; leave it out to use every numeric column")


def _missing_text(names: list[str], missing: list[str], target: str, remote: bool, separator: str | None) -> str:
    no_column = f"no column {display_names(missing)}"
    hidden = remote and target not in names
    if target in missing and separator and (guess := _guess(names, target, hidden, separator)):
        return f"{no_column}: {guess}"
    named = [name for name in names if name]
    is_one = len(names if hidden else named) == 1
    there = display_names(named) if named and not hidden else f"{len(names)} column{'' if is_one else 's'}"
    return f"{no_column}; there {'is' if is_one else 'are'} {there}"


def _guess(names: list[str], target: str, hidden: bool, separator: str) -> str | None:
    """What is wrong with a first line that lacks the target, None if it looks like a header."""
    if names[0] == "sep=":
        return f"the first line is `sep={separator}`, and the columns' names are needed there: remove it"
    if likely := _likely_separator(names, target, hidden, separator):
        used = SEPARATORS.get(separator, f'"{separator}"')
        return f"the separator looks like {likely}, not {used}: set csv.separator (--separator)"
    if _looks_like_a_row(names):
        return "the first line doesn't look like a header, and one with the columns' names is needed"
    return None


def _looks_like_a_row(line: list[str]) -> bool:
    """Whether a cell is a gap, a number, a date or another text without a letter. A line that no comma splits is
    judged by its words.
    """
    cells = re.split(r"[;|\s]", line[0]) if len(line) == 1 else line
    return any(
        cell.lower() in GAP_WORDS
        or NUMBER.fullmatch(cell)
        or DATE.fullmatch(cell)
        or not any(character.isalpha() for character in cell)
        for cell in cells
    )


def _likely_separator(names: list[str], target: str, hidden: bool, separator: str) -> str | None:
    """The sign that the header's line seems to be split by, as `sep=;` says or as the target stands between two."""
    line = separator.join(names)
    if (declared := re.fullmatch(r"sep=(.)", line)) and declared[1] in SEPARATORS:
        return SEPARATORS[declared[1]]
    for sign, shown in SEPARATORS.items():
        parts = [part.strip().strip('"') for part in line.split(sign)]
        if sign == separator or len(parts) == 1:
            continue
        if target in parts or (not hidden and len(names) == 1 and sign != " "):
            return shown
    return None


def default_features(names: list[str], numeric: Collection[str], left_out: str) -> tuple[str, ...]:
    """The numeric columns in the header's order. `left_out` describes the others. Raises BadData if there is none, or
    too many.
    """
    chosen = tuple(name for name in names if name in numeric)
    if not chosen:
        raise BadData("no column but the target is numeric" + (f": {left_out}" if left_out else ""))
    if len(chosen) > MAX_FEATURES:
        raise BadData(f"{len(chosen)} numeric columns, more than {MAX_FEATURES}; list `features`")
    if any(len(name) > MAX_FEATURE_NAME for name in chosen):
        raise BadData(f"a numeric column's name has more than {MAX_FEATURE_NAME} characters; list `features`")
    return chosen
