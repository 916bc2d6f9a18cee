// Calls the service. A call ends with a whole result or with a Refusal. Nothing is stored.

import { events } from './sse.js';

const UNKNOWN = 'Nothing is known about the note.';
const UNREACHABLE = 'The service cannot be reached';
// Seconds that a person at the page may wait. A budget is free again next month.
const LONGEST_WAIT = 3_600;
const CHECK_CONNECTION = 'Check the connection and that the service is running, then try again.';

// The reason why there is no result, as text for the user.
export class Refusal extends Error {
  constructor({ title, detail, code = null, requestId = null, retryAfter = null, messages = [] }) {
    super(title);
    Object.assign(this, { title, detail, code, requestId, retryAfter, messages });
  }

  static of(problem, headers) {
    const seconds = Number(problem.retry_after ?? headers?.get('retry-after') ?? NaN);
    return new Refusal({
      title: problem.title ?? 'The note was not read',
      detail: problem.detail ?? UNKNOWN,
      code: problem.code,
      requestId: problem.request_id ?? headers?.get('x-request-id'),
      retryAfter: seconds > 0 && seconds <= LONGEST_WAIT ? Math.ceil(seconds) : null,
      messages: (problem.errors ?? []).map((error) => error.message),
    });
  }
}

// Reads one note and returns its result. Until then `onField(name, value)` reports a provisional value, and `onReset()`
// that all provisional values are void.
export async function extract(text, { key, signal, onField, onReset }) {
  const headers = { 'Content-Type': 'application/json', Accept: 'text/event-stream' };
  if (key) headers['X-API-Key'] = key;
  const request = { method: 'POST', headers, body: JSON.stringify({ text }), signal, cache: 'no-store', redirect: 'error' };
  let response;
  try {
    response = await fetch(serviceUrl('api/v1/extract/stream'), request);
  } catch (error) {
    throw failure(error, UNREACHABLE, CHECK_CONNECTION);
  }
  if (!response.ok || !/^text\/event-stream\b/.test(response.headers.get('content-type') ?? '')) {
    throw await refusalOf(response);
  }
  try {
    for await (const { event, data } of events(response.body)) {
      if (event === 'result') return JSON.parse(data);
      if (event === 'error') throw Refusal.of(JSON.parse(data), response.headers);
      if (event === 'reset') onReset();
      if (event === 'field') {
        const { name, value } = JSON.parse(data);
        onField(name, value);
      }
    }
  } catch (error) {
    throw failure(error, 'The answer broke off', `${UNKNOWN} Try again.`, response.headers);
  }
  throw failure(null, 'The answer broke off', `${UNKNOWN} Try again.`, response.headers);
}

// Asks a question about a note and returns the answer, with offsets in UTF-16 units.
export async function ask(text, question, { key, signal }) {
  const headers = { 'Content-Type': 'application/json' };
  if (key) headers['X-API-Key'] = key;
  const body = JSON.stringify({ text, question, offsets: 'utf16' });
  let response;
  try {
    response = await fetch(serviceUrl('api/v1/ask'), { method: 'POST', headers, body, signal, cache: 'no-store', redirect: 'error' });
  } catch (error) {
    throw failure(error, UNREACHABLE, CHECK_CONNECTION);
  }
  if (!response.ok) throw await refusalOf(response);
  try {
    return await response.json();
  } catch (error) {
    throw failure(error, 'The answer broke off', 'There is no answer. Try again.', response.headers);
  }
}

// Returns the transcript of a recording.
export function transcribe(file, options) {
  return textOf('api/v1/transcribe', file, options);
}

// Returns the text of a scan.
export function readScan(file, options) {
  return textOf('api/v1/scan', file, options);
}

// Returns the text that the service reads in a file. The bytes decide the kind of file; the type only states that it is
// not JSON.
async function textOf(path, file, { key, signal }) {
  const headers = { 'Content-Type': 'application/octet-stream' };
  if (key) headers['X-API-Key'] = key;
  const response = await send(path, file, { headers, signal });
  try {
    return await response.json();
  } catch (error) {
    throw failure(error, 'The answer broke off', 'There is no transcript. Try again.', response.headers);
  }
}

