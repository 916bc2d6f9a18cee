// The page /ui: accepts a note and shows its result, or a list of notes with theirs. It is in one state at a time, so a
// result is never shown beside another note's text. The page stores nothing.

import { Questions } from './ask.js';
import { Refusal, extract, health } from './calls.js';
import { startClock } from './clock.js';
import { Corrections } from './corrections.js';
import { DICTATION } from './dictation.js';
import { byId, element } from './dom.js';
import { asCsv, asJson, save } from './download.js';
import { EXAMPLES } from './examples.js';
import { meanings, provenance } from './fields.js';
import { isList, noteIn, notesInFiles } from './files.js';
import { FoundNotes } from './found.js';
import { askForKey, readKey, startGate } from './gate.js';
import { ManyNotes } from './many.js';
import { looksLikeSeveral, notesIn } from './notes-in.js';
import { PatientView } from './patient.js';
import { showModes } from './modes.js';
import { hideProblem, showProblem } from './problem.js';
import { Reading } from './reading.js';
import { SCAN } from './scan.js';
import { codePoints } from './spans.js';
import { enter } from './states.js';
import { startTheme } from './theme.js';
import { Transcript } from './transcript.js';
import { FIELDS, counted } from './words.js';

const service = document.documentElement.dataset;
const limit = Number(service.maxNoteChars);
const parts = { note: byId('note'), fields: byId('fields') };
const reading = new Reading({ ...parts, warnings: byId('warnings') });
const corrections = new Corrections({
  ...parts, reading, hasManyNotes: false, fileName: () => (many.isEmpty ? `decisions-${result.request_id}.jsonl` : 'decisions.jsonl'),
});
const many = new ManyNotes({ corrections, page: { enter, showNote: showOneOfMany, readKey, askForKey } });
const transcripts = [DICTATION, SCAN].map((source) => new Transcript({ source, readKey, page: { fill, fail } }));
const found = new FoundNotes(startMany);
const patients = new PatientView({ many, reading, readKey, page: { open: (index) => many.open(index) } });
const questions = new Questions({ reading, readKey });
let running = null;
let result = null;
// The text that the user declared to be one note.
let oneNote = null;

// Removes all parts that are shown for the last note.
function reset() {
  running?.abort();
  running = null;
  result = null;
  corrections.forget();
  questions.clear();
  for (const transcript of transcripts) transcript.forget();
  reading.clear();
  hideProblem();
  byId('degraded').hidden = true;
  byId('provenance').textContent = '';
  byId('status').textContent = '';
  byId('phase').textContent = '';
  byId('elapsed').textContent = '';
}

function edit() {
  reset();
  enter('editing');
}

function count() {
  const { value } = byId('text');
  // A text of more than twice as many UTF-16 units is over the limit in any case, so it is not counted.
  const points = value.length > 2 * limit ? Infinity : codePoints(value);
  const over = points > limit;
  const shown = Number.isFinite(points) ? points.toLocaleString('en') : `more than ${limit.toLocaleString('en')}`;
  byId('count').textContent = `${shown} of ${limit.toLocaleString('en')} characters`;
  byId('count').classList.toggle('over', over);
  if (value.toWellFormed() !== oneNote) byId('several').hidden = true;
  showTextError(over ? `The note is longer than the ${counted(limit, 'character')} that this service takes. Shorten it.` : '');
  return over;
}

function showTextError(message) {
  if (byId('text-error').textContent !== message) byId('text-error').textContent = message;
  if (message === '') byId('text').removeAttribute('aria-invalid');
  else byId('text').setAttribute('aria-invalid', 'true');
}

function fill(text) {
  edit();
  byId('text').value = text;
  count();
  byId('text').focus();
  byId('text').setSelectionRange(0, 0);
  byId('text').scrollTop = 0;
}

async function submit() {
  // The shown text must be the sent one, and half a surrogate pair can be neither shown nor sent.
  const text = byId('text').value.toWellFormed();
  if (count()) return byId('text').focus();
  if (text.trim() === '') {
    showTextError('There is no note yet: paste one, open a file or take an example.');
    return byId('text').focus();
  }
  // Two patients must not become one record.
  if (text !== oneNote && looksLikeSeveral(text)) {
    byId('several').hidden = false;
    return byId('as-several').focus();
  }
  reset();
  enter('reading');
  reading.showWaiting(text);
  byId('cancel').focus({ preventScroll: true });
  const call = new AbortController();
  running = call;
  const stopClock = startClock();
  try {
    const answer = await extract(text, { key: readKey(), signal: call.signal, ...progress(call, text) });
    if (running === call) showResult(text, answer, stopClock());
  } catch (error) {
    if (running === call) fail(error);
  } finally {
    stopClock();
    if (running === call) running = null;
  }
  return undefined;
}

