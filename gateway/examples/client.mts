// Reads notes through a running gateway with `fetch` alone, in Node 20 or newer.
//
//   node client.mts http://127.0.0.1:8080 notes.jsonl > results.jsonl
//
// That is for Node 22.18 or newer. For older ones make client.mjs of it first:
//
//   npm install --no-save typescript@5.9.3 @types/node@20
//   npx tsc --module nodenext --target es2022 --types node client.mts
//
// Each line of the input is `{"id", "text"}`, and may have a `note_date`. Each line of the output is `{"id", "index",
// "status"}` with `result` or `error`, in the order in which notes are completed. If the gateway asks for a key, put it
// into the environment variable API_KEY. The exit code is 3 if a note failed.

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

type Note = { id?: string | number; text: string; note_date?: string };
type Problem = { status: number; code: string; detail: string; retry_after?: number };
type Answer = { cancer_type: string | null; stage: string | null; [key: string]: unknown };
type Outcome = { id: string | number | null; index: number; status: number; result?: Answer; error?: Problem; ends?: true };

const NOTES_AT_ONCE = 500;
const TRIES = 6;

/** Sends a request. Tries again after 429, 503 and a lost connection; throws on other errors. */
async function post(url: string, type: string, body: string): Promise<Response> {
  const headers: Record<string, string> = { 'Content-Type': type };
  if (process.env.API_KEY) headers.Authorization = `Bearer ${process.env.API_KEY}`;
  for (let tried = 1; ; tried += 1) {
    let pause = 2 ** tried;
    try {
      const response = await fetch(url, { method: 'POST', headers, body });
      if (response.ok) return response;
      const problem = (await response.json()) as Problem;
      const passes = response.status === 429 || response.status === 503;
      if (!passes || tried === TRIES) throw new Error(`${problem.code}: ${problem.detail}`);
      pause = Number(response.headers.get('Retry-After') ?? pause);
    } catch (error) {
      // fetch throws a TypeError if there is no answer.
      if (!(error instanceof TypeError) || tried === TRIES) throw error;
    }
    await sleep(pause * 1000);
  }
}

/** Returns the answer for one note: the seven fields, `evidence`, `warnings` and more. */
async function extractOne(gateway: string, text: string): Promise<Answer> {
  const response = await post(`${gateway}/api/v1/extract`, 'application/json', JSON.stringify({ text }));
  return (await response.json()) as Answer;
}

/** Yields the lines of an answer as they arrive, and ends without an error if the connection is lost. */
async function* linesOf(response: Response): AsyncGenerator<Outcome> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response.body!) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop()!;
      for (const line of lines) yield JSON.parse(line) as Outcome;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

/** Yields one outcome for each note of a window. Sends again what could not be read in time, and what has no answer. */
async function* extractWindow(gateway: string, notes: Map<number, Note>): AsyncGenerator<Outcome> {
  for (let tried = 1; ; tried += 1) {
    const indices = [...notes.keys()];
    const body = [...notes.values()].map((note) => `${JSON.stringify(note)}\n`).join('');
    let pause = 0;
    for await (const outcome of linesOf(await post(`${gateway}/api/v1/extract/batch`, 'application/x-ndjson', body))) {
      const index = indices[outcome.index];
      // The line that says that the gateway read no further answers no note.
      if (outcome.ends || index === undefined) continue;
      const retryAfter = outcome.error?.retry_after;
      if (retryAfter !== undefined && tried < TRIES) {
        pause = Math.max(pause, retryAfter);
        continue;
      }
      notes.delete(index);
      yield { ...outcome, index };
    }
    if (notes.size === 0) return;
    if (tried === TRIES) throw new Error(`${notes.size} notes have no answer`);
    await sleep((pause || 2 ** tried) * 1000);
  }
}

/** Yields the notes of a JSONL file, with the keys that the gateway knows. */
async function* notesOf(path: string): AsyncGenerator<Note> {
  for await (const line of createInterface({ input: createReadStream(path, 'utf8') })) {
    if (line.trim() === '') continue;
    const { id, text, note_date } = JSON.parse(line) as Note;
    yield { id, text, note_date };
  }
}

async function main(gateway: string, path: string): Promise<void> {
  let notes = new Map<number, Note>();
  let read = 0;
  const finish = async () => {
    for await (const outcome of extractWindow(gateway, notes)) {
      console.log(JSON.stringify(outcome));
      if (outcome.status !== 200) process.exitCode = 3;
    }
    notes = new Map();
  };
  for await (const note of notesOf(path)) {
    if (read === 0) {
      const answer = await extractOne(gateway, note.text);
      console.error(`${note.id}: ${answer.cancer_type}, stage ${answer.stage}`);
    }
    notes.set(read, note);
    read += 1;
    if (notes.size === NOTES_AT_ONCE) await finish();
  }
  if (notes.size > 0) await finish();
}

const [gateway, path] = process.argv.slice(2);
if (gateway === undefined || path === undefined) throw new Error('client.mts GATEWAY NOTES.jsonl');
await main(gateway, path);
