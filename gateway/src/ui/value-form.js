// The form in which a person types a value: the new text of one, or a further value of a field. While the person types,
// it shows whether the words are in the note.

import { element } from './dom.js';
import { LONGEST_VALUE, asValue } from './decisions.js';
import { FIELDS, counted } from './words.js';

export class ValueForm {
  #find;
  #onTyped;
  #onSave;
  #id = null;
  #place = null;
  #before = '';
  #fields = element('select', { autocomplete: 'off' }, Object.entries(FIELDS).map(([value, name]) => element('option', { value }, name)));
  #fieldLabel = element('label', {}, 'Field ', this.#fields);
  #input = element('input', {
    type: 'text', autocomplete: 'off', spellcheck: 'false', dir: 'auto', translate: 'no', 'aria-describedby': 'value-hint',
  });
  #name = element('span', {});
  #hint = element('p', { id: 'value-hint', class: 'small', role: 'status' });
  #form = element('form', { class: 'value-form', novalidate: true, autocomplete: 'off' });

  // `find(text)` returns the places of a value in the note, `onTyped(places)` marks them, and `onSave({ id, field, value,
  // place })` saves the value; `id` is that of the value to change, null for a further one. `onCancel()` follows Escape.
  constructor({ find, onTyped, onSave, onCancel }) {
    this.#find = find;
    this.#onTyped = onTyped;
    this.#onSave = onSave;
    const cancel = element('button', { type: 'button' }, 'Cancel');
    const buttons = element('div', { class: 'buttons' }, element('button', { type: 'submit' }, 'Save value'), cancel);
    this.#form.append(this.#fieldLabel, element('label', {}, this.#name, this.#input), this.#hint, buttons);
    this.#input.addEventListener('input', () => {
      this.#place = null;
      this.#show();
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.save();
    });
    cancel.addEventListener('click', onCancel);
    this.#form.addEventListener('keydown', (event) => {
      // Keys that are typed are not commands of the list, and Escape closes only the form.
      event.stopPropagation();
      if (event.key === 'Escape') onCancel();
    });
  }

  get isOpen() {
    return this.#form.isConnected;
  }

  // Whether the person typed or selected something since the form was opened.
  get isChanged() {
    return this.isOpen && asValue(this.#input.value) !== this.#before && asValue(this.#input.value) !== '';
  }

  // Opens the form for the text of value `id` in its row, or for a further value of `field` in its section.
  open(host, { id = null, field, value = '', place = null }) {
    this.#id = id;
    this.#fields.value = field;
    this.#fieldLabel.hidden = id !== null;
    this.#name.textContent = id === null ? 'Value ' : 'Change to ';
    this.#before = asValue(value);
    host.append(this.#form);
    this.take(value, place);
    this.#input.select();
    this.#form.scrollIntoView({ block: 'nearest' });
  }

  // Takes the words that the person selected in the note.
  take(value, place) {
    this.#input.value = asValue(value);
    this.#place = place;
    this.#input.focus();
    this.#show();
  }

  // Saves the value. A form without a value stays open and shows the reason.
  save() {
    const value = asValue(this.#input.value);
    const tooLong = value.length > LONGEST_VALUE ? `A value has at most ${LONGEST_VALUE} characters.` : null;
    const problem = value === '' ? 'There is no value yet.' : tooLong;
    if (problem) {
      this.#hint.textContent = problem;
      this.#input.setAttribute('aria-invalid', 'true');
      this.#input.focus();
      return;
    }
    this.#onSave({ id: this.#id, field: this.#fields.value, value, place: this.#place });
  }

  close() {
    if (!this.isOpen) return;
    this.#form.remove();
    this.#input.removeAttribute('aria-invalid');
    this.#onTyped([]);
  }

  #places(value) {
    return this.#place ? [this.#place] : this.#find(value);
  }

  #show() {
    const value = asValue(this.#input.value);
    const places = this.#places(value);
    this.#input.removeAttribute('aria-invalid');
    if (value === '') this.#hint.textContent = 'Type the value, or select its words in the note.';
    else if (this.#place) this.#hint.textContent = 'Selected in the note.';
    else if (places.length > 0) this.#hint.textContent = `In the note in ${counted(places.length, 'place')}.`;
    else this.#hint.textContent = 'Not found in the note: it is saved with this remark.';
    this.#onTyped(places);
  }
}
