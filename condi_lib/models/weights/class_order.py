"""Which output is which class: the classic silent error of published weights (under 1 % right).

An order is known by the names themselves, or by a rule: alphabetical, ignoring case, which holds
for Efficient-3DCNNs' weights (Kinetics-600, UCF-101 and Jester alike).
"""

import hashlib
from collections.abc import Sequence


class ClassesDiffer(ValueError):
    """The weights' classes are not those of the data set, or may not be: a head must be new."""


def alphabetical(names: Sequence[str]) -> list[str]:
    """Names in alphabetical order, ignoring case; of names equal but for it, capitals first.

    An underscore counts as a space: folders of Kinetics are called either way.
    """
    return sorted(names, key=lambda name: (name.replace("_", " ").casefold(), name))


def digest_of_classes(names: Sequence[str]) -> str:
    """Sixteen hex digits that stand for a set of classes, in whatever order.

    Only letters and digits count, without case: spaces, underscores and quotes differ by source.
    """
    plain = sorted("".join(c for c in name.casefold() if c.isalnum()) for name in names)
    return hashlib.sha256("\n".join(plain).encode()).hexdigest()[:16]


def output_of_each(
    wanted: Sequence[str],
    published: Sequence[str] | None,
    is_alphabetical: bool,
    n_outputs: int,
    where: str,
    advice: str,
) -> list[int]:
    """For each wanted class the number of the output that means it.

    Args:
        wanted: Classes of a data set, each once, in its order.
        published: Classes of the outputs; None where their names are not known.
        is_alphabetical: Whether the outputs are then in alphabetical order.
        n_outputs: How many there are.
        where: The file, for messages.
        advice: How to name the outputs' classes.

    Raises:
        ClassesDiffer: If they are other classes (says which), or as many but in an order that is
            not known.
    """
    if len(wanted) != n_outputs:
        raise ClassesDiffer(
            f"{where}: has {n_outputs} classes, the data set {len(wanted)}; the class head must be "
            "replaced and trained"
        )
    if published is None and not is_alphabetical:
        raise ClassesDiffer(
            f"{where}: in which order its {n_outputs} classes stand is not known, and a wrong "
            f"order is a silent error; {advice}"
        )
    names = alphabetical(wanted) if published is None else published
    number = {name: index for index, name in enumerate(names)}
    if strange := [name for name in wanted if name not in number]:
        others = [name for name in names if name not in set(wanted)]
        raise ClassesDiffer(
            f"{where}: has other classes than the data set: {_few(others)} where the data set has "
            f"{_few(strange)}; write them alike if they are the same, else the class head must be "
            "replaced and trained"
        )
    return [number[name] for name in wanted]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
