// Reads a note from a file that the user dropped or opened. The file must be UTF-8 text.

// Most bytes of one character in UTF-8.
const MAX_CHARACTER_BYTES = 4;

// Returns `text`, the text of the only file, or `problem`, a sentence on what is wrong.
export async function noteIn(files, limit) {
  const [file] = files;
  if (files.length > 1) {
    return { problem: 'One note at a time here: drop one file. The command “gateway extract FOLDER” reads many.' };
  }
  if (file.size > limit * MAX_CHARACTER_BYTES) {
    return { problem: `The file is larger than a note of ${limit.toLocaleString('en')} characters can be.` };
  }
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    return { problem: 'The file is not text in UTF-8. Save it as UTF-8 text and try again.' };
  }
  if (text.includes('\0')) return { problem: 'The file is not text: it holds zero bytes.' };
  return { text };
}
