"""Intervals as a table: CSV, and Parquet with the same columns."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import Any

from lsim.errors import InputError
from lsim.export.files import new_file
from lsim.export.rows import Row, Window

BATCH = 1 << 16  # rows that are held at a time
NUMBERS = ("begin", "end", "ticks", "block")


def write_csv(window: Window, path: Path) -> None:
    """Writes the rows of a window as CSV (RFC 4180, but with line feeds): a header, then a line an interval. What a row
    does not have is empty. Raises InputError for a window that is too long, or a file that cannot be written."""
    window.check_count()
    with new_file(path, text=True) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(window.rows())


def write_parquet(window: Window, path: Path) -> None:
    """Writes the same as Parquet: 64-bit integers and strings, null for what a row does not have, and in the metadata of
    the schema what the file is an export of. Raises InputError as `write_csv` does, and without pyarrow."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise InputError("needs pyarrow: pip install 'lsim[parquet]'", place="--parquet") from None
    window.check_count()
    schema = _schema(pa).with_metadata(window.about())
    with new_file(path) as file, parquet.ParquetWriter(file, schema) as writer:
        rows = window.rows()
        while batch := list(islice(rows, BATCH)):
            columns = [
                pa.array(column, field.type)
                for column, field in zip(zip(*batch, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _schema(pa: Any) -> Any:
    always = {"part", "begin", "end", "ticks", "state"}
    return pa.schema(
        [
            pa.field(name, pa.int64() if name in NUMBERS else pa.string(), nullable=name not in always)
            for name in Row._fields
        ]
    )
