// Detects the format of a text with several notes: JSON lines, a JSON list or a table. The gateway has no route that
// takes a table, so the page reads it; a format that is not certain is refused. It uses neither the document nor the
// network.

import { tableIn } from './table.js';

// The most notes that the page takes at once.
export const MOST_NOTES = 5000;

const COMMAND = 'The command “gateway extract” reads it.';
const FOREIGN = [
  [/^MSH\|/, 'These are HL7 messages.'],
  [/^%PDF/, 'This is a PDF.'],
  [/^PK\u0003\u0004/, 'This is a workbook or an archive.'],
  [/^<(\?xml|!DOCTYPE|html|ClinicalDocument)/i, 'This is a document of XML or HTML.'],
];

// Returns { kind, columns, records } or { problem }, a sentence that says what to do. A record is { place, cells } with a
// value by column, or { place, problem }.
export function notesIn(given) {
  const text = given.replace(/^\ufeff/, '');
  const start = text.trimStart();
  const foreign = FOREIGN.find(([pattern]) => pattern.test(start));
  if (foreign) return { problem: `${foreign[1]} ${COMMAND}` };
  if (start === '') return { problem: 'There are no notes yet: paste them or choose a file.' };
  const found = start.startsWith('[') || start.startsWith('{') ? fromJson(start) : fromTable(text);
  if (found.problem) return found;
  if (found.records.length > MOST_NOTES) {
    const [all, most] = [found.records.length, MOST_NOTES].map((count) => count.toLocaleString('en'));
    return { problem: `These are ${all} notes. This page takes ${most} at once. The command “gateway extract” reads any number.` };
  }
  return found;
}

// Whether a text that was meant as one note holds several: JSON with notes, or a table whose header names ids and texts.
export function looksLikeSeveral(text) {
  const start = text.trimStart();
  if (start.startsWith('{') || start.startsWith('[')) return !notesIn(text).problem;
  const table = tableIn(text.replace(/^\ufeff/, ''));
  if (!table?.columns?.some(isIdName)) return false;
  if (table.columns.some((name) => TEXT_NAMES.includes(plain(name)))) return true;
  // Without such a name, a column that holds prose in most rows.
  const { columns, rows = [] } = table;
  const isProse = (column) => rows.filter(({ cells }) => cells[column].trim().split(/\s+/).length >= 4).length * 2 > rows.length;
  return rows.length >= 2 && columns.some((_, column) => isProse(column));
}

function fromTable(text) {
  const table = tableIn(text);
  if (table?.problem) return table;
  if (!table) {
    const known = 'This is not a list of notes that the page knows: JSON lines, a JSON list, or a table with a header (CSV).';
    return { problem: `${known} A single note belongs under “One note”. Another file: ${COMMAND}` };
  }
  const { columns, rows } = table;
  const records = rows.map(({ cells }, index) => {
    return { place: `row-${index + 1}`, cells: Object.fromEntries(columns.map((name, column) => [name, cells[column]])) };
  });
  return { kind: 'table', columns, records };
}

function fromJson(text) {
  const whole = parsed(text);
  const list = Array.isArray(whole) ? whole : whole?.notes;
  if (Array.isArray(list)) return fromObjects(list.map((one, index) => ({ place: `note-${index + 1}`, value: one })), 'list');
  const lines = text.split(/\r?\n/).map((line, index) => ({ place: `line-${index + 1}`, line }));
  const values = lines.filter(({ line }) => line.trim() !== '').map(({ place, line }) => ({ place, value: parsed(line) }));
  if (!(values[0].value instanceof Object) && !(whole instanceof Object)) {
    return { problem: 'This looks like JSON and cannot be read as JSON: neither as one list nor line by line. Check that the file is complete.' };
  }
  return whole instanceof Object ? fromObjects([{ place: 'note-1', value: whole }], 'list') : fromObjects(values, 'lines');
}

