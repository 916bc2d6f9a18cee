// The decisions on all notes of a page, and whether they are saved. It keeps them in memory only.

import { Decisions } from './decisions.js';
import { valuesOf } from './spans.js';
import { FIELDS } from './words.js';

export class DecisionBook {
  #notes = new Map();
  #unsaved = false;

  get unsaved() {
    return this.#unsaved;
  }

  // Returns the decisions on the note with this key. `make` returns the note's id, text, record and values, and is
  // called if the book does not have the note yet.
  open(key, make) {
    // Notes that were only viewed use no memory.
    for (const [other, { decisions }] of this.#notes) if (decisions.untouched && other !== key) this.#notes.delete(other);
    if (!this.#notes.has(key)) {
      const { id, text, record, values } = make();
      this.#notes.set(key, { id, decisions: new Decisions(text, record, values) });
    }
    return this.#notes.get(key).decisions;
  }

  // Opens saved lines. `find(id)` returns the key of a note and the function that makes it, null if there is none. Notes
  // that have decisions here keep them. Returns the number of notes whose decisions were taken, of notes that kept their own,
  // of lines that belong to no note with this text, and of decisions that do not fit the values of their note.
  restore(lines, find) {
    const counts = { taken: 0, kept: 0, foreign: 0, unfit: 0 };
    for (const line of lines) {
      const { id, text, done, decisions: saved } = objectOf(line);
      const note = find(id);
      const made = note?.make();
      if (!made || made.text !== text || !Array.isArray(saved)) {
        counts.foreign += 1;
        continue;
      }
      const known = this.#notes.get(note.key)?.decisions;
      if (known && !known.untouched) {
        counts.kept += 1;
        continue;
      }
      const decisions = new Decisions(made.text, made.record, made.values);
      counts.unfit += decisions.restore(saved.filter((one) => one instanceof Object), done === true);
      counts.taken += 1;
      this.#notes.set(note.key, { id: made.id, decisions });
    }
    return counts;
  }

  // Returns "done" or "decided" for a note; "none" without a decision.
  stateOf(key) {
    const decisions = this.#notes.get(key)?.decisions;
    if (decisions?.done) return 'done';
    return decisions?.count > 0 ? 'decided' : 'none';
  }

  // Returns what the fields with a decision contain in a note by its decisions.
  decidedOf(key) {
    return this.#notes.get(key)?.decisions.decided() ?? {};
  }

  changed() {
    this.#unsaved = true;
  }

  saved() {
    this.#unsaved = false;
  }

  // Forgets all notes.
  clear() {
    this.#notes.clear();
    this.#unsaved = false;
  }

  // Returns the numbers of notes with a decision and of notes that are done.
  counts() {
    const decided = this.#decided();
    return { decided: decided.length, done: decided.filter(([, { decisions }]) => decisions.done).length };
  }

  // Returns the lines to save, in the order of the keys.
  lines() {
    const ordered = this.#decided().sort(([one], [other]) => one - other);
    return ordered.map(([, { id, decisions }]) => decisions.goldLine(id));
  }

  #decided() {
    return [...this.#notes].filter(([key]) => this.stateOf(key) !== 'none');
  }
}

// Returns a note with its answer as a book takes it.
export function noteOf(id, text, result) {
  const record = Object.fromEntries(Object.keys(FIELDS).map((field) => [field, result[field] ?? null]));
  return { id, text, record, values: valuesOf(text, result.evidence, record) };
}

// Returns the object on a line; an empty one if there is none.
function objectOf(line) {
  try {
    return Object(JSON.parse(line));
  } catch {
    return {};
  }
}
