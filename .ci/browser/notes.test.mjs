// What a text with several notes is, and which note is doubtful: node --test .ci/browser/notes.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WEIGHTS, doubtOf, isDoubtful } from '../../gateway/src/ui/doubt.js';
import { resultsAsCsv, resultsAsLines } from '../../gateway/src/ui/download.js';
import { likelyColumns, looksLikeSeveral, notesBy, notesIn } from '../../gateway/src/ui/notes-in.js';
import { tableIn } from '../../gateway/src/ui/table.js';
import { ASSERTIONS, FIELDS, WARNINGS, plainMessage } from '../../gateway/src/ui/words.js';

function cells(text) {
  return tableIn(text).rows.map((row) => row.cells);
}

test('a table is cut at its delimiter, quotes kept as they are meant', () => {
  for (const [text, expected] of [
    ['id,text\n1,a\n2,b', [['1', 'a'], ['2', 'b']]],
    ['id;text\r\n1;"a; ""b""\r\nc"\r\n', [['1', 'a; "b"\r\nc']]],
    ['id\ttext\n\n1\ta "quoted" word\n\n', [['1', 'a "quoted" word']]],
    ['sep=|\nid|text\n1|a,b', [['1', 'a,b']]],
    ['"sep=;"\r\n"id";"text"\r\n1;\r\n', [['1', '']]],
    ['a,b,c\n1,2,\n,,3', [['1', '2', ''], ['', '', '3']]],
    ['id,text\n1,a,', null],
    ['id,text\n1,"a"', [['1', 'a']]],
    ['id,text\n1,é😀\u2028x', [['1', 'é😀\u2028x']]],
  ]) {
    if (expected === null) assert.match(tableIn(text).problem, /Line 2: the row has 3 cells, the header 2/);
    else assert.deepEqual(cells(text), expected, JSON.stringify(text));
  }
  for (const text of ['', 'one line', 'no delimiter\nhere', 'id,text', 'a,a\n1,2', ',b\n1,2', `${'x'.repeat(65)},b\n1,2`]) assert.equal(tableIn(text), null, text);
});

// A cut note would give the words of one patient to another, so nothing of such a table is taken.
test('a table in doubt is refused whole, with its line', () => {
  for (const [text, reason] of [
    ['id,text\n1,"Stage II\n2,Stage IV', /^Line 2: a quote is opened here and never closed/],
    ['id,text\n1,a\n2,"b" c\n3,d', /^Line 3: text follows a closing quote/],
    ['id,text\n1,"a\nb"\n2,"c\nd" e', /^Line 5: text follows/],
    ['id,text\n1,Stage IV\nlung cancer\n2,b', /^Line 3: the row has 1 cells, the header 2/],
    ['id,text\n1,lung, liver', /^Line 2: the row has 3 cells, the header 2.*comma in it must be quoted/],
  ]) {
    const { rows, problem } = tableIn(text);
    assert.equal(rows, undefined);
    assert.match(problem, reason, text);
    assert.match(notesIn(text).problem, reason);
  }
});

function read(text, columns) {
  const found = notesIn(text);
  return notesBy(found, columns ?? likelyColumns(found)).map(({ id, text: note, problem }) => (problem ? [id, problem.split('.')[0]] : [id, note]));
}

