"""Read a study's params file strictly: what is not understood is refused, never ignored or bent.

The file is a notebook's parameters: ``papermill 02_….ipynb out.ipynb -f notebooks/params/ucf.yaml``
passes its one key ``study``, a mapping described by :class:`~condi_lib.study.config.StudySpec`.
"""

import hashlib
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_origin

import cattrs
import yaml
from cattrs import transform_error

from condi_lib import paths
from condi_lib.models.weights import weights_digest
from condi_lib.study.config import Fold, Groups, StudySpec
from condi_lib.study.specs import CatalogSource, NetworkSpec, OfficialSource
from condi_lib.videos.official import OFFICIAL
from condi_lib.videos.records import CatalogError

Fields = dict[str, Any]


def read_study(source: str | Path | Mapping[str, Any], with_weights: bool = True) -> StudySpec:
    """Read a study from a params file, by name or path, or from the mapping it holds.

    ``extends: NAME`` takes over another file's fields, ``extends: [NAME, ...]`` those of several,
    except those that are given anew; null takes one out. Your own videos and weights must be
    there: what the table and the weights hold becomes part of the study.

    Args:
        source: Name, path or mapping.
        with_weights: Whether files of weights are looked at; to check its data they need not be
            there, but no network can be run from what is then returned.

    Raises:
        ValueError: If there is no such file, it is not YAML, or a field is unknown, missing or of
            the wrong kind; names the file and each field.
    """
    where = "parameters" if isinstance(source, Mapping) else str(params_path(source))
    fields = read_fields(source)
    variants = fields.pop("variants", {})
    study = _read_one(fields, where, with_weights)
    found: dict[str, dict[str, StudySpec]] = {}
    for group, name, own in spread_variants(fields, variants, where):
        at = f"{where}: study.variants.{group}.{name}"
        found.setdefault(group, {})[name] = _read_one(own, at, with_weights)
    return replace(study, variants=found) if found else study


def _read_one(fields: Fields, where: str, with_weights: bool) -> StudySpec:
    study = _structure(_with_whole_students(fields), where)
    if with_weights:
        students = {
            name: replace(loss, student=_with_weights(loss.student, f"{where}: losses.{name}"))
            for name, loss in study.losses.items()
            if loss.student is not None
        }
        study = replace(
            study,
            teacher=_with_weights(study.teacher, f"{where}: study.teacher"),
            student=_with_weights(study.student, f"{where}: study.student"),
            losses=study.losses | students,
        )
    dataset = study.dataset
    if dataset.catalog is not None:
        catalog = _fingerprinted(dataset.catalog, where)
        return replace(study, dataset=replace(dataset, catalog=catalog))
    if dataset.official is not None:
        official = _official_fingerprinted(dataset.official, where)
        return replace(study, dataset=replace(dataset, official=official))
    return study


def read_fields(source: str | Path | Mapping[str, Any]) -> Fields:
    """The study's fields as plain values, with those of the files that it extends."""
    if isinstance(source, Mapping):
        layers = _layers(dict(source), [])
    else:
        path = params_path(source)
        layers = _layers(_load(path), [path])
    fields: Fields = {}
    for layer in layers:  # from the ground up, so that null takes out what any file below has
        fields = _merged(fields, layer)
    return fields


def _layers(fields: Fields, seen: list[Path]) -> Iterator[Fields]:
    """The fields of the files that these extend, each after those that it extends; then these."""
    for base in _names(fields.pop("extends", [])):
        path = params_path(base, beside=seen[-1] if seen else None)
        if path in seen:
            raise ValueError(f"{path}: extends itself, by way of {seen[-1]}")
        yield from _layers(_load(path), [*seen, path])
    yield fields


def _names(extends: Any) -> list[str]:
    return [extends] if isinstance(extends, str) else list(extends)


def spread_variants(fields: Fields, variants: Any, where: str) -> Iterator[tuple[str, str, Fields]]:
    """Yield group, name and all fields of each variant of a study.

    A variant takes over the study's fields but those of its chapters, and those of the variants
    ``group.name`` that it ``extends``; ``losses`` are taken over whole, or given anew.

    Raises:
        ValueError: If variants are no mappings, or extend what is not there or themselves.
    """
    of_chapters = ("chapters", "parameters")
    base = {key: value for key, value in fields.items() if key not in of_chapters}
    groups = list(variants.values()) if isinstance(variants, dict) else [None]
    nested = [named for group in groups if isinstance(group, dict) for named in group.values()]
    if not all(isinstance(found, dict) for found in [*groups, *nested]):
        raise ValueError(f"{where}: study.variants: must be a mapping of mappings of fields")
    for group, named in variants.items():
        for name in named:
            own = base | {"name": f"{fields.get('name')}.{group}.{name}"}
            for layer in _variant_layers(variants, f"{group}.{name}", [], where):
                kept = {k: v for k, v in own.items() if k != "losses" or "losses" not in layer}
                own = _merged(kept, layer)
            yield group, name, own


def _variant_layers(variants: Fields, at: str, seen: list[str], where: str) -> Iterator[Fields]:
    """The fields of the variants that one extends, in order; then its own."""
    group, _, name = at.partition(".")
    if at in seen:
        raise ValueError(f"{where}: study.variants.{at}: extends itself")
    if name not in variants.get(group, {}):
        known = [f"{g}.{n}" for g, named in variants.items() for n in named]
        raise ValueError(
            f"{where}: study.variants.{seen[-1]}: extends {at!r}, which is none of {known}"
        )
    fields = dict(variants[group][name])
    for base in _names(fields.pop("extends", [])):
        yield from _variant_layers(variants, base, [*seen, at], where)
    yield fields


