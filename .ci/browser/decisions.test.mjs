// The decisions on a note, without a browser: node --test .ci/browser/decisions.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DecisionBook } from '../../gateway/src/ui/decision-book.js';
import { Decisions, LONGEST_VALUE } from '../../gateway/src/ui/decisions.js';
import { commandOf } from '../../gateway/src/ui/keys.js';
import { placeAt, placesOf, valuesOf } from '../../gateway/src/ui/spans.js';
import { FIELDS } from '../../gateway/src/ui/words.js';

const TEXT = '😀 Stage IIIB lung cancer with hepatic and liver lesions, no brain lesions; stage II before. EGFR pending.\nCarboplatin  and\npemetrexed; then osimertinib.';
const NOTHING = { cancer_type: null, stage: null, gene_mutation: null, biomarker: null, treatment: null, response: null, metastasis_site: null };
const RECORD = { ...NOTHING, cancer_type: 'lung cancer', stage: 'IIIB', treatment: 'carboplatin and pemetrexed', metastasis_site: 'liver' };

function finding(value, quote, more = {}) {
  const before = quote === null ? '' : TEXT.slice(0, TEXT.indexOf(quote));
  const start = quote === null ? null : [...before].length;
  const end = quote === null ? null : start + [...quote].length;
  return { value, in_record: true, basis: 'stated', assertion: 'present', rule: null, quote, start, end, ...more };
}

const EVIDENCE = {
  cancer_type: [finding('lung cancer', 'lung cancer')],
  stage: [finding('IIIB', 'Stage IIIB'), finding('II', 'stage II', { in_record: false, assertion: 'historical' })],
  gene_mutation: [finding('EGFR', 'EGFR', { in_record: false, assertion: 'not_tested' })],
  biomarker: [],
  treatment: [finding('carboplatin', 'Carboplatin'), finding('pemetrexed', 'pemetrexed')],
  response: [],
  metastasis_site: [
    finding('liver', 'liver'), finding('liver', 'hepatic', { basis: 'normalized', rule: 'hepatic' }),
    finding('brain', 'brain', { in_record: false, assertion: 'negated' }),
  ],
};

function make(record = RECORD, evidence = EVIDENCE) {
  return new Decisions(TEXT, record, valuesOf(TEXT, evidence, record));
}

// The id of a value of the answer, by its text.
function idOf(decisions, value, at = 0) {
  return decisions.rows().filter((row) => row.value === value)[at].id;
}

function kept(decisions, field) {
  return decisions.rows().filter((row) => row.field === field && row.kept).map((row) => row.value);
}

test('nothing is scored before a decision, and all of the record once the note is done', () => {
  const decisions = make();
  assert.deepEqual([decisions.untouched, decisions.count, decisions.scored(), decisions.expected(), decisions.list()], [true, 0, [], {}, []]);
  assert.deepEqual(decisions.toggleDone(), { action: 'done', id: null, field: null, value: null, from: null });
  assert.deepEqual(decisions.scored(), Object.keys(FIELDS));
  // Its own words, although the evidence writes two values.
  assert.deepEqual(decisions.expected(), RECORD);
  assert.equal(decisions.toggleDone().action, 'reopen');
  assert.deepEqual(decisions.expected(), {});
  assert.equal(decisions.untouched, false);
});

test('a field is scored once each value of its record is decided', () => {
  const decisions = make();
  decisions.accept(idOf(decisions, 'carboplatin'));
  assert.deepEqual(decisions.scored(), []);
  decisions.reject(idOf(decisions, 'pemetrexed'));
  assert.deepEqual(decisions.expected(), { treatment: 'carboplatin' });
  // The value that is not in the record need not be decided.
  decisions.accept(idOf(decisions, 'IIIB'));
  assert.deepEqual(decisions.expected(), { stage: 'IIIB', treatment: 'carboplatin' });
  assert.deepEqual(decisions.decided(), { stage: 'IIIB', treatment: 'carboplatin' });
  decisions.reject(idOf(decisions, 'EGFR'));
  assert.deepEqual(decisions.expected(), { stage: 'IIIB', gene_mutation: null, treatment: 'carboplatin' });
  // An added value decides nothing about the others of its field.
  decisions.add('cancer_type', 'adenocarcinoma');
  assert.equal('cancer_type' in decisions.expected(), false);
  decisions.add('response', 'stable disease');
  assert.equal(decisions.expected().response, 'stable disease');
});

