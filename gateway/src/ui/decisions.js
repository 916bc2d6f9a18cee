// The decisions of a person on the values of one note: accept, reject, change and add, with undo. It uses neither the
// document nor the network.

import { placeAt, placesOf, unitsOf } from './spans.js';
import { FIELDS } from './words.js';

// The gateway also searches a note for no longer value.
export const LONGEST_VALUE = 512;

// Returns a text as a value, which is on one line.
export function asValue(text) {
  return text.replace(/\s+/gu, ' ').trim();
}

// Findings that say the same about one value are decided together: a record has each value once. A value that the note
// denies in another place is decided alone, so that its rejection leaves the value in the record.
function keyOf({ field, value, inRecord }) {
  return JSON.stringify([field, value, inRecord]);
}

export class Decisions {
  #text;
  #record;
  #values;
  #nextId;
  // A state is never changed, so earlier states can be kept for undo.
  #state = { done: false, decided: new Map(), added: [] };
  #past = [];
  #future = [];

  // Takes the note, the record of its answer and the values of `valuesOf`.
  constructor(text, record, values) {
    this.#text = text;
    this.#record = record;
    this.#values = values;
    this.#nextId = values.length;
  }

  get text() {
    return this.#text;
  }

  get done() {
    return this.#state.done;
  }

  get count() {
    return this.#state.decided.size + this.#state.added.length;
  }

  // Whether there is neither a decision nor one that could be repeated.
  get untouched() {
    return this.#past.length + this.#future.length === 0;
  }