// Returns the callbacks that show the fields as they arrive. They ignore a call that has been cancelled.
function progress(call, text) {
  const seen = new Set();
  const showCount = () => {
    byId('phase').textContent = `Reading: ${seen.size} of ${Object.keys(FIELDS).length} fields, which may still change`;
  };
  showCount();
  byId('status').textContent = 'Reading the note.';
  return {
    onField: (name, value) => {
      if (running !== call) return;
      seen.add(name);
      reading.showProvisional(name, value);
      showCount();
    },
    onReset: () => {
      if (running !== call) return;
      seen.clear();
      reading.showWaiting(text);
      showCount();
      byId('phase').textContent = 'Reading once more: the first attempt was not usable';
    },
  };
}

function showResult(text, answer, elapsed) {
  result = answer;
  enter('read');
  corrections.show(0, answer.request_id, text, answer);
  questions.show(text);
  byId('degraded').hidden = !answer.degraded;
  byId('provenance').textContent = provenance(answer);
  const filled = Object.keys(FIELDS).filter((field) => answer[field] !== null).length;
  const summary = [`${filled} of ${Object.keys(FIELDS).length} fields have a value`];
  if (answer.warnings.length > 0) summary.push(counted(answer.warnings.length, 'warning'));
  byId('phase').textContent = `${summary.join(', ')}. Read in`;
  byId('status').textContent = `${answer.degraded ? 'Degraded. ' : ''}${summary.join(', ')}. Read in ${elapsed}.`;
  byId('result-title').focus({ preventScroll: true });
  byId('result-title').scrollIntoView({ block: 'nearest' });
}

function fail(error, retry = submit) {
  edit();
  const refusal = error instanceof Refusal
    ? error
    : new Refusal({ title: 'A fault of this page', detail: 'The answer could not be shown. Nothing is known about the note.' });
  if (refusal.code === 'unauthorized') {
    askForKey('The service refused this key, or none was sent.');
    refusal.messages.push('On this page: enter the key in the field “API key”, above the note.');
  }
  byId('intro').hidden = true;
  showProblem(refusal, retry);
  showModes(service.engine, health());
}

function cancel() {
  edit();
  byId('status').textContent = 'Cancelled. Nothing is known about the note.';
  byId('text').focus();
}

// Asks before something is lost. Returns whether the page may close the note, or the list of notes.
function mayLeave() {
  if (!many.isEmpty) {
    const decisions = corrections.unsaved ? 'The decisions on these notes are not saved. ' : '';
    return confirm(`${decisions}Leave these notes? What was read of them is gone then.`);
  }
  return !corrections.unsaved || confirm('The decisions on this note are not saved. Leave the note without them?');
}

// Takes one file as one note, and a list of notes or several files as several.
async function openFiles(files) {
  if (files.length === 0 || byId('work').hidden || !mayLeave()) return;
  if (files.length > 1 || isList(files[0]) || document.body.dataset.state.startsWith('many')) {
    await openMany(await notesInFiles(files), files.length === 1 ? files[0].name : '');
    return;
  }
  const { text, problem } = await noteIn(files[0], limit);
  if (problem) {
    leaveMany();
    edit();
    showTextError(problem);
    byId('text').focus();
  } else {
    leaveMany();
    fill(text);
  }
}

// Shows what was found in a list of notes, or why the text is not one.
async function openMany(list, name) {
  leaveMany();
  reset();
  if (list.problem) {
    enter('many-start');
    tellMany(list.problem);
    byId('many-text').focus();
    return;
  }
  tellMany('');
  enter('many-found');
  found.show(list, name);
}

function tellMany(problem) {
  byId('many-error').textContent = problem;
  if (problem === '') byId('many-text').removeAttribute('aria-invalid');
  else byId('many-text').setAttribute('aria-invalid', 'true');
}

function startMany(notes) {
  corrections.hasManyNotes = true;
  many.start(notes);
  patients.fill();
  // The list holds the notes now.
  byId('many-text').value = '';
}

// Forgets the list of notes.
function leaveMany() {
  many.clear();
  found.clear();
  patients.clear();
  corrections.forget();
  corrections.hasManyNotes = false;
}