test('a field with one decision of several is written with what was decided', () => {
  const decisions = make();
  decisions.reject(idOf(decisions, 'pemetrexed'));
  assert.deepEqual([decisions.expected(), decisions.decided()], [{}, { treatment: 'carboplatin' }]);
  decisions.reject(idOf(decisions, 'carboplatin'));
  assert.deepEqual(decisions.decided(), { treatment: null });
});

test('accepting all values leaves the words of the record', () => {
  const decisions = make();
  for (const value of ['carboplatin', 'pemetrexed']) decisions.accept(idOf(decisions, value));
  assert.deepEqual(decisions.expected(), { treatment: 'carboplatin and pemetrexed' });
  decisions.add('treatment', 'osimertinib');
  assert.deepEqual(decisions.expected(), { treatment: 'carboplatin; pemetrexed; osimertinib' });
});

test('accept and reject move values into the record and out of it', () => {
  const decisions = make();
  assert.deepEqual(decisions.accept(idOf(decisions, 'II')), { action: 'accept', id: idOf(decisions, 'II'), field: 'stage', value: 'II', from: null });
  assert.deepEqual(kept(decisions, 'stage'), ['IIIB', 'II']);
  assert.equal(decisions.accept(idOf(decisions, 'II')), null, 'accepted before');
  decisions.reject(idOf(decisions, 'IIIB'));
  assert.equal(decisions.reject(idOf(decisions, 'IIIB')), null, 'rejected before');
  assert.deepEqual(decisions.expected(), { stage: 'II' });
  decisions.reject(idOf(decisions, 'II'));
  assert.deepEqual(decisions.expected(), { stage: null });
});

test('findings of one value are decided together, a denied one alone', () => {
  const evidence = { ...EVIDENCE, metastasis_site: [...EVIDENCE.metastasis_site, finding('liver', 'liver', { in_record: false, assertion: 'negated' })] };
  const decisions = make(RECORD, evidence);
  decisions.reject(idOf(decisions, 'liver', 2));
  assert.deepEqual(decisions.rows().filter((row) => row.value === 'liver').map((row) => [row.decision, row.kept]), [[null, true], [null, true], ['reject', false]]);
  decisions.reject(idOf(decisions, 'liver', 1));
  assert.deepEqual(kept(decisions, 'metastasis_site'), []);
  assert.deepEqual(decisions.list().map(({ action, value, in_record: inRecord }) => [action, value, inRecord]), [['reject', 'liver', true], ['reject', 'liver', false]]);
  assert.deepEqual(decisions.expected(), { metastasis_site: null });
});

test('a changed value is searched in the note', () => {
  const decisions = make();
  const id = idOf(decisions, 'IIIB');
  assert.deepEqual(decisions.change(id, '  II\n'), { action: 'change', id, field: 'stage', value: 'II', from: 'IIIB' });
  let row = decisions.row(id);
  assert.deepEqual([row.value, row.from, row.basis, row.mark, row.kept, row.assertion], ['II', 'IIIB', 'person', 'person', true, null]);
  assert.deepEqual(row.places.map(({ quote }) => quote), ['II'], 'not the II of IIIB');
  assert.equal(decisions.change(id, 'II'), null, 'the same text');
  decisions.change(id, 'IV');
  row = decisions.row(id);
  assert.deepEqual([row.value, row.from, row.basis, row.places[0].quote], ['IV', 'IIIB', 'unsupported', 'Stage IIIB']);
  assert.deepEqual(decisions.list(), [{ field: 'stage', action: 'change', value: 'IV', from: 'IIIB', in_record: true, start: null, end: null }]);
  assert.deepEqual(decisions.expected(), { stage: 'IV' });
  assert.equal(decisions.change(id, 'IIIB').action, 'accept', 'back to its own text');
  assert.deepEqual([decisions.row(id).decision, decisions.row(id).basis], ['accept', 'stated']);
  for (const text of ['', ' \n ', 'x'.repeat(LONGEST_VALUE + 1)]) assert.equal(decisions.change(id, text), null);
  // One that becomes equal to another is there once.
  decisions.change(idOf(decisions, 'pemetrexed'), 'carboplatin');
  decisions.accept(idOf(decisions, 'carboplatin'));
  assert.equal(decisions.expected().treatment, 'carboplatin');
});

