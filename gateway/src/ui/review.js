// The review file: shows the notes of a run one at a time and filters them. The file contains all notes as JSON, each
// in its own element. Only one is drawn at a time, so that thousands of notes cost no more than one.

import { Corrections } from './corrections.js';
import { byId, element } from './dom.js';
import { provenance } from './fields.js';
import { Reading } from './reading.js';
import { Timelines } from './timeline.js';
import { BASES, FIELDS, WARNINGS, counted, spoken } from './words.js';

const FAILED_SHOWN = 200;
const FILTERS = ['by-field', 'by-basis', 'by-warning', 'by-decision'];

const blocks = [...document.querySelectorAll('script[type="application/json"]:not([data-patient])')];
const entries = blocks.map((block, index) => summary(JSON.parse(block.textContent), index));
const parts = { note: byId('note'), fields: byId('fields') };
const reading = new Reading({ ...parts, warnings: byId('warnings') });
const corrections = new Corrections({ ...parts, reading, hasManyNotes: true, fileName: () => 'decisions.jsonl' });
let chosen = entries;
let at = 0;

// Returns the facts about an entry that the filters need, without its note.
function summary({ id, outcome }, index) {
  const { result, error } = outcome;
  const findings = Object.entries(result?.evidence ?? {}).flatMap(([field, list]) => {
    return list.map(({ basis, assertion, in_record: kept }) => ({ field, basis, assertion, kept }));
  });
  const warnings = (result?.warnings ?? []).map(({ code, field }) => ({ code, field }));
  return { index, id, failed: !result, code: error?.code ?? null, findings, warnings };
}

function passes(entry, { field, basis, warning, decision }) {
  if (decision !== '' && !(!entry.failed && decision.split(' ').includes(corrections.stateOf(entry.index)))) return false;
  const inField = (one) => field === '' || one.field === field;
  const findings = entry.findings.filter(inField);
  if (basis === 'left-out' && !findings.some((finding) => !finding.kept)) return false;
  if (basis !== '' && basis !== 'left-out' && !findings.some((finding) => finding.kept && finding.basis === basis)) return false;
  if (warning === 'failed') return entry.failed;
  // A warning about the whole answer has no field.
  const warnings = entry.warnings.filter((one) => one.field === null || inField(one));
  if (warning === 'any' && warnings.length === 0) return false;
  if (warning !== '' && warning !== 'any' && !warnings.some((one) => one.code === warning)) return false;
  return field === '' || basis !== '' || warning !== '' || findings.length > 0;
}

function filter() {
  const [field, basis, warning, decision] = FILTERS.map((id) => byId(id).value);
  const wanted = { field, basis, warning, decision };
  const current = chosen[at];
  chosen = entries.filter((entry) => passes(entry, wanted));
  at = Math.max(0, chosen.indexOf(current));
  show();
}

function matching() {
  if (chosen.length === entries.length) return '';
  return chosen.length === 1 ? ' that matches' : ' that match';
}

function show() {
  const entry = chosen[at];
  byId('previous').disabled = at <= 0;
  byId('next').disabled = at >= chosen.length - 1;
  byId('position').textContent = entry
    ? `${(at + 1).toLocaleString('en')} of ${counted(chosen.length, 'note')}${matching()}`
    : 'No note matches';
  byId('one').hidden = !entry;
  if (!entry) {
    corrections.leave();
    return reading.clear();
  }
  const { id, text, outcome } = JSON.parse(blocks[entry.index].textContent);
  byId('id').textContent = id;
  showCarried(outcome.carried ?? {});
  byId('no-text').hidden = text !== '';
  byId('note').hidden = text === '';
  byId('error').hidden = !entry.failed;
  byId('provenance').textContent = outcome.result ? provenance(outcome.result) : '';
  byId('degraded').hidden = !outcome.result?.degraded;
  if (outcome.result) {
    corrections.show(entry.index, id, text, outcome.result);
    const field = byId('by-field').value;
    if (field !== '') reading.choose(field);
  } else {
    corrections.leave();
    reading.showNote(text);
    showError(outcome);
  }
  byId('note').scrollTop = 0;
  return undefined;
}

// Shows the columns of the input that the command line keeps.
function showCarried(values) {
  const pairs = Object.entries(values).map(([name, value]) => {
    return element('div', {}, element('dt', {}, name), element('dd', { dir: 'auto' }, value === '' ? '-' : value));
  });
  byId('carried').replaceChildren(...pairs);
  byId('carried').hidden = pairs.length === 0;
}

