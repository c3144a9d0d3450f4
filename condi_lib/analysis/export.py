"""Export a computed study: what chapters need of it, small enough to be committed."""

from pathlib import Path

import pandas as pd
import yaml

from condi_lib.analysis.findings import compute_findings, findings_of, write_findings
from condi_lib.clip_table import write_clip_table
from condi_lib.study.config import TEACHER, StudySpec
from condi_lib.study.params import Fields, read_fields
from condi_lib.study.study import FolderStore, Study, fold_tail, network_stem, open_study


def export_reference(source: str, folder: Path) -> None:
    """Write a study's clip tables (logits as float16) and histories for :class:`FolderStore`.

    Its findings are written beside them; of its variants nothing else, each to its own folder.

    Args:
        source: Name or path of the study's params file, whose fields are kept beside the tables.
        folder: Folder to write to; made if missing.
    """
    study = open_study(source)
    folder.mkdir(parents=True, exist_ok=True)
    for fold in study.spec.fold_names:
        study.videos(fold).to_csv(folder / f"videos{fold_tail(fold)}.csv", index=False)
        _export_left_out(study.left_out(fold), folder / f"left_out{fold_tail(fold)}.csv")
        for seed in study.seeds:
            for name in (TEACHER, *study.students):
                stem = network_stem(name, seed, fold)
                # Without the training clips, which no chapter needs clip by clip.
                table = study.store.table(name, seed, fold, study.spec.judged_splits)
                write_clip_table(table, folder / f"{stem}.parquet", "float16")
                study.store.history(name, seed, fold).to_csv(folder / f"{stem}.csv", index=False)
    exported = Study(study.spec, FolderStore(folder), study.name)
    write_findings(
        compute_findings(exported), folder
    )  # of the rounded logits, as chapters see them
    for group in study.spec.variants:
        for name, variant in study.variants(group).items():
            write_findings(findings_of(variant), folder / group / name)
    text = yaml.safe_dump({"study": _readable_anywhere(source, study.spec)}, sort_keys=False)
    (folder / "study.yaml").write_text(text, encoding="utf-8")


def _readable_anywhere(source: str, spec: StudySpec) -> Fields:
    """The study's fields, so that they can be read without its videos and weights."""
    fields = read_fields(source)
    for kind in ("catalog", "official"):
        if (videos := getattr(spec.dataset, kind)) is not None:
            fields["dataset"][kind]["content"] = videos.content
    for role in ("teacher", "student"):
        if content := getattr(spec, role).weights_content:
            fields[role]["weights_content"] = content
    return fields


def _export_left_out(left_out: pd.DataFrame, path: Path) -> None:
    path.unlink(missing_ok=True)
    if len(left_out):
        left_out.to_csv(path, index=False)