function fromObjects(values, kind) {
  const columns = new Set();
  const records = values.map(({ place, value }) => {
    if (!(value instanceof Object) || Array.isArray(value)) return { place, problem: 'This is not a JSON object, or it is not complete.' };
    if ('resourceType' in value) return { place, problem: `This is a FHIR resource. ${COMMAND}` };
    // An id of more digits than JavaScript keeps would be another id.
    const unsafe = Object.keys(value).filter((name) => typeof value[name] === 'number' && !Number.isSafeInteger(value[name]));
    const cells = Object.entries(value).filter(([, one]) => typeof one === 'string' || Number.isSafeInteger(one));
    for (const name of [...cells.map(([known]) => known), ...unsafe]) columns.add(name);
    return { place, cells: Object.fromEntries(cells.map(([name, one]) => [name, String(one)])), unsafe };
  });
  if (columns.size === 0) return { problem: records.find(({ problem }) => problem)?.problem ?? 'There is no text in this list of notes.' };
  return { kind, columns: [...columns], records };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const TEXT_NAMES = ['text', 'note', 'notetext', 'clinicalnote', 'report', 'reporttext', 'content', 'body', 'befund', 'narrative', 'document'];
const ID_NAMES = ['id', 'noteid', 'case', 'caseid', 'documentid', 'docid', 'reportid', 'recordid', 'accession', 'key', 'nr', 'uid', 'mrn', 'file'];
const DATE_NAMES = ['notedate', 'date', 'written', 'writtenon', 'reportdate', 'datum'];
const PATIENT_NAMES = ['patient', 'patientid', 'pid', 'subjectid', 'personid', 'mrn'];

function isIdName(name) {
  const parts = name.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  return /id$/i.test(name) || ID_NAMES.includes(plain(name)) || parts.some((part) => ['nr', 'no', 'number', 'mrn', 'case', 'record', 'fall', 'key'].includes(part));
}

function plain(name) {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

// Returns the columns to begin with, by their names; '' where none has such a name. The person sees and changes them.
export function likelyColumns({ columns, records }) {
  const by = (names) => names.map((wanted) => columns.find((name) => plain(name) === wanted)).find((name) => name !== undefined) ?? '';
  const text = by(TEXT_NAMES) || longest(columns, records);
  return { text, id: by(ID_NAMES), date: by(DATE_NAMES), patient: by(PATIENT_NAMES) };
}

// Whether a text is a day as the service takes it.
function isDay(text) {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
}

// Returns the column with the most text.
function longest(columns, records) {
  const size = (name) => records.reduce((sum, { cells }) => sum + (cells?.[name]?.length ?? 0), 0);
  return columns.reduce((best, name) => (size(name) > size(best) ? name : best), columns[0]);
}

// Returns the notes by the chosen columns: { index, id, text, date, patient, problem }. A note with a problem, a sentence,
// is not read. Of two notes with one id the second is not read, because nothing would distinguish them.
export function notesBy({ kind, records }, { text, id, date, patient }) {
  const seen = new Set();
  return records.map(({ place, cells = {}, problem = null, unsafe = [] }, index) => {
    const own = cells[id]?.trim() ?? '';
    const chosen = (column) => cells[column]?.trim() || null;
    const note = { index, id: own || place, text: (cells[text] ?? '').toWellFormed(), date: chosen(date), patient: chosen(patient), problem };
    if (problem === null && note.text.trim() === '') note.problem = 'This note has no text.';
    else if (problem === null && unsafe.includes(id)) note.problem = 'The id is a number with more digits than a browser keeps. Write it in quotes.';
    else if (problem === null && kind === 'table' && id !== '' && own === '') note.problem = 'This note has no id, so it may be the rest of the note before it.';
    else if (problem === null && note.date !== null && !isDay(note.date)) note.problem = `The date is not written as 2026-11-29. Write it so, choose no column for the date, or use “gateway extract”, which reads other forms.`;
    else if (seen.has(note.id)) note.problem = 'Another note has this id. Ids must be different.';
    if (!seen.has(note.id)) seen.add(note.id);
    else note.id = `${note.id} (${place})`;
    return note;
  });
}
