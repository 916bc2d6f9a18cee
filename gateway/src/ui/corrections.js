// Lets a person decide on the values of the shown note, with buttons and keys. The keys work only while the focus is in
// the list of values, and not while the person types. Decisions stay in memory until the person saves them as a file.

import { DecisionBook } from './decision-book.js';
import { byId, element, selectionIn } from './dom.js';
import { save } from './download.js';
import { commandOf } from './keys.js';
import { placeAt, placesOf, valuesOf } from './spans.js';
import { ValueForm } from './value-form.js';
import { DECISIONS, FIELDS, counted } from './words.js';

// What can be done to a value, each with its key.
const ACTIONS = [['accept', 'Accept', 'a'], ['reject', 'Reject', 'r'], ['change', 'Change', 'c']];

export class Corrections {
  #book = new DecisionBook();
  #reading;
  #note;
  #fields;
  #hasManyNotes;
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
    this.#hasManyNotes = hasManyNotes;
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

  get unsaved() {
    return this.#book.unsaved;
  }

  // Shows an answer with the decisions on it. `key` is the note's number on the page. If the focus was in the list of
  // values, it is in the list of this note afterwards, so that the keys go on working.
  show(key, id, text, result) {
    const inList = this.#hasFocus();
    const saved = this.#settle();
    this.#decisions = this.#book.open(key, () => noteOf(id, text, result));
    this.#reading.show(text, result, this.#decisions.rows());
    byId('decisions').hidden = false;
    this.#tell(saved === null ? '' : `In the note before: ${saved}`);
    this.#refresh();
    if (inList) this.focusList();
  }

  focusList() {
    this.#stops()[0]?.focus();
  }

  // Returns "done", "decided" or "none" for a note.
  stateOf(key) {
    return this.#book.stateOf(key);
  }

