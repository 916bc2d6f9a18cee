// orval with fetch.
import { extractBatch, extractLines, extractNote, extractStream } from './orval/client.js';
import { BLANK, NOTE, equal, eventsOf, isWholeStream } from './checks.js';

const one = await extractNote({ text: NOTE, model: null, offsets: null, max_tokens: null });
if (one.status !== 200) throw new Error(`extract: ${one.status}`);
equal(one.data.stage, 'IV', 'extract');
const refused = await extractNote({ text: BLANK });
if (refused.status !== 422) throw new Error(`a blank note: ${refused.status}`);
equal(refused.data.code, 'invalid_request', 'a blank note');
const batch = await extractBatch({ notes: [{ id: 'a', text: NOTE }, { text: BLANK }] });
if (batch.status !== 200) throw new Error(`batch: ${batch.status}`);
equal(`${batch.data.summary.ok} ${batch.data.summary.failed}`, '1 1', 'batch');
const lines = await extractLines(`${JSON.stringify({ id: 'a', text: NOTE })}\n`);
if (lines.status !== 200) throw new Error(`lines: ${lines.status}`);
equal(JSON.parse(await new Response(lines.stream.body).text()).result.stage, 'IV', 'lines');
const stream = await extractStream({ text: NOTE });
if (stream.status !== 200 || typeof stream.data !== 'string') throw new Error('the stream is no text');
const events = eventsOf(stream.data).map((data) => JSON.parse(data));
isWholeStream(events.map((event) => event.type), events.at(-1).stage);
