// Calls the service. A call ends with a whole result or with a Refusal. Nothing is stored.

import { events } from './sse.js';

const UNKNOWN = 'Nothing is known about the note.';

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
      retryAfter: Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds) : null,
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
    throw failure(error, 'The service cannot be reached', 'Check the connection and that the service is running, then try again.');
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
  return Refusal.of({ title: 'An answer that is none of this service', detail: `Status ${response.status}. ${UNKNOWN}` }, response.headers);
}

// Returns the error to throw: a Refusal with this text, unless `error` already is one or comes from the user's
// cancelling.
function failure(error, title, detail, headers) {
  if (error instanceof Refusal || error?.name === 'AbortError') return error;
  return Refusal.of({ title, detail }, headers);
}
