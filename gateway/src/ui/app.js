// The page /ui: accepts a note and shows its result. It is in one of three states: the user is `editing` a note, the
// service is `reading` it, or it is `read`. So a result is never shown beside another note's text. The page stores
// nothing.

import { Refusal, extract, health } from './calls.js';
import { Corrections } from './corrections.js';
import { byId, element } from './dom.js';
import { asCsv, asJson, save } from './download.js';
import { EXAMPLES } from './examples.js';
import { provenance } from './fields.js';
import { noteIn } from './files.js';
import { showModes } from './modes.js';
import { hideProblem, showProblem } from './problem.js';
import { Reading } from './reading.js';
import { codePoints } from './spans.js';
import { FIELDS, counted } from './words.js';

const service = document.documentElement.dataset;
const limit = Number(service.maxNoteChars);
const parts = { note: byId('note'), fields: byId('fields') };
const reading = new Reading({ ...parts, warnings: byId('warnings') });
const corrections = new Corrections({ ...parts, reading, hasManyNotes: false, fileName: () => `decisions-${result.request_id}.jsonl` });
let running = null;
let result = null;

function enter(state) {
  byId('form').hidden = state !== 'editing';
  byId('reading').hidden = state === 'editing';
  byId('intro').hidden = state !== 'editing';
  byId('progress').hidden = state === 'editing';
  byId('cancel').hidden = state !== 'reading';
  byId('after').hidden = state !== 'read';
  for (const id of ['edit', 'renew']) byId(id).hidden = state !== 'read';
}

// Removes everything that is shown about the last note.
function reset() {
  running?.abort();
  running = null;
  result = null;
  corrections.forget();
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

// Checks the key, because a key that a header cannot hold would look like a network failure.
function readKey() {
  const key = byId('key').value.trim();
  if (/^[\x21-\x7e]*$/.test(key)) return key;
  throw new Refusal({ title: 'Not a key', detail: 'The API key has a character that no key has. Copy it again.' });
}

async function submit() {
  // The shown text must be the sent one, and half a surrogate pair can be neither shown nor sent.
  const text = byId('text').value.toWellFormed();
  if (count()) return byId('text').focus();
  if (text.trim() === '') {
    showTextError('There is no note yet: paste one, open a file or take an example.');
    return byId('text').focus();
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

// Shows the elapsed time. Returns a function that stops the clock and returns the time as text.
function startClock() {
  const from = performance.now();
  const show = () => {
    const seconds = (performance.now() - from) / 1000;
    byId('elapsed').textContent = `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
    return byId('elapsed').textContent;
  };
  show();
  const timer = setInterval(show, 100);
  let elapsed = null;
  return () => {
    clearInterval(timer);
    elapsed ??= show();
    return elapsed;
  };
}

function showResult(text, answer, elapsed) {
  result = answer;
  enter('read');
  corrections.show(0, answer.request_id, text, answer);
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

function fail(error) {
  edit();
  const refusal = error instanceof Refusal
    ? error
    : new Refusal({ title: 'A fault of this page', detail: 'The answer could not be shown. Nothing is known about the note.' });
  if (refusal.code === 'unauthorized') {
    byId('access').hidden = false;
    byId('access').open = true;
    refusal.messages.push('On this page: enter the key in the field “API key”, under the note.');
  }
  byId('intro').hidden = true;
  showProblem(refusal, submit);
  showModes(service.engine, health());
}

function cancel() {
  edit();
  byId('status').textContent = 'Cancelled. Nothing is known about the note.';
  byId('text').focus();
}

// Asks before decisions are lost that are not saved. Returns whether the note may be left.
function mayLeave() {
  return !corrections.unsaved || confirm('The decisions on this note are not saved. Leave the note without them?');
}

async function openFiles(files) {
  if (files.length === 0 || !mayLeave()) return;
  const { text, problem } = await noteIn(files, limit);
  if (problem) {
    edit();
    showTextError(problem);
    byId('text').focus();
  } else {
    fill(text);
  }
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

function start() {
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
  const name = () => `extraction-${result.request_id}`;
  byId('save-json').addEventListener('click', () => save(`${name()}.json`, 'application/json', asJson(result)));
  byId('save-csv').addEventListener('click', () => save(`${name()}.csv`, 'text/csv;charset=utf-8', asCsv(result)));
  // Without this, a file that is dropped beside the text box would replace the page.
  document.addEventListener('dragover', (event) => isFile(event) && event.preventDefault());
  document.addEventListener('drop', (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    openFiles(event.dataTransfer.files);
  });
  document.addEventListener('visibilitychange', () => document.hidden || showModes(service.engine, health()));
  byId('access').hidden = service.guarded !== 'yes';
  byId('access').open = true;
  enter('editing');
  count();
  showModes(service.engine, health());
}

function isFile(event) {
  return event.dataTransfer?.types.includes('Files');
}

start();