// Shows one note of the list with its outcome.
function showOneOfMany(note, outcome) {
  hideProblem();
  result = outcome?.result ?? null;
  byId('after').hidden = result === null;
  byId('degraded').hidden = !result?.degraded;
  byId('provenance').textContent = result === null ? '' : provenance(result);
  if (result !== null) {
    corrections.show(note.index, note.id, note.text, result);
  } else {
    corrections.leave();
    reading.showNote(note.text);
    if (outcome?.error) showProblem(Refusal.of(outcome.error), note.problem ? null : () => many.readAgain([note]));
    else byId('fields').replaceChildren(element('p', { class: 'none' }, 'This note is not read yet.'));
  }
  byId('note').scrollTop = 0;
}

async function copy() {
  const text = asJson(result);
  try {
    await navigator.clipboard.writeText(text);
    byId('status').textContent = 'Copied.';
    byId('copy').textContent = 'Copied';
  } catch {
    // Browsers allow the clipboard only to pages from https or from this machine.
    byId('copy').textContent = 'Cannot copy here: download it';
    byId('status').textContent = byId('copy').textContent;
  }
  setTimeout(() => {
    byId('copy').textContent = 'Copy JSON';
  }, 3000);
}

function listenMany() {
  byId('kind-one').addEventListener('click', () => edit());
  byId('kind-many').addEventListener('click', () => {
    reset();
    enter('many-start');
  });
  byId('many-form').addEventListener('submit', (event) => {
    event.preventDefault();
    openMany(notesIn(byId('many-text').value), '');
  });
  byId('many-text').addEventListener('input', () => tellMany(''));
  byId('many-open').addEventListener('click', () => byId('many-file').click());
  byId('many-file').addEventListener('change', async () => {
    await openFiles(byId('many-file').files);
    byId('many-file').value = '';
  });
  byId('many-example').addEventListener('click', () => {
    byId('many-text').value = EXAMPLES.map(({ name, text }) => JSON.stringify({ id: name, text })).join('\n');
    tellMany('');
    byId('many-text').focus();
  });
  byId('many-back').addEventListener('click', () => {
    enter('many-start');
    byId('many-text').focus();
  });
  byId('list-new').addEventListener('click', () => {
    if (!mayLeave()) return;
    leaveMany();
    reset();
    enter('many-start');
    byId('many-text').focus();
  });
  byId('as-several').addEventListener('click', () => {
    byId('many-text').value = byId('text').value;
    openMany(notesIn(byId('text').value), '');
  });
  byId('as-one').addEventListener('click', () => {
    oneNote = byId('text').value.toWellFormed();
    byId('several').hidden = true;
    submit();
  });
}

function start() {
  startTheme();
  byId('meanings').append(...meanings());
  listenMany();
  byId('examples').append(
    ...EXAMPLES.map(({ name, text }) => {
      const button = element('button', { type: 'button' }, name);
      button.addEventListener('click', () => fill(text));
      return button;
    }),
  );
  byId('form').addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  byId('text').addEventListener('input', count);
  byId('text').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) byId('form').requestSubmit();
  });
  byId('empty').addEventListener('click', () => fill(''));
  byId('open').addEventListener('click', () => byId('file').click());
  byId('file').addEventListener('change', async () => {
    await openFiles(byId('file').files);
    byId('file').value = '';
  });
  byId('cancel').addEventListener('click', cancel);
  byId('edit').addEventListener('click', () => {
    if (!mayLeave()) return;
    edit();
    byId('text').focus();
  });
  byId('renew').addEventListener('click', () => mayLeave() && fill(''));
  byId('copy').addEventListener('click', copy);
  byId('print').addEventListener('click', () => print());
  const name = () => `extraction-${result.request_id}`;
  byId('save-json').addEventListener('click', () => save(`${name()}.json`, 'application/json', asJson(result)));
  byId('save-csv').addEventListener('click', () => save(`${name()}.csv`, 'text/csv;charset=utf-8', asCsv(result)));
  addEventListener('beforeunload', (event) => many.isEmpty || event.preventDefault());
  // Without this, a file that is dropped beside the text box would replace the page.
  document.addEventListener('dragover', (event) => isFile(event) && event.preventDefault());
  document.addEventListener('drop', (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    openFiles(event.dataTransfer.files);
  });
  document.addEventListener('visibilitychange', () => document.hidden || showModes(service.engine, health()));
  enter('editing');
  count();
  startGate(service.guarded === 'yes', () => {
    hideProblem();
    // Notes that are there stay there; otherwise the first thing to do is to paste one.
    if (document.body.dataset.state === 'editing') byId('text').focus();
  });
  showModes(service.engine, health());
}

function isFile(event) {
  return event.dataTransfer?.types.includes('Files');
}

start();