// Returns when the service has accepted this key, '' for none; throws a Refusal if it does not accept it.
export async function checkKey(key) {
  const headers = key ? { 'X-API-Key': key } : {};
  let response;
  try {
    response = await fetch(serviceUrl('api/v1/models'), { headers, cache: 'no-store', redirect: 'error' });
  } catch (error) {
    throw failure(error, UNREACHABLE, CHECK_CONNECTION);
  }
  if (!response.ok) throw await refusalOf(response);
  // A body that is not read keeps its connection.
  await response.body?.cancel();
}

// Reads notes, { text, date } each, and calls `onOutcome(at, outcome)` for each as it is done: { status, result } or { status,
// error }. Throws a Refusal if the answer ends before all notes are done.
export async function extractLines(notes, { key, signal, onOutcome }) {
  const body = notes.map(({ text, date }) => `${JSON.stringify(date === null ? { text } : { text, note_date: date })}\n`).join('');
  const response = await postLines('api/v1/extract/lines', body, { key, signal });
  let left = notes.length;
  try {
    for await (const line of linesOf(response.body)) {
      const { index, ends, status, result, error } = JSON.parse(line);
      if (ends) throw Refusal.of(error ?? {}, response.headers);
      left -= 1;
      onOutcome(index, result ? { status, result } : { status, error });
    }
  } catch (error) {
    throw failure(error, 'The answer broke off', 'Nothing is known about the notes that are not read. Try again.', response.headers);
  }
  if (left > 0) throw failure(null, 'The answer broke off', 'Nothing is known about the notes that are not read. Try again.', response.headers);
}

// Returns the timeline of the patient whose notes these are, { id, text, date } each.
export async function patientOf(notes, { key, signal }) {
  const body = notes.map(({ id, text, date }) => `${JSON.stringify(date === null ? { id, text } : { id, text, note_date: date })}\n`).join('');
  const response = await postLines('api/v1/patient', body, { key, signal });
  try {
    return await response.json();
  } catch (error) {
    throw failure(error, 'The answer broke off', 'Try again.', response.headers);
  }
}

async function postLines(path, body, { key, signal }) {
  const headers = { 'Content-Type': 'application/x-ndjson' };
  if (key) headers['X-API-Key'] = key;
  return send(path, body, { headers, signal });
}

async function send(path, body, { headers, signal }) {
  let response;
  try {
    response = await fetch(serviceUrl(path), { method: 'POST', headers, body, signal, cache: 'no-store', redirect: 'error' });
  } catch (error) {
    throw failure(error, UNREACHABLE, CHECK_CONNECTION);
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

// Yields the lines of a body that are not empty.
async function* linesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + (value ?? '')).split('\n');
      rest = done ? '' : lines.pop();
      yield* lines.filter((line) => line.trim() !== '');
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

// Returns the service's health; null if it does not answer.
export async function health() {
  try {
    return await (await fetch(serviceUrl('health'), { cache: 'no-store' })).json();
  } catch {
    return null;
  }
}

// Paths are relative to the page, because a proxy may serve it below another path.
function serviceUrl(path) {
  return new URL(path, document.baseURI);
}

async function refusalOf(response) {
  const problem = await response.json().catch(() => null);
  if (problem?.detail) return Refusal.of(problem, response.headers);
  return Refusal.of({ title: 'An answer that is not from this service', detail: `Status ${response.status}. ${UNKNOWN}` }, response.headers);
}

// Returns the error to throw: a Refusal with this text, unless `error` already is one or comes from the user's
// cancelling.
function failure(error, title, detail, headers) {
  if (error instanceof Refusal || error?.name === 'AbortError') return error;
  return Refusal.of({ title, detail }, headers);
}
