// Saves a result as a file. In CSV, a cell that begins like a formula gets an apostrophe, because spreadsheets would
// otherwise run it.

import { FIELDS } from './words.js';

const COLUMNS = ['field', 'value', 'in_record', 'basis', 'assertion', 'rule', 'quote', 'start', 'end'];

export function cell(value) {
  const text = value === null || value === undefined ? '' : String(value);
  const plain = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

// Returns one line for each occurrence of each value, and one line for each field without values.
export function asCsv(result) {
  const lines = [COLUMNS];
  for (const [field, findings] of Object.entries(result.evidence ?? {})) {
    if (findings.length === 0) lines.push([field]);
    for (const finding of findings) {
      lines.push(COLUMNS.map((column) => (column === 'field' ? field : finding[column])));
    }
  }
  const width = COLUMNS.length;
  const padded = lines.map((line) => [...line, ...Array(width - line.length).fill('')]);
  // The byte order mark tells a spreadsheet that the file is UTF-8.
  return `\ufeff${padded.map((line) => line.map(cell).join(',')).join('\r\n')}\r\n`;
}

// Returns a table with a row for each note: { note, outcome, decisions, decided } each. A field in `decided` has the value that
// a person's decisions make of it, and its name in the column `decided_fields`; the other fields have what was read.
export function resultsAsCsv(entries) {
  const fields = Object.keys(FIELDS);
  const rows = entries.map(({ note, outcome, decisions, decided = {} }) => {
    const { result, error } = outcome ?? {};
    const valueOf = (field) => (Object.hasOwn(decided, field) ? decided[field] : result?.[field]);
    const state = result ? 'read' : error ? 'not read' : 'waiting';
    const codes = [...new Set((result?.warnings ?? []).map(({ code }) => code))].join('; ');
    return [note.id, note.patient, note.date, state, ...fields.map(valueOf), codes, decisions, Object.keys(decided).join('; '), error?.detail];
  });
  const head = ['id', 'patient', 'note_date', 'state', ...fields, 'warnings', 'decisions', 'decided_fields', 'error'];
  return `\ufeff${[head, ...rows].map((line) => line.map(cell).join(',')).join('\r\n')}\r\n`;
}

// Returns the lines that `gateway extract` writes for these notes; a note without an outcome has none.
export function resultsAsLines(entries) {
  const done = entries.filter(({ outcome }) => outcome !== null);
  return done.map(({ note, outcome }) => `${JSON.stringify({ id: note.id, index: note.index, ...outcome })}\n`).join('');
}

export function asJson(result) {
  return `${JSON.stringify(result, null, 2)}\n`;
}

export function save(name, type, text) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
