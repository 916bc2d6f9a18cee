// Lets a person decide on the values of the shown note, with buttons and keys. The keys work only while the focus is in
// the list of values, and not while the person types. Decisions stay in memory until the person saves them as a file.

import { DecisionBook, noteOf } from './decision-book.js';
import { DecisionPanel, phraseOf, restoredText } from './decision-panel.js';
import { element, selectionIn } from './dom.js';
import { save } from './download.js';
import { commandOf } from './keys.js';
import { placeAt, placesOf } from './spans.js';
import { ValueForm } from './value-form.js';
import { ValueList } from './value-list.js';
import { DECISIONS, FIELDS, counted } from './words.js';

// What can be done to a value, each with its key.
const ACTIONS = [['accept', 'Accept', 'a'], ['reject', 'Reject', 'r'], ['change', 'Change', 'c']];

export class Corrections {
  #book = new DecisionBook();
  #reading;
  #note;
  #fields;
  #list;
  #panel;
  #fileName;
  #decisions = null;
  #form;
  #openedFrom = null;
  #toolbar = element('div', { class: 'decide buttons', role: 'group', 'aria-label': 'Decide on this value' });

  // Takes the `Reading` with its elements `note` and `fields`, whether the page has many notes, and a function that
  // returns the name of the file to save.
  constructor({ reading, note, fields, hasManyNotes, fileName }) {
    this.#reading = reading;
    this.#note = note;
    this.#fields = fields;
    this.#list = new ValueList(fields);
    this.#panel = new DecisionPanel(hasManyNotes);
    this.#fileName = fileName;
    this.#form = new ValueForm({
      find: (value) => placesOf(this.#decisions.text, value),
      onTyped: (places) => reading.showTyped(places),
      onSave: (value) => this.#saveValue(value),
      onCancel: () => this.#cancel(),
    });
    this.#makeToolbar();
    this.#listen();
  }

  // Whether the page shows many notes now.
  set hasManyNotes(hasManyNotes) {
    this.#panel.hasManyNotes = hasManyNotes;
  }

  get unsaved() {
    return this.#book.unsaved;
  }

  // Shows an answer with the decisions on it. `key` is the note's number on the page. If the focus was in the list of
  // values, it is in the list of this note afterwards, so that the keys continue to work.
  show(key, id, text, result) {
    const inList = this.#list.hasFocus;
    const saved = this.#settle();
    this.#decisions = this.#book.open(key, () => noteOf(id, text, result));
    this.#reading.show(text, result, this.#decisions.rows());
    this.#panel.show();
    this.#tell(saved === null ? '' : `In the note before: ${saved}`);
    this.#panel.refresh(this.#book, this.#decisions);
    if (inList) this.focusList();
  }

  focusList() {
    this.#list.focusFirst();
  }

  // Returns "done", "decided" or "none" for a note.
  stateOf(key) {
    return this.#book.stateOf(key);
  }

  // Returns what the fields with a decision contain in a note by its decisions.
  decidedOf(key) {
    return this.#book.decidedOf(key);
  }

  // Takes the decisions of a saved file. `find(id)` returns { key, text, result } for a note of the page, null if there is
  // none. Returns what was done as text.
  restore(file, find) {
    const lines = file.split('\n').filter((line) => line.trim() !== '');
    this.#settle();
    return restoredText(this.#book.restore(lines, (id) => {
      const note = find(id);
      return note && { key: note.key, make: () => noteOf(id, note.text, note.result) };
    }));
  }

  // Hides what belongs to a note. Its decisions are kept.
  leave() {
    this.#settle();
    this.#decisions = null;
    this.#panel.hide();
  }

  // Forgets the decisions on all notes.
  forget() {
    this.#form.close();
    this.#book.clear();
    this.leave();
  }

  #makeToolbar() {
    for (const [command, name, key] of ACTIONS) {
      const button = element('button', { type: 'button', 'aria-keyshortcuts': key }, name);
      button.addEventListener('click', () => this.#run(command));
      this.#toolbar.append(button);
    }
    this.#toolbar.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      // The list takes the toolbar away on Escape, and the focus would be lost with it.
      event.stopPropagation();
      this.#list.focusValue(this.#reading.chosen);
    });
    this.#reading.onChoose((row) => {
      if (row === null) this.#toolbar.remove();
      else if (this.#toolbar.parentElement !== row) row.append(this.#toolbar);
    });
  }

  #listen() {
    this.#fields.addEventListener('keydown', (event) => this.#pressed(event, commandOf(event)));
    // The words to add are selected in the note, so this key works there too.
    this.#note.addEventListener('keydown', (event) => commandOf(event) === 'add' && this.#pressed(event, 'add'));
    this.#panel.onCommand((command) => this.#run(command));
    // After the click that ends the selection, because the click may choose a value.
    document.addEventListener('pointerup', () => this.#form.isOpen && setTimeout(() => this.#takeSelection()));
    addEventListener('beforeunload', (event) => this.unsaved && event.preventDefault());
  }

  #pressed(event, command) {
    if (command === null || this.#decisions === null) return;
    event.preventDefault();
    this.#run(command);
  }

  #run(command) {
    if (command === 'next' || command === 'previous') return this.#list.move(command);
    if (command === 'add') return this.#openToAdd();
    const id = this.#currentId();
    this.#settle();
    if (command === 'save') return this.save();
    if (command === 'undo' || command === 'redo') return this.#repeat(command);
    if (command === 'done') return this.#enact(this.#decisions.toggleDone());
    if (id === null) return this.#tell('Choose a value first.');
    if (command === 'change') return this.#openToChange(id);
    return this.#enact(this.#decisions[command](id), `Already ${DECISIONS[command].name}.`);
  }

  // Shows what was done, which is null if nothing changed.
  #enact(done, nothing = '') {
    if (done === null) return this.#tell(nothing);
    this.#draw(done);
    const isUnfound = ['add', 'change'].includes(done.action) && this.#decisions.row(done.id).basis === 'unsupported';
    return this.#tell(`${phraseOf(done)}.${isUnfound ? ' Not found in the note: check it.' : ''}`);
  }

  #repeat(command) {
    const done = this.#decisions[command]();
    if (done === null) return this.#tell(`Nothing to ${command} in this note.`);
    this.#draw(done);
    return this.#tell(`${command === 'undo' ? 'Undone' : 'Done again'}: ${phraseOf(done)}.`);
  }

  #draw({ id, field }) {
    this.#book.changed();
    const inList = this.#list.hasFocus;
    this.#form.close();
    if (field !== null) this.#reading.update(this.#decisions.rows());
    if (field !== null && inList) this.#list.focusValue(id, field);
    this.#panel.refresh(this.#book, this.#decisions);
  }

  // Saves the decisions on all notes as a file. Returns what was done as text.
  save() {
    const lines = this.#book.lines();
    if (lines.length === 0) return this.#tell('There is no decision to save.');
    save(this.#fileName(), 'application/x-ndjson', `${lines.join('\n')}\n`);
    this.#book.saved();
    if (this.#decisions !== null) this.#panel.refresh(this.#book, this.#decisions);
    return this.#tell(`Saved the decisions on ${counted(lines.length, 'note')} as ${this.#fileName()}.`);
  }

  // Closes the form before something else happens. What was typed is saved, because it would be lost otherwise. Returns
  // the message about that, null for none.
  #settle() {
    const isChanged = this.#form.isChanged;
    if (isChanged) this.#form.save();
    this.#form.close();
    return isChanged ? this.#panel.told : null;
  }

  #openToAdd() {
    // The form takes the selection away.
    const place = selectionIn(this.#note);
    const at = document.activeElement;
    const field = (at.closest('section.field') ?? this.#list.row(this.#reading.chosen)?.closest('section.field'))?.dataset.field;
    this.#settle();
    this.#openedFrom = at;
    const selected = place ? placeAt(this.#decisions.text, place.start, place.end) : null;
    const own = field ?? Object.keys(FIELDS)[0];
    this.#form.open(this.#list.section(own), { field: own, value: selected?.quote, place: selected });
  }

  #openToChange(id) {
    const { field, value } = this.#decisions.row(id);
    const row = this.#list.row(id);
    this.#openedFrom = row.querySelector('button.value');
    this.#form.open(row, { id, field, value });
  }

  #takeSelection() {
    const place = this.#form.isOpen ? selectionIn(this.#note) : null;
    if (place === null) return;
    const selected = placeAt(this.#decisions.text, place.start, place.end);
    this.#form.take(selected.quote, selected);
  }

  #saveValue({ id, field, value, place }) {
    const done = id === null ? this.#decisions.add(field, value, place) : this.#decisions.change(id, value, place);
    if (done === null) this.#cancel();
    this.#enact(done, id === null ? `${value} is in the record already (${FIELDS[field]}).` : 'Nothing changed.');
  }

  #cancel() {
    const section = this.#fields.querySelector('.value-form')?.closest('section');
    this.#form.close();
    if (this.#openedFrom.isConnected && this.#openedFrom !== document.body) this.#openedFrom.focus();
    else this.#list.focusValue(null, section.dataset.field);
  }

  // Returns the id of the value to decide on. A button that is clicked has no focus in some browsers: then it is that of
  // the chosen value.
  #currentId() {
    return this.#list.hasFocus ? this.#list.focusedId : this.#reading.chosen;
  }

  #tell(text) {
    this.#panel.tell(text);
    return text;
  }
}