function showError({ status, error }) {
  const more = (error?.errors ?? []).map(({ message }) => message).filter((message) => message !== error.detail);
  const named = [status, error?.code, error?.request_id && `request ${error.request_id}`].filter(Boolean).join(' · ');
  byId('error').replaceChildren(
    element('h3', {}, `Not read: ${error?.title ?? 'error'}`),
    element('p', {}, error?.detail ?? 'Nothing is known about this note.'),
    ...(more.length > 0 ? [element('ul', {}, more.map((message) => element('li', {}, message)))] : []),
    element('p', { class: 'small' }, named),
  );
}

// Shows the note of a place in a timeline.
function openNote(id, field, position) {
  const entry = entries.find((one) => one.id === id);
  if (!entry) return;
  for (const name of FILTERS) byId(name).value = '';
  chosen = entries;
  at = entry.index;
  show();
  if (!entry.failed) reading.chooseAt(field, position);
  byId('one').scrollIntoView({ block: 'start' });
  byId('note').focus({ preventScroll: true });
}

function step(by) {
  const next = at + by;
  if (next < 0 || next >= chosen.length) return;
  at = next;
  show();
}

// Takes the decisions of an earlier session.
async function openDecisions() {
  const [file] = byId('decisions-file').files;
  if (!file) return;
  const byName = new Map(entries.filter((entry) => !entry.failed).map((entry) => [entry.id, entry]));
  byId('opened').textContent = corrections.restore(await file.text(), (id) => {
    const entry = byName.get(id);
    if (!entry) return null;
    const { text, outcome } = JSON.parse(blocks[entry.index].textContent);
    return { key: entry.index, text, result: outcome.result };
  });
  byId('decisions-file').value = '';
  filter();
}

// Returns whether the arrow keys move a cursor or choose an option in this element.
function isTyping(target) {
  return target instanceof Element && target.closest('input, select, textarea') !== null;
}

function listFailed() {
  const failed = entries.filter((entry) => entry.failed);
  byId('count').textContent = `${counted(entries.length, 'note')}, ${failed.length.toLocaleString('en')} failed`;
  byId('failed').hidden = failed.length === 0;
  if (failed.length === 0) return;
  const shown = failed.slice(0, FAILED_SHOWN).map((entry) => {
    const open = element('button', { type: 'button', class: 'link' }, entry.id);
    open.addEventListener('click', () => {
      for (const name of FILTERS) byId(name).value = '';
      chosen = entries;
      at = entry.index;
      show();
    });
    return element('li', {}, open, ` ${spoken(entry.code ?? 'failed')}`);
  });
  byId('failed-title').textContent = counted(failed.length, 'failed note');
  byId('failed-list').replaceChildren(...shown);
  byId('failed-more').hidden = failed.length <= FAILED_SHOWN;
  byId('failed-more').textContent = `The first ${FAILED_SHOWN}; the filter “Failed” goes through all of them.`;
}

function options(id, pairs) {
  byId(id).append(...pairs.map(([value, name]) => element('option', { value }, name)));
}

options('by-field', Object.entries(FIELDS));
options('by-basis', [...Object.entries(BASES).map(([basis, { name }]) => [basis, name]), ['left-out', 'Not in the record']]);
options('by-warning', [['any', 'Any warning'], ...Object.entries(WARNINGS), ['failed', 'Failed']]);
options('by-decision', [['none decided', 'Not done'], ['none', 'None yet'], ['decided', 'Some'], ['done', 'Done']]);
for (const id of FILTERS) byId(id).addEventListener('change', filter);
byId('open-decisions').addEventListener('click', () => byId('decisions-file').click());
byId('decisions-file').addEventListener('change', openDecisions);
byId('previous').addEventListener('click', () => step(-1));
byId('next').addEventListener('click', () => step(1));
document.addEventListener('keydown', (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || isTyping(event.target)) return;
  if (event.key === 'ArrowRight') step(1);
  else if (event.key === 'ArrowLeft') step(-1);
  else return;
  event.preventDefault();
  // A person who goes through the notes by keys can use the keys of the list at once.
  if (document.activeElement === document.body) corrections.focusList();
});
listFailed();
filter();
const timelines = [...document.querySelectorAll('script[data-patient]')];
new Timelines(timelines.map((block) => JSON.parse(block.textContent)), openNote).choose();
