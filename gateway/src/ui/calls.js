// Calls to the service. Ends in a result or in a Refusal, never in half an answer; keeps nothing.

import { events } from './sse.js';

const UNKNOWN = 'Nothing is known about the note.';

// Why there is no result, in words for a person.
export class Refusal extends Error {
  constructor({ title, detail, code = null, requestId = null, retryAfter = null, messages = [] }) {
    super(title);
    Object.assign(this, { title, detail, code, requestId, retryAfter, messages });
  }

  static of(problem, headers) {
    const said = Number(problem.retry_after ?? headers?.get('retry-after') ?? NaN);
    return new Refusal({
      title: problem.title ?? 'The note was not read',
      detail: problem.detail ?? UNKNOWN,
      code: problem.code,
      requestId: problem.request_id ?? headers?.get('x-request-id'),
      retryAfter: Number.isFinite(said) && said > 0 ? Math.ceil(said) : null,
      messages: (problem.errors ?? []).map((error) => error.message),
    });
  }
}

// Reads one note. `onField(name, value)` and `onReset()` tell what may still change.
export async function extract(text, { key, signal, onField, onReset }) {
  const headers = { 'Content-Type': 'application/json', Accept: 'text/event-stream' };
  if (key) headers['X-API-Key'] = key;
  const request = { method: 'POST', headers, body: JSON.stringify({ text }), signal, cache: 'no-store', redirect: 'error' };
  let response;
  try {
    response = await fetch(here('api/v1/extract/stream'), request);
  } catch (error) {
    throw broken(error, 'The service cannot be reached', 'Check the connection and that the service is running, then try again.');
  }
  if (!response.ok || !/^text\/event-stream\b/.test(response.headers.get('content-type') ?? '')) {
    throw await refused(response);
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
    throw broken(error, 'The answer broke off', `${UNKNOWN} Try again.`, response.headers);
  }
  throw broken(null, 'The answer broke off', `${UNKNOWN} Try again.`, response.headers);
}

// How the service is; null where it does not say.
export async function health() {
  try {
    return await (await fetch(here('health'), { cache: 'no-store' })).json();
  } catch {
    return null;
  }
}

// Relative to the page: a proxy may have put it below another path.
function here(path) {
  return new URL(path, document.baseURI);
}

async function refused(response) {
  const problem = await response.json().catch(() => null);
  if (problem?.detail) return Refusal.of(problem, response.headers);
  return Refusal.of({ title: 'An answer that is none of this service', detail: `Status ${response.status}. ${UNKNOWN}` }, response.headers);
}

function broken(error, title, detail, headers) {
  // A refusal is one already, and who cancelled knows why.
  if (error instanceof Refusal || error?.name === 'AbortError') return error;
  return Refusal.of({ title, detail }, headers);
}
