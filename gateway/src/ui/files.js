// A note out of a file that was dropped or opened. Reads text in UTF-8 and nothing else.

// Most bytes that a character takes in UTF-8.
const WIDEST = 4;

// The text of the first file, or a sentence on what is wrong with it.
export async function noteIn(files, limit) {
  const [file] = files;
  if (files.length > 1) {
    return { problem: 'One note at a time here: drop one file. The command “gateway extract FOLDER” reads many.' };
  }
  if (file.size > limit * WIDEST) {
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
