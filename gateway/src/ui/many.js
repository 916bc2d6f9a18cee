// Several notes: reads them with progress, keeps their outcomes in memory, and shows one at a time. The page calls it; it
// calls the page back to show a note.

import { readMany } from './batch.js';
import { Refusal } from './calls.js';
import { byId, element } from './dom.js';
import { resultsAsCsv, resultsAsLines, save } from './download.js';
import { NoteList } from './note-list.js';
import { counted } from './words.js';

export class ManyNotes {
  #notes = [];
  #list;
  #corrections;
  #page;
  #running = null;
  #open = null;

  // `page` has `enter(state)`, `showNote(note, outcome)`, `readKey()` and `askForKey(reason)`.
  constructor({ corrections, page }) {
    this.#corrections = corrections;
    this.#page = page;
    this.#list = new NoteList({ open: (index) => this.open(index), stateOf: (index) => corrections.stateOf(index) });
    this.#listen();
  }

  get isEmpty() {
    return this.#notes.length === 0;
  }

  get notes() {
    return this.#notes;
  }

  // The number of the note that is shown, null for none.
  get opened() {
    return this.#open;
  }

  // Takes notes of `notesBy` and reads them.
  start(notes) {
    this.#notes = notes;
    this.#open = null;
    this.#list.fill(notes);
    this.#page.enter('many-list');
    byId('list-told').textContent = '';
    byId('list-title').focus();
    return this.#read(notes.filter(({ problem }) => problem === null));
  }

  // Stops and forgets everything.
  clear() {
    this.#running?.abort();
    this.#running = null;
    this.#notes = [];
    this.#open = null;
    this.#list.clear();
    byId('list-problem').hidden = true;
  }

  // Reads the notes again that could not be read.
  readAgain(notes) {
    for (const { index } of notes) this.#list.set(index, null);
    return this.#read(notes);
  }

  open(index) {
    const fromList = byId('many-list').contains(document.activeElement);
    this.#open = index;
    this.#page.enter('many-one');
    if (fromList) scrollTo(0, 0);
    const note = this.#notes[index];
    byId('note-id').textContent = note.id;
    this.#page.showNote(note, this.#list.row(index).outcome);
    this.#place();
    if (fromList) byId('result-title').focus({ preventScroll: true });
  }

  toList() {
    const from = this.#open;
    this.#open = null;
    this.#corrections.leave();
    this.#page.enter('many-list');
    this.#list.redrawAll();
    this.#list.focus(from);
  }

