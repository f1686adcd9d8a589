"""The first record of a CSV: the columns' names, and which of them a training uses. PURE."""

import csv
import re
from collections import Counter

from linplane_api.names import MAX_FEATURE_NAME, MAX_FEATURES

from .errors import BadData, listed, shown

FIELD = rb'(?:"(?:[^"]|"")*"[^,\r\n]*|[^",\r\n][^,\r\n]*|)'
HEADER = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(" + FIELD + rb"(?:," + FIELD + rb")*)(\r\n|\r|\n|\Z)")


def split_header(beginning: bytes, whole: bool) -> tuple[list[str], bytes]:
    """The names, without blanks around them, and what follows. `whole`: the file ends with this. Raises BadData."""
    match = HEADER.match(beginning)
    if match is None:
        raise BadData("the header is malformed: a quote stands where none belongs, or is never closed")
    if not match[2] and not whole:
        raise BadData("the header is too long")
    try:
        text = match[1].decode()
        names = [name.strip() for name in next(csv.reader([text]), [])]
    except UnicodeDecodeError:
        raise BadData("the header is not UTF-8 text") from None  # the cause holds the bytes
    except csv.Error as error:
        raise BadData("the header is malformed") from error
    if not any(names):
        raise BadData("the file is empty: a header and rows are needed")
    return names, beginning[match.end() :]


def check_names(names: list[str], features: tuple[str, ...] | None, target: str, remote: bool) -> None:
    """Raises BadData where the header has not what the task asks for.

    Of a remote file that has not the columns that the user named, nothing is repeated: it may be no data of theirs at
    all.
    """
    asked = [*(features or ()), target]
    known = set(names)
    missing = [name for name in asked if name not in known]
    if missing:
        there = f"{len(names)} columns" if remote else listed([name for name in names if name])
        raise BadData(f"no column {listed(missing)}; there are {there}")
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise BadData(f"the header has a name twice: {listed(twice)}")
    if features is not None and target in features:
        raise BadData(f"the target {shown(target)} is among the features")
    if features is not None and len(set(features)) != len(features):
        raise BadData("a feature is listed twice")
    if features is not None and not features:
        raise BadData("features: an empty list; leave it out to use every numeric column")


def default_features(numeric: list[str], names: list[str], target: str) -> tuple[str, ...]:
    """Every numeric column that has a name and is not the target. Raises BadData where there is none, or too many."""
    among = set(numeric)
    chosen = tuple(name for name in names if name and name != target and name in among)
    if not chosen:
        raise BadData("no column but the target is numeric in the first rows; list `features`")
    if len(chosen) > MAX_FEATURES:
        raise BadData(f"{len(chosen)} numeric columns, more than {MAX_FEATURES}; list `features`")
    if any(len(name) > MAX_FEATURE_NAME for name in chosen):
        raise BadData(f"a numeric column's name has more than {MAX_FEATURE_NAME} characters; list `features`")
    return chosen
