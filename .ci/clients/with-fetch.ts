// openapi-typescript with openapi-fetch.
import createClient from 'openapi-fetch';
import type { components, paths } from './fetch/schema.js';
import { BLANK, NOTE, base, equal, eventsOf, isWholeStream } from './checks.js';

const client = createClient<paths>({ baseUrl: base() });

const one = await client.POST('/api/v1/extract', { body: { text: NOTE, model: null, offsets: null, confidence: null } });
equal(one.data?.stage, 'IV', 'extract');
const refused = await client.POST('/api/v1/extract', { body: { text: BLANK } });
equal(refused.error?.code, 'invalid_request', 'a blank note');
equal(refused.response.status, 422, 'a blank note');
const batch = await client.POST('/api/v1/extract/batch', { body: { notes: [{ id: 'a', text: NOTE }, { text: BLANK }] } });
equal(`${batch.data?.summary.ok} ${batch.data?.summary.failed}`, '1 1', 'batch');
equal(batch.data?.results[0]?.result?.stage, 'IV', 'batch');
const lines = await client.POST('/api/v1/extract/lines', {
  body: `${JSON.stringify({ id: 'a', text: NOTE })}\n`,
  headers: { 'Content-Type': 'application/x-ndjson' },
  params: { query: { offsets: 'utf16' } },
  bodySerializer: (body) => body,
  parseAs: 'text',
});
const outcome: components['schemas']['NoteOutcome'] = JSON.parse(lines.data ?? '');
equal(outcome.result?.stage, 'IV', 'lines');
const stream = await client.POST('/api/v1/extract/stream', { body: { text: NOTE }, parseAs: 'text' });
if (typeof stream.data !== 'string') throw new Error('the stream is no text');
const events = eventsOf(stream.data).map((data): components['schemas']['StreamEvent'] => JSON.parse(data));
const last = events.at(-1);
isWholeStream(events.map((event) => event.type), last?.type === 'result' ? last.stage : null);
