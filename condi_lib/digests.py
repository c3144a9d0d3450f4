"""Digests: short names for records, that stay the same until what they stand for changes.

A record's *essentials* are the fields in which it differs from its defaults, so a field that is
added later, with a default that changes nothing, leaves the digests of older records alone.
"""

import hashlib
import json
from dataclasses import MISSING, fields, is_dataclass
from typing import Any


def essentials(value: Any) -> Any:
    """What makes a record what it is, as plain JSON values.

    Args:
        value: A dataclass, of which the fields that are not at their defaults remain, or mappings,
            lists and plain values, which may hold some.

    Example: ``essentials(Schedule("decay", gamma=0.2))`` is ``{"kind": "decay", "gamma": 0.2}``.
    """
    if is_dataclass(value):
        pairs = {field: getattr(value, field.name) for field in fields(value)}
        return {f.name: essentials(x) for f, x in pairs.items() if f.init and not _is_default(f, x)}
    if isinstance(value, dict):
        return {str(key): essentials(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [essentials(item) for item in value]
    return value


def _is_default(field: Any, value: Any) -> bool:
    if field.default is not MISSING:
        # 1, 1.0 and True are equal, but not the same thing to a network's builder
        return type(value) is type(field.default) and value == field.default
    return field.default_factory is not MISSING and value == field.default_factory()


def digest(value: Any) -> str:
    """Twelve hex digits that stand for a JSON value.

    The order of its keys counts: that of the splits is the order in which clips are numbered, and
    so decides in which order networks see them.
    """
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]
