"""The SQL of gateway/docs/cluster.md on the corpus that the array read: tables.py FOLDER NOTES

Each statement runs as it stands there, in the folder of the notes and the results. The first makes the notes' JSON lines
from Parquet, the third must find one result for each note. NOTES is the number of notes.
"""

import os
import pathlib
import re
import sys

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "gateway" / "docs" / "cluster.md"


def statements():
    found = re.findall(r"^```sql\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    assert len(found) == 3, f"{DOCUMENT} has {len(found)} blocks of SQL"
    return found


def main(folder, notes):
    os.chdir(folder)
    to_lines, to_parquet, compare = statements()
    os.mkdir("notes")
    # The notes as a warehouse has them: several files, and a note without a text.
    duckdb.execute("""COPY (SELECT id AS note_id, text AS note_text, CAST(substr(id, 3) AS INT) % 3 AS part FROM read_json('notes.jsonl'))
        TO 'notes' (FORMAT parquet, PARTITION_BY (part), OVERWRITE_OR_IGNORE)""")
    duckdb.execute("COPY (SELECT 'n-empty' AS note_id, NULL AS note_text) TO 'notes/empty.parquet' (FORMAT parquet)")
    duckdb.execute(to_lines)
    lines = duckdb.execute("SELECT count(*), count(DISTINCT id) FROM read_json('notes.jsonl.gz')").fetchone()
    assert lines == (notes, notes), lines
    same = duckdb.execute("SELECT count(*) FROM read_json('notes.jsonl') a JOIN read_json('notes.jsonl.gz') b USING (id, text)").fetchone()
    assert same == (notes,), same
    duckdb.execute(to_parquet)
    # Every tenth note is not about cancer.
    rows = duckdb.execute("SELECT count(*), count(stage), count(DISTINCT stage) FROM 'results.parquet'").fetchone()
    assert rows == (notes, notes * 9 // 10, 4), rows
    assert duckdb.execute(compare).fetchall() == [(notes, 0, 0, 0)], duckdb.execute(compare).fetchall()
    # The comparison sees what is missing, what is strange and what is there twice.
    duckdb.execute("""COPY (SELECT * FROM 'results.parquet' WHERE id NOT IN ('n-1', 'n-2')
        UNION ALL SELECT * FROM 'results.parquet' WHERE id = 'n-3'
        UNION ALL SELECT * REPLACE ('other' AS id) FROM 'results.parquet' WHERE id = 'n-4') TO 'damaged.parquet' (FORMAT parquet)""")
    os.replace("damaged.parquet", "results.parquet")
    found = duckdb.execute(compare).fetchall()
    assert found == [(notes, 2, 1, 1)], found
    print(f"DuckDB {duckdb.__version__}: Parquet to lines to results.parquet, {notes:,} rows; notes without a result 0, results without a note 0, ids twice 0")


main(sys.argv[1], int(sys.argv[2]))