def _with_whole_students(fields: Fields) -> Fields:
    """The fields with every student's network spelt out, where a loss gives only what differs."""
    losses, network = fields.get("losses"), fields.get("student")
    if not isinstance(losses, dict) or not isinstance(network, dict):
        return fields
    whole = {
        name: loss | {"student": _merged(network, loss["student"])}
        for name, loss in losses.items()
        if isinstance(loss, dict) and isinstance(loss.get("student"), dict)
    }
    return fields | {"losses": losses | whole}


def params_path(source: str | Path, beside: Path | None = None) -> Path:
    """The params file called ``source``, or at that path if it ends in ``.yaml``; absolute.

    Args:
        source: Name or path.
        beside: File beside which a relative path starts; default the current folder.
    """
    if not str(source).endswith(".yaml"):
        return paths.notebooks_dir() / "params" / f"{source}.yaml"
    return Path(beside.parent / source if beside else source).expanduser().resolve()


def _merged(base: Fields, fields: Fields) -> Fields:
    """``base`` with ``fields`` over it; null takes out.

    A null of ``base`` that took out nothing stays: in a variant it is for the study's own field.
    """
    merged = dict(base)
    for key, value in fields.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merged(base[key], value) if both else value
    return {key: value for key, value in merged.items() if not (key in fields and value is None)}


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping at ``node``."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for index, key in enumerate(keys) if key in keys[:index]]:
            raise yaml.YAMLError(f"{twice[0]!r} is given twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def _load(path: Path) -> Fields:
    if not path.exists():
        known = sorted(p.stem for p in (paths.notebooks_dir() / "params").glob("*.yaml"))
        raise ValueError(f"{path}: no such params file; give a path, or one of the names {known}")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("study"), dict):
        raise ValueError(f"{path}: needs one key `study` with the study's fields below it")
    if others := sorted(set(content) - {"study"}):
        raise ValueError(f"{path}: {others} beside `study` would be ignored; move them below it")
    return content["study"]


def _structure(fields: Fields, where: str) -> StudySpec:
    try:
        return _converter().structure(fields, StudySpec)
    except cattrs.BaseValidationError as error:
        found = transform_error(error, "study", _explain)
        problems = [": ".join(problem.rpartition(" @ ")[::-2]) for problem in found]
        raise ValueError(f"{where}: " + "; ".join(problems)) from error


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)

    def structure_tuple(value: Any, kind: Any) -> tuple:
        item, *others = get_args(kind)
        if not isinstance(value, list | tuple):  # a text is no list of letters
            raise ValueError(f"must be a list, not {value!r}")
        if others[-1:] != [...] and len(value) != 1 + len(others):
            raise ValueError(f"must be a list of {1 + len(others)}, not {value!r}")
        return tuple(converter.structure(list(value), list[item]))

    for kind in (int, float, bool, str):
        converter.register_structure_hook(kind, _strict)
    converter.register_structure_hook(float | bool, _strict_union)
    converter.register_structure_hook(int | float | str, _strict_union)
    converter.register_structure_hook(
        Fold,
        lambda value, _: converter.structure(value, Groups if isinstance(value, dict) else int),
    )
    converter.register_structure_hook_func(lambda kind: get_origin(kind) is tuple, structure_tuple)
    return converter


def _strict(value: Any, kind: type) -> Any:
    """Refuse what a silent conversion would bend: 2.5 to 2, "no" to True."""
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        hint = "; YAML reads 1e-3 as a text: write 1.0e-3" if kind is float else ""
        raise ValueError(f"must be {kind.__name__}, not {value!r}{hint}")
    return value


def _strict_union(value: Any, kind: Any) -> Any:
    kinds = get_args(kind)
    return value if type(value) in kinds else _strict(value, kinds[0])


def _explain(error: BaseException, kind: type | None) -> str:
    """What is wrong with a field, in the words of whoever refused it."""
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = sorted(error.cl.__dataclass_fields__)
        return f"has no field {sorted(error.extra_fields)}; it has {known}"
    if isinstance(error, KeyError):
        return "is missing"
    if isinstance(error, ValueError):
        return str(error)
    return f"must be a mapping ({error})"


def _fingerprinted(source: CatalogSource, where: str) -> CatalogSource:
    """With the hash of its table: changed labels are another data set."""
    if source.content:
        return source
    path = paths.project_root() / source.path
    if not path.exists():
        raise ValueError(
            f"{where}: study.dataset.catalog.path: {path} does not exist; put your videos and "
            f"their table (file,{source.label_column}[,split]) there, or correct the path"
        )
    if path.is_file():
        return replace(source, content=hashlib.sha256(path.read_bytes()).hexdigest())
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    listed = "\n".join(f"{p.relative_to(path).as_posix()} {p.stat().st_size}" for p in files)
    return replace(source, content=hashlib.sha256(listed.encode()).hexdigest())


def _official_fingerprinted(source: OfficialSource, where: str) -> OfficialSource:
    """With the hash of its lists, those of all folds: corrected lists are another data set."""
    if source.content:
        return source
    lists = paths.project_root() / source.lists
    try:
        files = OFFICIAL[source.name].list_files(lists)
    except CatalogError as error:
        raise ValueError(
            f"{where}: study.dataset.official.lists: {error} (see data/README.md)"
        ) from error
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return replace(source, content=digest.hexdigest())


def _with_weights(network: NetworkSpec, where: str) -> NetworkSpec:
    """With the digest of its weights: other weights under the same name make another run."""
    if network.weights is None or network.weights_content:
        return network
    path = paths.project_root() / network.weights
    if not path.is_file():
        raise ValueError(
            f"{where}.weights: {path} does not exist; put the weights there, or correct the path"
        )
    return replace(network, weights_content=weights_digest(path))