test('lists of notes in JSON', () => {
  assert.deepEqual(read('{"id": "a", "text": "x"}\n\n{"text": "y", "id": 7}\n'), [['a', 'x'], ['7', 'y']]);
  assert.deepEqual(read('[{"text": "x"}, {"id": "b", "text": "y"}]'), [['note-1', 'x'], ['b', 'y']]);
  assert.deepEqual(read('\ufeff{"notes": [{"id": 0, "text": "x"}]}'), [['0', 'x']]);
  assert.deepEqual(read('{\n "id": "a",\n "text": "x"\n}'), [['a', 'x']]);
  assert.deepEqual(read('{"id": "a", "text": "x"}\n{"id": "b", "te'), [['a', 'x'], ['line-2', 'This is not a JSON object, or it is not complete']]);
  assert.deepEqual(read('{"id": 12345678901234567890, "text": "x"}'), [['note-1', 'The id is a number with more digits than a browser keeps']]);
  assert.deepEqual(read('[{"id": "a", "text": "x"}, {"id": "a", "text": "y"}, {"id": "c"}, {"id": "d", "text": " "}, {"id": "e", "text": null}]'), [
    ['a', 'x'], ['a (note-2)', 'Another note has this id'], ['c', 'This note has no text'], ['d', 'This note has no text'], ['e', 'This note has no text'],
  ]);
  // Half a surrogate pair can be neither shown nor sent.
  assert.deepEqual(read('[{"text": "a\\ud800"}]'), [['note-1', 'a\ufffd']]);
  assert.deepEqual(read('{"__proto__": "x", "text": "y", "id": "constructor"}'), [['constructor', 'y']]);
});

test('rows without an id may be the rest of a note', () => {
  assert.deepEqual(read('id,text\nA,x\n,y'), [['A', 'x'], ['row-2', 'This note has no id, so it may be the rest of the note before it']]);
  assert.deepEqual(read('id,text\nA,x\n,y', { text: 'text', id: '', date: '', patient: '' }), [['row-1', 'x'], ['row-2', 'y']]);
});

test('what is no list of notes says the way on', () => {
  for (const [text, reason] of [
    ['', /There are no notes yet/], ['A note.', /not a list of notes/], ['MSH|^~\\&|A', /HL7/], ['<?xml version="1.0"?>', /XML/], ['%PDF-1.7', /PDF/],
    ['{"resourceType": "Bundle"}', /FHIR/], ['[1, 2]', /not a JSON object/], ['{"id": "a"', /cannot be read as JSON/], ['[]', /no text/],
  ]) assert.match(notesIn(text).problem, reason, text);
});

test('columns are found by their names, in any case', () => {
  for (const [header, expected] of [
    ['id,text', ['text', 'id', '', '']], ['MRN;Note_Date;Report Text', ['Report Text', 'MRN', 'Note_Date', 'MRN']],
    ['note_id,subject_id,chartdate,text', ['text', 'note_id', '', 'subject_id']], ['Fall,Befund', ['Befund', '', '', '']],
  ]) {
    const { text, id, date, patient } = likelyColumns(notesIn(`${header}\n${header.replaceAll(/[^,;]+/g, 'x')}`));
    assert.deepEqual([text, id, date, patient], expected, header);
  }
  // Without such a name, the column with the most text.
  assert.equal(likelyColumns(notesIn('a,b\n1,long text\n2,more of it')).text, 'b');
});

test('several notes are told from one', () => {
  for (const text of [
    'id,text\n1,a\n2,b', '{"id": 1, "text": "x"}\n{"id": 2, "text": "y"}', '[{"text": "x"}]', 'id,text\nA,"Stage II\nB,Stage IV',
    'mrn|report\n1|Stage IV lung cancer seen.\n2|Stage I skin of back.',
  ]) assert.equal(looksLikeSeveral(text), true, text);
  for (const text of [
    '', 'A note.', 'Marker,Result\nER,positive\nPR,negative', 'Dear colleague, stage IV.\nThank you, yours', '{not JSON}', 'Date;Visit\n2024;seen in clinic, stage IV\n2025;partial response of liver',
    'Hb 12, WBC 4\nNa 140, K 4',
  ]) assert.equal(looksLikeSeveral(text), false, text);
});

function result(more = {}, record = { stage: 'IV' }) {
  return { result: { ...Object.fromEntries(Object.keys(FIELDS).map((field) => [field, null])), ...record, warnings: [], evidence: {}, ...more } };
}

