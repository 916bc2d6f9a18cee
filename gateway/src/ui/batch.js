// Reads many notes in parts, two parts at a time, so that progress is visible and a cancelled run ends soon. If the
// service has no room for a part, the part waits as long as the service requests.

import { Refusal, extractLines } from './calls.js';

const NOTES_OF_PART = 50;
const CHARACTERS_OF_PART = 400_000;
const PARTS_AT_ONCE = 2;
const TRIES = 5;
// Refusals of the whole run: the other parts would be refused as well.
const ENDS_ALL = ['unauthorized', 'insufficient_scope', 'not_found', 'host_not_allowed'];

// Reads the notes and calls `onOutcome(note, outcome)` for each as it is done, and `onWait(seconds)` before a pause, 0 after
// it. Throws the Refusal or the cancellation that ended the run; the notes without an outcome are not read then.
export async function readMany(notes, { readKey, signal, onOutcome, onWait }) {
  const parts = partsOf(notes);
  let failed = null;
  const work = async () => {
    while (parts.length > 0 && failed === null) await readPart(parts.shift());
  };
  const readPart = async (part) => {
    let left = part;
    for (let tries = 1; left.length > 0; tries += 1) {
      const sent = left;
      const done = new Set();
      try {
        await extractLines(sent, {
          key: readKey(),
          signal,
          onOutcome: (at, outcome) => {
            done.add(at);
            if (!signal.aborted) onOutcome(sent[at], outcome);
          },
        });
      } catch (error) {
        if (!(error instanceof Refusal) || error.code === null || ENDS_ALL.includes(error.code)) throw error;
        left = sent.filter((_, at) => !done.has(at));
        if (error.retryAfter === null || tries === TRIES) {
          for (const note of left) onOutcome(note, { status: null, error: asProblem(error) });
          return;
        }
        onWait(error.retryAfter);
        await pause(error.retryAfter, signal);
        onWait(0);
        continue;
      }
      left = [];
    }
  };
  const workers = Array.from({ length: PARTS_AT_ONCE }, () => work().catch((error) => {
    failed ??= error;
  }));
  await Promise.all(workers);
  if (failed !== null) throw failed;
}

function partsOf(notes) {
  const parts = [];
  let size = Infinity;
  for (const note of notes) {
    if (size + note.text.length > CHARACTERS_OF_PART || parts.at(-1).length >= NOTES_OF_PART) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1).push(note);
    size += note.text.length;
  }
  return parts;
}

// Returns a Refusal in the form of a note's own error.
export function asProblem({ title, detail, code, requestId, messages }) {
  return { title, detail, code, request_id: requestId, errors: messages.map((message) => ({ message })) };
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, seconds * 1000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      stop();
    }, { once: true });
  });
}
