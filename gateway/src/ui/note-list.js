// The list of many notes: their state, what was read, why to check one first. A row is made again only when it changes,
// and the browser draws only the rows that are seen (`content-visibility`).

import { doubtOf, isDoubtful } from './doubt.js';
import { byId, element } from './dom.js';
import { FIELDS, counted } from './words.js';

const STATES = {
  waiting: ['…', 'Waiting'], failed: ['✗', 'Not read'], read: ['✓', 'Read'],
};
const DECISIONS = { decided: '✎ Some decided', done: '✓✓ Done' };
const REASONS_SHOWN = 3;
const SORT_EVERY_MS = 1500;
const HAND_RESTS_MS = 1000;

export class NoteList {
  #rows = [];
  #shown = [];
  #open;
  #stateOf;
  #dirty = new Set();
  #drawing = 0;
  #sortedAt = 0;
  // Whether rows changed since they were put in order.
  #unsorted = false;
  #settling = 0;
  // When the pointer last moved on the list.
  #movedAt = -Infinity;

  // `open(index)` shows a note, and `stateOf(index)` returns "done", "decided" or "none".
  constructor({ open, stateOf }) {
    this.#open = open;
    this.#stateOf = stateOf;
    byId('list').addEventListener('click', ({ target }) => {
      const button = target.closest('button.row');
      if (button) this.#open(Number(button.dataset.index));
    });
    byId('list').addEventListener('keydown', (event) => this.#move(event));
    byId('list').addEventListener('pointermove', () => {
      this.#movedAt = performance.now();
    });
    // While the focus moves, no element has it.
    byId('list').addEventListener('focusout', () => setTimeout(() => this.settle()));
    for (const id of ['list-search', 'list-order', 'list-show']) byId(id).addEventListener('input', () => this.arrange());
  }

  // Shows other notes: { index, id, text, problem } each.
  fill(notes) {
    for (const id of ['list-search', 'list-show']) byId(id).value = '';
    byId('list-order').value = 'doubt';
    this.#rows = notes.map((note) => {
      const row = { note, outcome: null, doubt: null, values: '', item: element('li', {}) };
      if (note.problem) row.outcome = { status: null, error: { title: 'Not sent', detail: note.problem } };
      this.#judge(row);
      this.#make(row);
      return row;
    });
    this.arrange();
  }

  clear() {
    this.#rows = [];
    this.#shown = [];
    byId('list').replaceChildren();
  }

  get rows() {
    return this.#rows;
  }

  row(index) {
    return this.#rows[index];
  }

  // Takes the outcome of a note, null if it is read again.
  set(index, outcome) {
    const row = this.#rows[index];
    row.outcome = outcome;
    this.#judge(row);
    this.redraw(index);
  }

  // Makes the row of a note again, soon: many rows may change at once.
  redraw(index) {
    this.#dirty.add(index);
    if (this.#drawing === 0) this.#drawing = setTimeout(() => this.#draw(), 100);
  }

  redrawAll() {
    for (const { note } of this.#rows) this.#dirty.add(note.index);
    this.#draw();
    this.arrange();
  }

  // Makes the rows that changed and puts them in order, if that is possible now.
  finish() {
    this.#draw();
    this.settle();
  }

  counts() {
    const counts = { all: this.#rows.length, read: 0, failed: 0, waiting: 0, doubtful: 0, again: 0 };
    for (const { outcome, doubt, note } of this.#rows) {
      if (outcome === null) counts.waiting += 1;
      else if (outcome.error) counts.failed += 1;
      else counts.read += 1;
      if (outcome?.error && !note.problem) counts.again += 1;
      if (outcome?.result && isDoubtful(doubt)) counts.doubtful += 1;
    }
    return counts;
  }

  // Returns the numbers of the notes in the order that is shown.
  get order() {
    return this.#shown.map(({ note }) => note.index);
  }

  // Applies search, filter and order.
  arrange() {
    const words = folded(byId('list-search').value).split(/\s+/).filter((word) => word !== '');
    const show = byId('list-show').value;
    this.#shown = this.#rows.filter((row) => words.every((word) => row.values.includes(word)) && this.#passes(row, show));
    if (byId('list-order').value === 'doubt') {
      this.#shown.sort((one, other) => other.doubt.score - one.doubt.score || one.note.index - other.note.index);
    }
    this.#sortedAt = performance.now();
    this.#unsorted = false;
    byId('list').replaceChildren(...this.#shown.map(({ item }) => item));
    const all = this.#shown.length === this.#rows.length;
    const told = all ? '' : `${counted(this.#shown.length, 'note')} of ${this.#rows.length.toLocaleString('en')}`;
    if (byId('list-shown').textContent !== told) byId('list-shown').textContent = told;
  }

  // Puts rows that changed in order. Rows do not move while they have the focus or the pointer, so it waits until both
  // have left.
  settle() {
    clearTimeout(this.#settling);
    if (!this.#unsorted) return;
    const isUsed = byId('list').matches(':focus-within') || performance.now() - this.#movedAt < HAND_RESTS_MS;
    if (isUsed) this.#settling = setTimeout(() => this.settle(), HAND_RESTS_MS);
    else this.arrange();
  }

  focus(index) {
    (this.#rows[index]?.item.firstElementChild ?? byId('list-title')).focus();
  }

  #passes({ note, outcome, doubt }, show) {
    if (show === '') return true;
    if (show === 'failed') return Boolean(outcome?.error);
    if (show === 'doubtful') return Boolean(outcome?.result) && isDoubtful(doubt);
    if (!outcome?.result) return false;
    const state = this.#stateOf(note.index);
    return show === 'undone' ? state !== 'done' : show === 'decided' ? state !== 'none' : state === 'done';
  }

  #judge(row) {
    const { note, outcome } = row;
    row.doubt = doubtOf(outcome ?? {});
    const findings = Object.values(outcome?.result?.evidence ?? {}).flat().map(({ value }) => value);
    const record = Object.keys(FIELDS).map((field) => outcome?.result?.[field] ?? '');
    row.values = folded([note.id, note.patient ?? '', ...new Set([...record, ...findings])].join('\n'));
  }

  #draw() {
    clearTimeout(this.#drawing);
    this.#drawing = 0;
    for (const index of this.#dirty) if (this.#rows[index]) this.#make(this.#rows[index]);
    this.#dirty.clear();
    this.#unsorted = true;
    if (performance.now() - this.#sortedAt > SORT_EVERY_MS) this.settle();
  }

  #make({ note, outcome, doubt, item }) {
    const state = outcome === null ? 'waiting' : outcome.error ? 'failed' : 'read';
    const [sign, name] = STATES[state];
    const decided = DECISIONS[outcome?.result ? this.#stateOf(note.index) : 'none'];
    const record = Object.keys(FIELDS).map((field) => outcome?.result?.[field]).filter(Boolean);
    const values = record.length > 0 ? record.join(' · ') : outcome?.error ? outcome.error.detail : outcome?.result ? 'no value in any field' : '';
    const reasons = outcome?.result ? doubt.reasons : [];
    const more = reasons.length - REASONS_SHOWN;
    const hadFocus = item.contains(document.activeElement);
    item.replaceChildren(element('button', { type: 'button', class: 'row', 'data-index': note.index, 'data-state': state },
      element('span', { class: 'row-state' }, element('span', { 'aria-hidden': 'true' }, `${sign} `), name),
      element('span', { class: 'row-id' }, element('bdi', {}, note.id)),
      element('span', { class: record.length > 0 ? 'row-values' : 'row-values none', dir: 'auto' }, values),
      element('span', { class: 'row-doubts' },
        decided ? element('span', { class: 'badge', 'data-decided': true }, decided) : null,
        ...reasons.slice(0, REASONS_SHOWN).map((reason) => element('span', { class: isDoubtful(doubt) ? 'badge doubt' : 'badge' }, reason)),
        more > 0 ? element('span', { class: 'badge' }, `${more} more`) : null)));
    if (hadFocus) item.firstElementChild.focus();
  }

  // The arrow keys go from row to row.
  #move(event) {
    const item = event.target.closest('li');
    const to = {
      ArrowDown: item?.nextElementSibling, ArrowUp: item?.previousElementSibling, Home: byId('list').firstElementChild, End: byId('list').lastElementChild,
    }[event.key];
    if (!to || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    to.firstElementChild.focus();
  }
}

// Returns a text in which upper and lower case and accents are one.
export function folded(text) {
  return text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
}
