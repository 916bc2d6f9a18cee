// Shows what was found in a list of notes, and lets the person assign the columns, before anything is sent.

import { byId, element } from './dom.js';
import { likelyColumns, notesBy } from './notes-in.js';
import { counted } from './words.js';

const PREVIEWED = 3;
const BEGINNING = 160;
const CHOICES = [
  ['text', 'Text of the note', null],
  ['id', 'Id', 'none: named by their place'],
  ['date', 'Date of the note', 'none'],
  ['patient', 'Patient', 'none'],
];

export class FoundNotes {
  #found = null;
  #name = '';
  #notes = [];

  // `read(notes)` is called with the notes by the chosen columns.
  constructor(read) {
    byId('columns').addEventListener('change', () => this.#show());
    byId('columns-form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#readable > 0) read(this.#notes);
    });
  }

  // Shows the result of `notesIn`, found in a file or, without a name, in a pasted text.
  show(found, name) {
    this.#found = found;
    this.#name = name;
    const likely = likelyColumns(found);
    byId('columns').replaceChildren(...CHOICES.map(([key, label, none]) => {
      const options = found.columns.map((column) => element('option', { value: column, selected: column === likely[key] }, column));
      if (none !== null) options.unshift(element('option', { value: '' }, none));
      return element('label', {}, `${label} `, element('select', { id: `column-${key}`, autocomplete: 'off' }, options));
    }));
    this.#show();
    byId('many-found-title').focus();
  }

  clear() {
    this.#found = null;
    this.#notes = [];
    byId('columns').replaceChildren();
    byId('preview').replaceChildren();
  }

  get #readable() {
    return this.#notes.filter(({ problem }) => problem === null).length;
  }

  #show() {
    const chosen = Object.fromEntries(CHOICES.map(([key]) => [key, byId(`column-${key}`).value]));
    this.#notes = notesBy(this.#found, chosen);
    const where = this.#name ? ` in ${this.#name}` : '';
    byId('many-found-title').textContent = `${counted(this.#notes.length, 'note')}${where}`;
    const faults = this.#notes.filter(({ problem }) => problem !== null);
    const kinds = [...new Set(faults.map(({ problem }) => problem))].slice(0, PREVIEWED).join(' ');
    byId('columns-problem').textContent = faults.length > 0 ? `${counted(faults.length, 'note')} will not be read. ${kinds}` : '';
    byId('columns-problem').hidden = faults.length === 0;
    byId('read-all').textContent = `Read ${counted(this.#readable, 'note')}`;
    byId('read-all').disabled = this.#readable === 0;
    this.#preview(chosen);
  }

  #preview({ date, patient }) {
    const columns = [['Id', 'id'], ...(patient ? [['Patient', 'patient']] : []), ...(date ? [['Date', 'date']] : []), ['Note', 'text']];
    const first = this.#notes.slice(0, PREVIEWED);
    const shown = ({ text }) => (text.length > BEGINNING ? `${text.slice(0, BEGINNING).toWellFormed()} …` : text);
    const many = this.#notes.length > first.length ? `The first ${first.length} of ${counted(this.#notes.length, 'note')}.` : 'All of them.';
    byId('preview-caption').textContent = `${many} Check that each row is one note.`;
    byId('preview').replaceChildren(
      element('thead', {}, element('tr', {}, columns.map(([head]) => element('th', { scope: 'col' }, head)))),
      element('tbody', {}, first.map((note) => {
        return element('tr', {}, columns.map(([, key]) => element('td', { dir: 'auto' }, key === 'text' ? shown(note) : (note[key] ?? ''))));
      })),
    );
  }
}