  step(by) {
    const { order } = this.#list;
    const next = order[order.indexOf(this.#open) + by];
    if (next !== undefined) this.open(next);
  }

  #place() {
    const { order } = this.#list;
    const at = order.indexOf(this.#open);
    byId('position').textContent = at < 0 ? '' : ` · ${(at + 1).toLocaleString('en')} of ${counted(order.length, 'note')}`;
    byId('previous').disabled = at <= 0;
    byId('next').disabled = at < 0 || at === order.length - 1;
  }

  async #read(notes) {
    const call = new AbortController();
    this.#running = call;
    byId('list-problem').hidden = true;
    let waits = 0;
    this.#tell();
    try {
      await readMany(notes, {
        readKey: this.#page.readKey,
        signal: call.signal,
        onOutcome: ({ index }, outcome) => {
          if (this.#running !== call) return;
          this.#list.set(index, outcome);
          this.#tell(waits);
          if (index === this.#open) this.open(index);
        },
        onWait: (seconds) => {
          waits = seconds;
          if (this.#running === call) this.#tell(waits);
        },
      });
    } catch (error) {
      if (this.#running === call && !call.signal.aborted) this.#fail(error);
    }
    if (this.#running !== call) return;
    call.abort();
    this.#running = null;
    this.#tell();
    this.#list.finish();
    if (this.#open !== null) this.#place();
  }

  #fail(error) {
    const { title, detail, code } = error instanceof Refusal ? error : { title: 'A fault of this page', detail: 'The notes without a result are not read.' };
    byId('list-problem').replaceChildren(element('h3', {}, title), element('p', {}, detail));
    byId('list-problem').hidden = false;
    if (code !== 'unauthorized') return byId('list-problem').focus();
    this.#page.askForKey('The service refused the key. Enter it again, then read the rest.');
    return byId('key').focus();
  }

  // Shows the progress of the reading.
  #tell(waits = 0) {
    const { all, read, failed, waiting, doubtful, again } = this.#list.counts();
    const running = this.#running !== null;
    byId('list-progress').hidden = !running;
    byId('list-bar').max = all;
    byId('list-bar').value = all - waiting;
    const pause = waits > 0 ? ` The service is busy: waiting ${waits} s.` : '';
    byId('list-phase').textContent = `${(all - waiting).toLocaleString('en')} of ${counted(all, 'note')}.${pause}`;
    byId('list-again').hidden = running || waiting + again === 0;
    byId('read-rest').hidden = waiting === 0;
    byId('read-rest').textContent = `Read the other ${counted(waiting, 'note')}`;
    byId('read-failed').hidden = again === 0;
    byId('read-failed').textContent = `Try ${counted(again, 'note')} again`;
    // A screen reader hears the result, and not each step.
    const parts = [[read, 'read'], [failed, 'not read'], [waiting, 'waiting']].filter(([count], at) => at === 0 || count > 0);
    const doubts = doubtful === 0 ? 'None' : counted(doubtful, 'note');
    const states = parts.map(([count, state]) => `${count.toLocaleString('en')} ${state}`).join(', ');
    const told = running ? 'Reading…' : `${counted(all, 'note')}: ${states}. ${doubts} with doubts.`;
    if (byId('list-count').textContent !== told) byId('list-count').textContent = told;
  }

  #listen() {
    byId('list-cancel').addEventListener('click', () => {
      this.#running?.abort();
      byId('list-title').focus();
    });
    const rows = (wanted) => this.#list.rows.filter(({ note, outcome }) => note.problem === null && wanted(outcome)).map(({ note }) => note);
    byId('read-rest').addEventListener('click', () => this.#read(rows((outcome) => outcome === null)));
    byId('read-failed').addEventListener('click', () => this.readAgain(rows((outcome) => Boolean(outcome?.error))));
    byId('to-list').addEventListener('click', () => this.toList());
    byId('previous').addEventListener('click', () => this.step(-1));
    byId('next').addEventListener('click', () => this.step(1));
    document.addEventListener('keydown', (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const isTyping = event.target instanceof Element && event.target.closest('input, select, textarea') !== null;
      if (!by || this.#open === null || isTyping || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.step(by);
    });
    const told = (text) => {
      byId('list-told').textContent = text;
    };
    const entries = () => this.#list.rows.map(({ note, outcome }) => ({
      note, outcome, decisions: this.#corrections.stateOf(note.index), decided: this.#corrections.decidedOf(note.index),
    }));
    byId('list-csv').addEventListener('click', () => {
      save('results.csv', 'text/csv;charset=utf-8', resultsAsCsv(entries()));
      told('Saved the results as results.csv.');
    });
    byId('list-lines').addEventListener('click', () => {
      save('results.jsonl', 'application/x-ndjson', resultsAsLines(entries()));
      told('Saved the results as results.jsonl.');
    });
    byId('list-decisions').addEventListener('click', () => told(this.#corrections.save()));
    byId('list-restore').addEventListener('click', () => byId('list-restore-file').click());
    byId('list-restore-file').addEventListener('change', async () => {
      const [file] = byId('list-restore-file').files;
      if (!file) return;
      const byName = new Map(this.#list.rows.filter(({ outcome }) => outcome?.result).map((row) => [row.note.id, row]));
      told(this.#corrections.restore(await file.text(), (id) => {
        const row = byName.get(id);
        return row ? { key: row.note.index, text: row.note.text, result: row.outcome.result } : null;
      }));
      byId('list-restore-file').value = '';
      this.#list.redrawAll();
    });
  }
}