test('a value is added from a selection or by its words', () => {
  const decisions = make();
  const at = TEXT.indexOf('osimertinib');
  const done = decisions.add('treatment', 'osimertinib', placeAt(TEXT, at, at + 'osimertinib'.length));
  assert.deepEqual([done.action, done.field, done.value], ['add', 'treatment', 'osimertinib']);
  const row = decisions.row(done.id);
  assert.deepEqual([row.decision, row.basis, row.kept, row.places.length], ['add', 'person', true, 1]);
  assert.equal(decisions.add('treatment', ' OSIMERTINIB '), null, 'there already');
  // A selection is the only place of its value, which stands in the note twice.
  const second = TEXT.lastIndexOf('lesions');
  const { id } = decisions.add('biomarker', 'lesions', placeAt(TEXT, second, second + 7));
  assert.deepEqual(decisions.row(id).places.map(({ start }) => start), [second]);
  decisions.undo();
  assert.equal(decisions.add('treatment', ''), null, 'no value');
  assert.equal(decisions.add('treatment', 'x'.repeat(LONGEST_VALUE + 1)), null, 'too long');
  decisions.add('response', 'stable disease');
  decisions.toggleDone();
  assert.deepEqual(decisions.expected(), { ...RECORD, treatment: 'carboplatin; pemetrexed; osimertinib', response: 'stable disease' });
  const start = [...TEXT.slice(0, at)].length;
  assert.equal(start, at - 1, 'the note has a character of two units');
  assert.deepEqual(decisions.list(), [
    { field: 'treatment', action: 'add', value: 'osimertinib', from: null, in_record: false, start, end: start + 11 },
    { field: 'response', action: 'add', value: 'stable disease', from: null, in_record: false, start: null, end: null },
  ]);
  // An added value can be changed, and rejecting it forgets it.
  assert.equal(decisions.accept(done.id), null);
  assert.deepEqual(decisions.change(done.id, 'erlotinib'), { action: 'change', id: done.id, field: 'treatment', value: 'erlotinib', from: 'osimertinib' });
  assert.deepEqual([decisions.row(done.id).decision, decisions.row(done.id).basis], ['add', 'unsupported']);
  assert.equal(decisions.reject(done.id).action, 'remove');
  assert.equal(decisions.row(done.id), undefined);
  assert.equal(decisions.expected().treatment, RECORD.treatment);
  // A value that was taken out can be added from another place.
  decisions.reject(idOf(decisions, 'liver'));
  assert.equal(decisions.add('metastasis_site', 'liver').action, 'add');
  assert.equal(decisions.expected().metastasis_site, 'liver');
});

test('every step is undone and done again, in order', () => {
  const decisions = make();
  const view = () => JSON.stringify([decisions.rows(), decisions.done, decisions.expected(), decisions.list()]);
  const steps = [
    () => decisions.accept(idOf(decisions, 'IIIB')), () => decisions.reject(idOf(decisions, 'lung cancer')),
    () => decisions.change(idOf(decisions, 'liver'), 'bone'), () => decisions.add('biomarker', 'PD-L1 5%'),
    () => decisions.change(idOf(decisions, 'PD-L1 5%'), 'PD-L1 50%'), () => decisions.toggleDone(),
    () => decisions.reject(idOf(decisions, 'PD-L1 50%')), () => decisions.accept(idOf(decisions, 'brain')),
  ];
  const views = [view()];
  const events = steps.map((step) => {
    const event = step();
    views.push(view());
    return event;
  });
  assert.equal(new Set(views).size, views.length, 'every step changes something');
  for (let round = 0; round < 2; round += 1) {
    for (let at = steps.length - 1; at >= 0; at -= 1) {
      assert.deepEqual(decisions.undo(), events[at]);
      assert.equal(view(), views[at]);
    }
    assert.equal(decisions.undo(), null);
    assert.equal(decisions.count, 0);
    assert.equal(decisions.untouched, false, 'the steps can be repeated');
    for (let at = 0; at < steps.length; at += 1) {
      assert.deepEqual(decisions.redo(), events[at]);
      assert.equal(view(), views[at + 1]);
    }
    assert.equal(decisions.redo(), null);
  }
  // Another step leaves nothing to repeat, and a value that is added later is another one.
  decisions.undo();
  const { id } = decisions.add('response', 'stable disease');
  assert.equal(decisions.redo(), null);
  decisions.undo();
  assert.notEqual(decisions.add('response', 'progression').id, id);
});

test('a record without evidence can be decided', () => {
  const decisions = make({ ...NOTHING, stage: 'IV' }, null);
  assert.deepEqual(decisions.rows().map(({ field, value, kept: isKept, basis, places }) => [field, value, isKept, basis, places]), [['stage', 'IV', true, null, []]]);
  decisions.change(0, 'IIIB');
  assert.deepEqual(decisions.expected(), { stage: 'IIIB' });
  assert.equal(valuesOf(TEXT, EVIDENCE, RECORD).length, valuesOf(TEXT, EVIDENCE).length, 'values that have evidence');
});

