// @hey-api/openapi-ts with its fetch client.
import { client } from './hey-api/client.gen.js';
import { extractBatch, extractLines, extractNote, extractStream } from './hey-api/sdk.gen.js';
import type { NoteOutcome } from './hey-api/types.gen.js';
import { BLANK, NOTE, base, equal, isWholeStream } from './checks.js';

client.setConfig({ baseUrl: base() });

const one = await extractNote({ body: { text: NOTE, model: null, offsets: null, allow_partial: null } });
equal(one.data?.stage, 'IV', 'extract');
const refused = await extractNote({ body: { text: BLANK } });
equal(refused.error?.code, 'invalid_request', 'a blank note');
equal(refused.response?.status, 422, 'a blank note');
const batch = await extractBatch({ body: { notes: [{ id: 'a', text: NOTE }, { text: BLANK }] } });
equal(`${batch.data?.summary.ok} ${batch.data?.summary.failed}`, '1 1', 'batch');
const lines = await extractLines({ body: `${JSON.stringify({ id: 'a', text: NOTE })}\n`, parseAs: 'text' });
const outcome: NoteOutcome = JSON.parse(lines.data ?? '');
equal(outcome.result?.stage, 'IV', 'lines');
const { stream } = await extractStream({ body: { text: NOTE } });
const kinds: string[] = [];
let stage: string | null = null;
for await (const event of stream) {
  if (typeof event === 'string') throw new Error('an event is no object');
  kinds.push(event.type);
  if (event.type === 'field') equal(typeof event.name, 'string', 'the name of a field');
  if (event.type === 'result') stage = event.stage;
}
isWholeStream(kinds, stage);
