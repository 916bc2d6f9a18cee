// Reads files that the user dropped or chose. A file must be text in UTF-8, or in UTF-16 with its mark.

import { notesIn } from './notes-in.js';

// Most bytes of one character in UTF-8.
const MAX_CHARACTER_BYTES = 4;
const MOST_BYTES = 64 << 20;
const NOTE_FILE = /\.(txt|text)$/i;

// Returns `text`, the text of a file with one note, or `problem`, a sentence on what is wrong.
export async function noteIn(file, limit) {
  if (file.size > limit * MAX_CHARACTER_BYTES) {
    return { problem: `The file is larger than a note of ${limit.toLocaleString('en')} characters can be.` };
  }
  return textIn(file);
}

// Returns what several files, or one with several notes, hold: the result of `notesIn` with the `text` of one file, or
// { problem }.
export async function notesInFiles(files) {
  if ([...files].reduce((size, file) => size + file.size, 0) > MOST_BYTES) {
    return { problem: 'The files are larger than 64 MiB. The command “gateway extract” reads files of any size.' };
  }
  if (files.length === 1) {
    const { text, problem } = await textIn(files[0]);
    return problem ? { problem } : { text, ...notesIn(text) };
  }
  const foreign = [...files].find(({ name }) => !NOTE_FILE.test(name));
  if (foreign) return { problem: 'Several files at once must be text files (.txt) with one note each. Drop a list of notes by itself.' };
  const records = [];
  for (const file of files) {
    const { text, problem } = await textIn(file);
    records.push(problem ? { place: file.name, problem, cells: { file: file.name } } : { place: file.name, cells: { file: file.name, text } });
  }
  return { kind: 'files', columns: ['file', 'text'], records };
}

// Whether a file is named like a list of notes.
export function isList(file) {
  return /\.(csv|tsv|tab|psv|json|jsonl|ndjson)$/i.test(file.name);
}

async function textIn(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const mark = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  let text;
  try {
    text = new TextDecoder(mark, { fatal: true }).decode(bytes);
  } catch {
    return { problem: 'The file is not text in UTF-8. Save it as UTF-8 text and try again.' };
  }
  if (text.includes('\0')) return { problem: 'The file is not text: it holds zero bytes.' };
  return { text };
}