  // Returns the values with the decision on each: `value` is the text now, `from` the text before a change, and `kept`
  // says whether it is in the record now.
  rows() {
    const originals = this.#values.map((value) => {
      const decision = this.#state.decided.get(keyOf(value));
      if (decision === undefined) return { ...value, kept: value.inRecord, decision: null, from: null };
      const { action } = decision;
      if (action !== 'change') return { ...value, kept: action === 'accept', decision: action, from: null };
      const { places } = decision;
      const shown = places.length > 0 ? places : value.places;
      return { ...value, ...byPerson(places), value: decision.value, places: shown, kept: true, decision: action, from: value.value };
    });
    const added = this.#state.added.map(({ id, field, value, places }) => {
      return { id, field, value, inRecord: true, ...byPerson(places), places, kept: true, decision: 'add', from: null };
    });
    return [...originals, ...added];
  }

  row(id) {
    return this.rows().find((row) => row.id === id);
  }

  // Each of the following returns what was done, as { action, id, field, value, from }; null if nothing changes.

  accept(id) {
    const row = this.row(id);
    if (row.decision === 'add' || row.decision === 'accept') return null;
    return this.#decide(id, { action: 'accept' });
  }

  // Takes a value out. A value that the person added is forgotten.
  reject(id) {
    const row = this.row(id);
    if (row.decision === 'reject') return null;
    if (row.decision !== 'add') return this.#decide(id, { action: 'reject' });
    const added = this.#state.added.filter((one) => one.id !== id);
    return this.#enter({ ...this.#state, added }, { action: 'remove', id, field: row.field, value: row.value, from: null });
  }

  // Replaces the text of a value. `place` is where the person selected it; without it the note is searched.
  change(id, text, place = null) {
    const value = asValue(text);
    const row = this.row(id);
    if (!isValue(value) || value === row.value) return null;
    const places = this.#placesOf(value, place);
    if (row.decision === 'add') {
      const added = this.#state.added.map((one) => (one.id === id ? { ...one, value, places } : one));
      return this.#enter({ ...this.#state, added }, { action: 'change', id, field: row.field, value, from: row.value });
    }
    const original = this.#values.find((one) => one.id === id);
    if (value === original.value) return this.#decide(id, { action: 'accept' });
    return this.#decide(id, { action: 'change', value, places });
  }

  add(field, text, place = null) {
    const value = asValue(text);
    if (!isValue(value) || this.#keptRow(field, value)) return null;
    const id = this.#nextId;
    this.#nextId += 1;
    const added = [...this.#state.added, { id, field, value, places: this.#placesOf(value, place) }];
    return this.#enter({ ...this.#state, added }, { action: 'add', id, field, value, from: null });
  }

  // Marks the note as done, or as not done.
  toggleDone() {
    const done = !this.#state.done;
    return this.#enter({ ...this.#state, done }, { action: done ? 'done' : 'reopen', id: null, field: null, value: null, from: null });
  }

  undo() {
    return this.#step(this.#past, this.#future);
  }

  redo() {
    return this.#step(this.#future, this.#past);
  }

  // Returns the fields that are scored: all of a note that is done; in others those with a decision in which every value
  // of the record is decided.
  scored() {
    const rows = this.rows();
    return Object.keys(FIELDS).filter((field) => this.done || isDecided(rows.filter((row) => row.field === field)));
  }

  // Returns what the scored fields contain by these decisions. An undecided value stays where it is.
  expected() {
    const rows = this.rows();
    return Object.fromEntries(this.scored().map((field) => [field, this.#content(field, rows)]));
  }

  // Returns what each field with a decision contains by the decisions; undecided values of such a field stay.
  decided() {
    const rows = this.rows();
    const fields = Object.keys(FIELDS).filter((field) => rows.some((row) => row.field === field && row.decision !== null));
    return Object.fromEntries(fields.map((field) => [field, this.#content(field, rows)]));
  }

  #content(field, rows) {
    const own = rows.filter((row) => row.field === field);
    // The record may write two values as one, "A and B", so where nothing changed it is taken as it is.
    if (own.every((row) => row.kept === row.inRecord && (row.decision ?? 'accept') === 'accept')) return this.#record[field] ?? null;
    const kept = new Set(own.filter((row) => row.kept).map((row) => row.value));
    return kept.size > 0 ? [...kept].join('; ') : null;
  }

  // Returns each decision once, with the first place of its value in code points; null if its words are not in the note.
  list() {
    const seen = new Set();
    const decided = this.rows().filter((row) => {
      const key = row.decision === 'add' ? row.id : keyOf({ ...row, value: row.from ?? row.value });
      return row.decision !== null && !seen.has(key) && seen.add(key);
    });
    return decided.map(({ field, decision, value, from, inRecord, basis, places }) => {
      // Where a changed value is not in the note, the places are those of the value before.
      const place = basis === 'unsupported' ? undefined : places[0];
      const wasInRecord = inRecord && decision !== 'add';
      return { field, action: decision, value, from, in_record: wasInRecord, start: place?.from ?? null, end: place?.to ?? null };
    });
  }

  // Repeats saved decisions, which have the form of `list`. Returns how many do not fit the values of this answer.
  restore(saved, done) {
    const units = unitsOf(this.#text);
    const fits = saved.filter(({ field, action, value, from, in_record: inRecord, start, end }) => {
      if (!Object.hasOwn(FIELDS, field) || typeof value !== 'string') return false;
      const place = Number.isInteger(start) && Number.isInteger(end) ? placeAt(this.#text, units(start), units(end)) : null;
      // For a value that was found by its words only the first place is saved. It gets all its places again.
      const selected = placesOf(this.#text, value)[0]?.start === place?.start ? null : place;
      if (action === 'add') return this.add(field, value, selected) !== null;
      const original = this.#values.find((one) => one.field === field && one.inRecord === inRecord && one.value === (from ?? value));
      if (original === undefined || !['accept', 'reject', 'change'].includes(action)) return false;
      return this[action](original.id, value, selected) !== null;
    });
    if (done && !this.done) this.toggleDone();
    return saved.length - fits.length;
  }

  // Returns the line of the note for `gateway eval --gold`.
  goldLine(id) {
    return JSON.stringify({ id, text: this.#text, expected: this.expected(), done: this.done, decisions: this.list() });
  }

  #placesOf(value, place) {
    return place ? [place] : placesOf(this.#text, value);
  }

  #keptRow(field, value) {
    return this.rows().find((row) => row.field === field && row.kept && row.value.toLowerCase() === value.toLowerCase());
  }

  #decide(id, decision) {
    const original = this.#values.find((value) => value.id === id);
    const { field, value } = original;
    const changed = decision.action === 'change';
    const event = { action: decision.action, id, field, value: changed ? decision.value : value, from: changed ? value : null };
    const decided = new Map(this.#state.decided).set(keyOf(original), decision);
    return this.#enter({ ...this.#state, decided }, event);
  }

  #enter(state, event) {
    this.#past.push({ state: this.#state, event });
    this.#future = [];
    this.#state = state;
    return event;
  }

  #step(from, to) {
    const last = from.pop();
    if (last === undefined) return null;
    to.push({ state: this.#state, event: last.event });
    this.#state = last.state;
    return last.event;
  }
}

function isValue(value) {
  return value !== '' && value.length <= LONGEST_VALUE;
}

function isDecided(rows) {
  return rows.some((row) => row.decision !== null) && rows.every((row) => row.decision !== null || !row.inRecord);
}

// A value that a person wrote has the basis of no rule, and nothing assessed it.
function byPerson(places) {
  const basis = places.length > 0 ? 'person' : 'unsupported';
  return { basis, assertion: null, rule: null, confidence: null, tumour: null, codes: [], mark: 'person' };
}
