// Shows a result: the note with its values marked, the seven fields and the warnings. It also keeps which field or
// value is chosen. The page and the review file share this code, which does not use the network.

import { element } from './dom.js';
import { noValue, readField, tumourList, waitingField, warningList } from './fields.js';
import { segments, unitsOf } from './spans.js';
import { FIELDS } from './words.js';

const UNREAD = 'unread';
// The place of a value that the person is typing.
const TYPED = 'typed';
// If several values have the same text, the first basis of this list gives the text its colour.
const COLOUR_ORDER = ['person', 'stated', 'normalized', 'inferred'];

export class Reading {
  #note;
  #fields;
  #warnings;
  #text = '';
  #result = null;
  // By id, in the order of the answer.
  #values = new Map();
  #typed = [];
  #field = null;
  #chosen = null;
  #onChoose = () => {};

  // Takes the elements to fill: `note` with the text, `fields` with the values, `warnings` with the warnings.
  constructor({ note, fields, warnings }) {
    this.#note = note;
    this.#fields = fields;
    this.#warnings = warnings;
    fields.addEventListener('focusin', ({ target }) => this.#follow(target));
    fields.addEventListener('click', ({ target }) => this.#clicked(target));
    fields.addEventListener('keydown', ({ key }) => key === 'Escape' && this.#choose(null));
    note.addEventListener('click', ({ target }) => this.#fromNote(target));
  }

  // Calls `listener` with the element of the chosen value, null for none, whenever that may have changed.
  onChoose(listener) {
    this.#onChoose = listener;
  }

  clear() {
    this.#values = new Map();
    this.#typed = [];
    this.#field = null;
    this.#chosen = null;
    for (const part of [this.#note, this.#fields, this.#warnings]) part.replaceChildren();
    this.#warnings.hidden = true;
  }

  // Shows the note alone, with all fields waiting.
  showWaiting(text) {
    this.clear();
    this.#note.replaceChildren(text);
    this.#fields.replaceChildren(...Object.keys(FIELDS).map(waitingField));
  }

  // Shows a value that may still change.
  showProvisional(field, value) {
    const section = this.#section(field);
    if (!section) return;
    const shown = value === null ? noValue() : element('p', { class: 'provisional' }, element('bdi', {}, value));
    section.replaceChildren(section.firstElementChild, shown);
  }

  // Shows only the text of a note that failed.
  showNote(text) {
    this.clear();
    this.#note.replaceChildren(text);
  }

  // Shows an answer with the rows of `Decisions`.
  show(text, result, values) {
    this.clear();
    this.#text = text;
    this.#result = result;
    this.#warnings.replaceChildren(...warningList(result.warnings ?? []));
    this.#warnings.hidden = this.#warnings.childElementCount === 0;
    this.update(values);
  }

  // Shows the values of the same answer after a decision. What is chosen stays chosen.
  update(values) {
    this.#values = new Map(values.map((value) => [value.id, value]));
    if (!this.#values.has(this.#chosen)) this.#chosen = null;
    this.#typed = [];
    this.#mark();
    const all = element('button', { type: 'button', class: 'all-fields', 'aria-pressed': 'true' }, 'All fields');
    const sections = Object.keys(FIELDS).map((field) => {
      return readField(field, this.#result, values.filter((value) => value.field === field));
    });
    const highlighting = element('p', { class: 'highlighting' }, 'Highlighted: ', all, ' A field’s name shows that field alone.');
    this.#fields.replaceChildren(...(values.length > 0 ? [highlighting] : []), ...tumourList(this.#result), ...sections);
    this.#paint();
  }

  // Marks places of a value that is not among the values yet.
  showTyped(places) {
    if (places.length === 0 && this.#typed.length === 0) return;
    this.#typed = places;
    this.#mark();
    this.#paint();
    this.#note.querySelector('mark[data-kind="person"][data-chosen]')?.scrollIntoView({ block: 'nearest' });
  }

  get chosen() {
    return this.#chosen;
  }

  // Highlights the values of one field only; those of all fields for null.
  choose(field) {
    this.#field = field;
    this.#choose(null);
  }

  // Highlights a field and, if one of its values stands at this position, chooses that value.
  chooseAt(field, position) {
    this.choose(field);
    const [id] = [...this.#values].find(([, value]) => value.field === field && value.places.some(({ from }) => from === position)) ?? [];
    if (id !== undefined) this.#choose(id);
  }

  #section(field) {
    return this.#fields.querySelector(`[data-field="${CSS.escape(field)}"]`);
  }

  #mark() {
    const units = unitsOf(this.#text);
    const unread = (this.#result.unread ?? []).map(({ start, end }) => ({ start: units(start), end: units(end) }));
    const beside = [{ id: UNREAD, places: unread }, { id: TYPED, places: this.#typed }];
    const pieces = segments(this.#text, [...this.#values.values(), ...beside]);
    this.#note.replaceChildren(
      ...pieces.map((piece) => {
        if (piece.values.length === 0) return piece.text;
        return element('mark', { 'data-values': piece.values.join(' ') }, piece.text);
      }),
    );
  }

  // Colours each mark by its values that are highlighted now.
  #paint() {
    for (const mark of this.#note.querySelectorAll('mark')) {
      const ids = mark.dataset.values.split(' ');
      const typed = ids.includes(TYPED);
      const shown = ids.map((id) => this.#values.get(Number(id))).filter((value) => value && this.#isShown(value));
      const kept = shown.filter((value) => value.kept);
      const basis = typed ? 'person' : COLOUR_ORDER.find((name) => kept.some((value) => (value.mark ?? value.basis) === name));
      mark.dataset.kind = basis ?? (shown.length > 0 ? 'left-out' : ids.includes(UNREAD) ? UNREAD : 'off');
      mark.toggleAttribute('data-several', shown.length > 1);
      // While the person types a value, its places alone are chosen.
      const chosen = this.#typed.length > 0 ? typed : this.#chosen !== null && ids.includes(String(this.#chosen));
      mark.toggleAttribute('data-chosen', chosen);
    }
    for (const button of this.#fields.querySelectorAll('button.value')) {
      const chosen = button.dataset.value === String(this.#chosen);
      button.setAttribute('aria-expanded', String(chosen));
      button.nextElementSibling.hidden = !chosen;
    }
    for (const button of this.#fields.querySelectorAll('button.field-name')) {
      button.setAttribute('aria-pressed', String(button.closest('section').dataset.field === this.#field));
    }
    this.#fields.querySelector('.all-fields')?.setAttribute('aria-pressed', String(this.#field === null));
    this.#onChoose(this.#fields.querySelector('button.value[aria-expanded="true"]')?.closest('li') ?? null);
  }

  #isShown(value) {
    return this.#field === null || value.field === this.#field;
  }

  #follow(target) {
    const button = target.closest('button.value');
    if (button) this.#choose(Number(button.dataset.value));
  }

  #clicked(target) {
    this.#follow(target);
    if (target.closest('.all-fields')) this.choose(null);
    const section = target.closest('button.field-name')?.closest('section');
    if (section && this.#values.size > 0) {
      this.choose(this.#field === section.dataset.field ? null : section.dataset.field);
    }
  }

  #choose(id) {
    this.#chosen = id;
    // If the value's field is not highlighted, all fields are, because the chosen value would be invisible.
    if (id !== null && !this.#isShown(this.#values.get(id))) this.#field = null;
    this.#paint();
    this.#note.querySelector('mark[data-chosen]')?.scrollIntoView({ block: 'nearest' });
  }

  // Chooses the value of a clicked mark. If the mark has several values, each click chooses the next one.
  #fromNote(target) {
    // The click that ends a selection chooses nothing: the person wants the selected words.
    if (!getSelection().isCollapsed) return;
    const mark = target.closest('mark');
    const ids = mark ? mark.dataset.values.split(' ').map(Number).filter((id) => this.#values.has(id)) : [];
    const shown = ids.filter((id) => this.#isShown(this.#values.get(id)));
    if (shown.length === 0) return;
    const next = shown[(shown.indexOf(this.#chosen) + 1) % shown.length];
    const button = this.#fields.querySelector(`button.value[data-value="${next}"]`);
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: 'nearest' });
    this.#choose(next);
  }
}