  // Takes the decisions of a saved file. `find(id)` returns { key, text, result } for a note of the page, null if there is
  // none. Returns what was done as text.
  restore(file, find) {
    const lines = file.split('\n').filter((line) => line.trim() !== '');
    this.#settle();
    const { taken, kept, foreign, unfit } = this.#book.restore(lines, (id) => {
      const note = find(id);
      return note && { key: note.key, make: () => noteOf(id, note.text, note.result) };
    });
    const told = [`Opened the decisions on ${counted(taken, 'note')}.`];
    if (kept > 0) told.push(`${counted(kept, 'note')} ${kept === 1 ? 'keeps its' : 'keep their'} decisions of now.`);
    if (foreign > 0) told.push(`${counted(foreign, 'line')} of the file ${foreign === 1 ? 'is' : 'are'} of no note here with the same text.`);
    if (unfit > 0) told.push(`${counted(unfit, 'decision')} ${unfit === 1 ? 'does' : 'do'} not fit the values here.`);
    return told.join(' ');
  }

  // Hides what belongs to a note. Its decisions are kept.
  leave() {
    this.#settle();
    this.#decisions = null;
    byId('decisions').hidden = true;
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
      this.#focusRow(this.#reading.chosen);
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
    for (const [id, command] of [['done', 'done'], ['add', 'add'], ['undo', 'undo'], ['redo', 'redo'], ['save-decisions', 'save']]) {
      byId(id).addEventListener('click', () => this.#run(command));
    }
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
    if (command === 'next' || command === 'previous') return this.#move(command);
    if (command === 'add') return this.#openToAdd();
    const id = this.#currentId();
    this.#settle();
    if (command === 'save') return this.#save();
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
    return this.#tell(`${phrase(done)}.${isUnfound ? ' Not found in the note: check it.' : ''}`);
  }

  #repeat(command) {
    const done = this.#decisions[command]();
    if (done === null) return this.#tell(`Nothing to ${command} in this note.`);
    this.#draw(done);
    return this.#tell(`${command === 'undo' ? 'Undone' : 'Done again'}: ${phrase(done)}.`);
  }

  #draw({ id, field }) {
    this.#book.changed();
    const inList = this.#hasFocus();
    this.#form.close();
    if (field !== null) this.#reading.update(this.#decisions.rows());
    if (field !== null && inList) this.#focusRow(id, field);
    this.#refresh();
  }

  #refresh() {
    const { decided, done } = this.#book.counts();
    byId('done').setAttribute('aria-pressed', String(this.#decisions.done));
    const saved = this.unsaved ? ' Not saved yet.' : decided > 0 ? ' Saved.' : '';
    const count = this.#hasManyNotes
      ? `${counted(decided, 'note')} decided, ${done.toLocaleString('en')} of them done.`
      : `${counted(this.#decisions.count, 'decision')}${this.#decisions.done ? ', note done' : ''}.`;
    const fields = this.#decisions.scored().map((field) => FIELDS[field]);
    const scored = this.#decisions.done ? 'all seven fields' : fields.join(', ') || 'no field';
    byId('decision-count').textContent = `${count}${saved} Scored in this note: ${scored}.`;
  }

  #save() {
    const lines = this.#book.lines();
    if (lines.length === 0) return this.#tell('There is no decision to save.');
    save(this.#fileName(), 'application/x-ndjson', `${lines.join('\n')}\n`);
    this.#book.saved();
    this.#refresh();
    return this.#tell(`Saved the decisions on ${counted(lines.length, 'note')} as ${this.#fileName()}.`);
  }

  // Closes the form before something else happens. What was typed is saved, because it would be lost otherwise. Returns
  // what was told of that, null for nothing.
  #settle() {
    const isChanged = this.#form.isChanged;
    if (isChanged) this.#form.save();
    this.#form.close();
    return isChanged ? byId('decision-status').textContent : null;
  }

  #openToAdd() {
    // The form takes the selection away.
    const place = selectionIn(this.#note);
    const at = document.activeElement;
    const field = (at.closest('section.field') ?? this.#reading.row(this.#reading.chosen)?.closest('section.field'))?.dataset.field;
    this.#settle();
    this.#openedFrom = at;
    const selected = place ? placeAt(this.#decisions.text, place.start, place.end) : null;
    const own = field ?? Object.keys(FIELDS)[0];
    this.#form.open(this.#section(own), { field: own, value: selected?.quote, place: selected });
  }

  #openToChange(id) {
    const { field, value } = this.#decisions.row(id);
    const row = this.#reading.row(id);
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
    else this.#focusRow(null, section.dataset.field);
  }

  // Returns the id of the value that has the focus. A button that is clicked has no focus in some browsers: then it is
  // that of the chosen value.
  #currentId() {
    if (!this.#hasFocus()) return this.#reading.chosen;
    const value = document.activeElement.closest('li')?.querySelector('button.value');
    return value ? Number(value.dataset.value) : null;
  }

  // Returns where the keys for next and previous go to: the values, and the names of the fields that have none.
  #stops() {
    const all = [...this.#fields.querySelectorAll('button.value, button.field-name')];
    return all.filter((stop) => stop.matches('.value') || !stop.closest('section').querySelector('button.value'));
  }

  #move(command) {
    const at = document.activeElement;
    const is = (where) => (stop) => (at.compareDocumentPosition(stop) & where) !== 0;
    const stops = this.#stops();
    const next = command === 'next' ? stops.find(is(Node.DOCUMENT_POSITION_FOLLOWING)) : stops.findLast(is(Node.DOCUMENT_POSITION_PRECEDING));
    next?.focus();
  }

  // Puts the focus on a value; if it is gone, on the first of its field.
  #focusRow(id, field) {
    const row = this.#reading.row(id);
    (row ?? this.#section(field)).querySelector('button.value, button.field-name').focus();
  }

  #section(field) {
    return this.#fields.querySelector(`section[data-field="${field}"]`);
  }

  #hasFocus() {
    return this.#fields.contains(document.activeElement);
  }

  #tell(text) {
    byId('decision-status').textContent = text;
  }
}

// Returns a note as a `DecisionBook` takes it.
function noteOf(id, text, result) {
  const record = Object.fromEntries(Object.keys(FIELDS).map((field) => [field, result[field] ?? null]));
  return { id, text, record, values: valuesOf(text, result.evidence, record) };
}

// Returns what was done as words, such as "Accepted liver (Metastasis site)".
function phrase({ action, field, value, from }) {
  if (action === 'done') return 'Note done';
  if (action === 'reopen') return 'Note no longer done';
  const name = action === 'remove' ? 'removed' : DECISIONS[action].name;
  const text = action === 'change' ? `${from} to ${value}` : value;
  return `${name[0].toUpperCase()}${name.slice(1)} ${text} (${FIELDS[field]})`;
}