test('doubt puts what nobody can trust first', () => {
  for (const code of Object.keys(WARNINGS)) assert.ok(code === 'unsupported_value' || code in WEIGHTS, `${code} has no weight`);
  const kept = (more) => ({ stage: [{ value: 'IV', in_record: true, basis: 'stated', assertion: 'present', ...more }] });
  const warned = (code) => ({ warnings: [{ code, field: null, message: '' }] });
  const ordered = [
    { error: {} }, result(warned('empty_record_doubted')), result(warned('contradicted_value')), result({ evidence: kept({ basis: 'unsupported' }) }), result({}, { stage: null }),
    result(warned('several_primaries')), result({ evidence: kept({ basis: 'inferred' }) }), result({ evidence: kept({}) }),
  ];
  const scores = ordered.map((outcome) => doubtOf(outcome).score);
  assert.deepEqual([...scores].sort((one, other) => other - one), scores);
  assert.equal(new Set(scores).size, scores.length, String(scores));
  assert.deepEqual(ordered.map((outcome) => isDoubtful(doubtOf(outcome))), [true, true, true, true, true, true, false, false]);
  assert.deepEqual(doubtOf(result({ evidence: kept({ basis: 'unsupported' }) })).reasons, ['1 value not found in the note']);
  assert.deepEqual(doubtOf(result(warned('no_oncology_terms'), { stage: null })).reasons, ['no oncology term recognised']);
  assert.deepEqual(doubtOf({}), { score: 0, reasons: [] });
  assert.deepEqual(doubtOf(result(warned('of_tomorrow'))).reasons, ['of tomorrow']);
});

test('a date that the service would refuse is told before anything is sent', () => {
  const dated = (date) => notesBy(notesIn(`id,note_date,text\n1,${date},Stage IV melanoma\n`), { text: 'text', id: 'id', date: 'note_date', patient: '' })[0];
  for (const date of ['2024-03-01', '2024-12-31', '']) assert.equal(dated(date).problem, null, date);
  for (const date of ['01.03.2024', '2024-13-01', '03/01/2024', '20240301', '2024-03-01T10:00']) assert.match(dated(date).problem, /date/, date);
});

test('results of many notes as a table and as lines', () => {
  const entries = [
    { note: { index: 0, id: '=1+1', patient: 'P', date: '2024-01-01' }, outcome: { status: 200, ...result({ warnings: [{ code: 'x' }, { code: 'x' }] }, { stage: 'IV; "a"', treatment: 'surgery' }) }, decisions: 'done', decided: { treatment: null, response: 'PR' } },
    { note: { index: 1, id: 'b', patient: null, date: null }, outcome: { status: 504, error: { detail: 'Too late.' } }, decisions: 'none' },
    { note: { index: 2, id: 'c', patient: null, date: null }, outcome: null, decisions: 'none' },
  ];
  const rows = resultsAsCsv(entries).split('\r\n');
  assert.equal(rows[0], `\ufeffid,patient,note_date,state,${Object.keys(FIELDS).join(',')},warnings,decisions,decided_fields,error`);
  assert.deepEqual(rows.slice(1, 4), ["'=1+1,P,2024-01-01,read,,\"IV; \"\"a\"\"\",,,,PR,,x,done,treatment; response,", 'b,,,not read,,,,,,,,,none,,Too late.', 'c,,,waiting,,,,,,,,,none,,']);
  assert.deepEqual(resultsAsLines(entries).trim().split('\n').map((line) => JSON.parse(line)).map(({ id, index, status }) => [id, index, status]), [['=1+1', 0, 200], ['b', 1, 504]]);
});

test('a message of the service has words for its codes', () => {
  assert.equal(plainMessage('See `evidence`, with `other_tumour` in `metastasis_site`; `of_tomorrow`.'), `See the list below, with “${ASSERTIONS.other_tumour}” in “Metastasis site”; of tomorrow.`);
});
