// The timeline of one patient of the list: the service reads the notes of that patient together.

import { Refusal, patientOf } from './calls.js';
import { byId, element } from './dom.js';
import { Timelines } from './timeline.js';
import { counted } from './words.js';

export class PatientView {
  #many;
  #reading;
  #readKey;
  #page;
  #names = [];
  #running = null;

  // `page` has `open(index)`, which shows a note of the list.
  constructor({ many, reading, readKey, page }) {
    this.#many = many;
    this.#reading = reading;
    this.#readKey = readKey;
    this.#page = page;
    byId('show-patient').addEventListener('click', () => this.#show());
    byId('patient').addEventListener('change', () => this.#empty());
  }

  // Offers the patients of the list, if a column names them.
  fill() {
    this.clear();
    const counts = new Map();
    for (const { patient, problem } of this.#many.notes) {
      if (patient !== null && problem === null) counts.set(patient, (counts.get(patient) ?? 0) + 1);
    }
    this.#names = [...counts.keys()];
    byId('patients').hidden = this.#names.length === 0;
    byId('patient').replaceChildren(...this.#names.map((name, index) => element('option', { value: index }, `${name} (${counted(counts.get(name), 'note')})`)));
  }

  clear() {
    this.#names = [];
    byId('patients').hidden = true;
    byId('patient').replaceChildren();
    this.#empty();
  }

  #empty() {
    this.#running?.abort();
    this.#running = null;
    byId('timeline').replaceChildren();
    byId('patient-told').textContent = '';
  }

  async #show() {
    this.#empty();
    const patient = this.#names[Number(byId('patient').value)];
    const notes = this.#many.notes.filter((note) => note.patient === patient && note.problem === null);
    const call = new AbortController();
    this.#running = call;
    byId('patient-told').textContent = `Reading ${counted(notes.length, 'note')} together…`;
    try {
      const answer = await patientOf(notes, { key: this.#readKey(), signal: call.signal });
      if (this.#running !== call) return;
      new Timelines([], (id, field, start) => this.#open(id, field, start)).show({ ...answer, patient: null });
      byId('patient-told').textContent = `What ${counted(notes.length, 'note')} of ${patient} say together. A note’s name opens it.`;
    } catch (error) {
      if (this.#running !== call) return;
      byId('patient-told').textContent = error instanceof Refusal ? `${error.title}. ${error.detail}` : 'The timeline could not be shown.';
    }
  }

  #open(id, field, start) {
    const note = this.#many.notes.find((one) => one.id === id);
    if (!note) return;
    this.#page.open(note.index);
    this.#reading.chooseAt(field, start);
    byId('note').focus();
  }
}