test('a line is one object for gateway eval', () => {
  const decisions = make();
  decisions.reject(idOf(decisions, 'IIIB'));
  const line = decisions.goldLine('ward-a/1 "x"');
  assert.ok(!line.includes('\n'));
  assert.deepEqual(JSON.parse(line), {
    id: 'ward-a/1 "x"', text: TEXT, expected: { stage: null }, done: false,
    decisions: [{ field: 'stage', action: 'reject', value: 'IIIB', from: null, in_record: true, start: 2, end: 12 }],
  });
});

test('a book has the decided notes in order', () => {
  const book = new DecisionBook();
  let made = 0;
  const open = (key) => book.open(key, () => {
    made += 1;
    return { id: `n${key}`, text: TEXT, record: RECORD, values: valuesOf(TEXT, EVIDENCE, RECORD) };
  });
  const accept = (key) => open(key).accept(0);
  accept(10);
  open(2);
  accept(9);
  open(9).toggleDone();
  assert.equal(made, 3);
  open(2).toggleDone();
  assert.equal(made, 4, 'a note that was only looked at is forgotten');
  open(2).undo();
  assert.deepEqual(book.counts(), { decided: 2, done: 1 });
  open(5);
  assert.equal(open(2).redo().action, 'done', 'what can be repeated is kept');
  assert.deepEqual(book.lines().map((line) => JSON.parse(line).id), ['n2', 'n9', 'n10']);
  assert.equal(book.unsaved, false);
  book.changed();
  assert.equal(book.unsaved, true);
  book.saved();
  assert.equal(book.unsaved, false);
  book.changed();
  book.clear();
  assert.deepEqual([book.unsaved, book.lines()], [false, []]);
});

// A decided note with a decision of each kind.
function decided() {
  const decisions = make();
  const second = TEXT.lastIndexOf('lesions');
  decisions.accept(idOf(decisions, 'II'));
  decisions.reject(idOf(decisions, 'lung cancer'));
  decisions.change(idOf(decisions, 'IIIB'), 'II');
  decisions.change(idOf(decisions, 'carboplatin'), 'nowhere');
  decisions.change(idOf(decisions, 'pemetrexed'), 'lesions', placeAt(TEXT, second, second + 7));
  decisions.add('biomarker', 'lesions');
  decisions.add('response', 'no brain lesions', placeAt(TEXT, TEXT.indexOf('no brain'), second + 7));
  decisions.toggleDone();
  return decisions;
}

test('saved decisions are the same when they are opened', () => {
  const saved = JSON.parse(decided().goldLine('x'));
  const opened = make();
  assert.equal(opened.restore(saved.decisions, saved.done), 0);
  assert.deepEqual(JSON.parse(opened.goldLine('x')), saved);
  assert.equal(saved.decisions.length, 7);
  assert.equal(opened.rows().find((row) => row.field === 'biomarker').places.length, 2, 'all places of a value that was found');
  assert.equal(opened.restore([], true), 0);
  assert.equal(opened.done, true);
});

test('decisions that do not fit are counted and change nothing', () => {
  const base = { field: 'stage', action: 'accept', value: 'IIIB', from: null, in_record: true, start: null, end: null };
  for (const strange of [
    { field: 'constructor' }, { field: 'size' }, { value: 'IV' }, { value: 7 }, { in_record: false }, { action: 'toggleDone' }, { action: 'undo' },
    { field: 'constructor', action: 'add' }, { in_record: false, action: 'reject' },
    { action: 'change', from: 'IV' }, { action: 'add' }, { action: 'add', value: '' },
  ]) {
    const decisions = make();
    assert.equal(decisions.restore([{ ...base, ...strange }, base], false), 1, JSON.stringify(strange));
    assert.deepEqual(decisions.list().map(({ action, value }) => [action, value]), [['accept', 'IIIB']]);
  }
});

