"""The clip table: one row per clip of every video, with what both networks said about it.

``table`` holds it, ``checks`` its rules, ``dense_view`` its padded tensors, ``files`` its Parquet.
"""

from condi_lib.clip_table.checks import ClipTableError
from condi_lib.clip_table.dense_view import DenseView
from condi_lib.clip_table.files import clip_table_parts, read_clip_table, write_clip_table
from condi_lib.clip_table.table import ClipTable, merge_student

__all__ = [
    "ClipTable",
    "ClipTableError",
    "DenseView",
    "clip_table_parts",
    "merge_student",
    "read_clip_table",
    "write_clip_table",
]
