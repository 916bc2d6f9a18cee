// The decisions on all notes of a page, and whether they are saved. It keeps them in memory only.

import { Decisions } from './decisions.js';

export class DecisionBook {
  #notes = new Map();
  #unsaved = false;

  get unsaved() {
    return this.#unsaved;
  }

  // Returns the decisions on the note with this key. `make` returns the note's id, text, record and values, and is
  // called if the book does not have the note yet.
  open(key, make) {
    // Notes that were only looked at cost no memory.
    for (const [other, { decisions }] of this.#notes) if (decisions.untouched && other !== key) this.#notes.delete(other);
    if (!this.#notes.has(key)) {
      const { id, text, record, values } = make();
      this.#notes.set(key, { id, decisions: new Decisions(text, record, values) });
    }
    return this.#notes.get(key).decisions;
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
    return [...this.#notes].filter(([, { decisions }]) => decisions.done || decisions.count > 0);
  }
}