test('a book opens saved lines for the notes that have no decision', () => {
  const book = new DecisionBook();
  const noteOf = (id, text = TEXT) => () => ({ id, text, record: RECORD, values: valuesOf(text, EVIDENCE, RECORD) });
  const find = (id) => (['a', 'b', 'c'].includes(id) ? { key: 'abc'.indexOf(id), make: noteOf(id) } : null);
  book.open(1, noteOf('b')).accept(0);
  book.open(2, noteOf('c'));
  const line = (id, text = TEXT) => JSON.stringify({ ...JSON.parse(decided().goldLine(id)), text });
  const lines = [line('a'), line('b'), line('c'), line('d'), line('a', 'another'), '7', 'null', '{', '{"id":"a"}'];
  assert.deepEqual(book.restore(lines, find), { taken: 2, kept: 1, foreign: 6, unfit: 0 });
  assert.deepEqual(book.lines().map((one) => JSON.parse(one)), [JSON.parse(line('a')), { ...JSON.parse(book.lines()[1]), id: 'b' }, JSON.parse(line('c'))]);
  assert.equal(JSON.parse(book.lines()[1]).decisions.length, 1, 'its own decision');
  assert.deepEqual([0, 1, 2, 3].map((key) => book.stateOf(key)), ['done', 'decided', 'done', 'none']);
  const strange = new DecisionBook();
  const odd = (more) => JSON.stringify({ id: 'a', text: TEXT, ...more });
  assert.equal(strange.restore([odd({ decisions: 'x' }), odd({ decisions: {} })], find).foreign, 2);
  assert.deepEqual(strange.restore([odd({ decisions: [null, 1, 'x'], done: 'no' })], find), { taken: 1, kept: 0, foreign: 0, unfit: 0 });
  assert.equal(strange.stateOf(0), 'none');
});

test('values are found as whole words, whatever their case and white space', () => {
  const quotes = (text, value) => placesOf(text, value).map(({ quote }) => quote);
  for (const [text, value, expected] of [
    [TEXT, 'carboplatin and pemetrexed', ['Carboplatin  and\npemetrexed']],
    [TEXT, 'stage ii', ['stage II']],
    ['II, IIIB, XII, II', 'II', ['II', 'II']],
    ['ER+ and HER2+', 'ER+', ['ER+']],
    ['PD-L1 5% (TPS)', '5%', ['5%']],
    ['PD-L1 5%5', '5%', ['5%']],
    ['(a+b)* [x] a.b\\', '(a+b)*', ['(a+b)*']],
    ['axb a.b', 'a.b', ['a.b']],
    ['tumörös tumör', 'tumör', ['tumör']],
    ['x\u0301 x', 'x', ['x']],
    ['سرطان الرئة', 'سرطان', ['سرطان']],
    ['anything', ' ', []],
    ['', 'x', []],
  ]) {
    assert.deepEqual(quotes(text, value), expected, JSON.stringify([text, value]));
  }
  const text = '😀 liver 😀😀 liver';
  for (const place of placesOf(text, 'LIVER')) {
    assert.deepEqual(place, placeAt(text, place.start, place.end));
    assert.equal([...text].slice(place.from, place.to).join(''), 'liver');
  }
  // A word that stands everywhere in the longest note takes no time.
  const long = 'a😀 '.repeat(33_000);
  const from = performance.now();
  const places = placesOf(long, 'a');
  assert.equal(places.length, 33_000);
  assert.equal(places.at(-1).from, 32_999 * 3);
  assert.ok(performance.now() - from < 2_000);
});

test('keys and their commands', () => {
  const press = (key, more = {}) => commandOf({ key, altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, ...more });
  for (const [key, command] of [
    ['j', 'next'], ['ArrowDown', 'next'], ['k', 'previous'], ['ArrowUp', 'previous'], ['a', 'accept'], ['r', 'reject'], ['c', 'change'],
    ['n', 'add'], ['d', 'done'], ['u', 'undo'], ['s', 'save'], ['A', 'accept'],
    ['ArrowLeft', null], ['ArrowRight', null], ['Enter', null], ['Tab', null], ['Escape', null], ['x', null], [' ', null], ['z', null], ['y', null],
  ]) {
    assert.equal(press(key), command, key);
    assert.equal(press(key, { altKey: true }), null, `Alt ${key}`);
    assert.equal(press(key, { shiftKey: true }), null, `Shift ${key}`);
  }
  for (const modifier of ['ctrlKey', 'metaKey']) {
    assert.equal(press('z', { [modifier]: true }), 'undo');
    assert.equal(press('Z', { [modifier]: true, shiftKey: true }), 'redo');
    assert.equal(press('y', { [modifier]: true }), 'redo');
    for (const key of ['a', 'c', 'r', 'n', 'd', 's', 'j', 'u', 'ArrowDown']) assert.equal(press(key, { [modifier]: true }), null, key);
  }
});
