// Reads the text of a table: a header, then a row for each note, quoted as in RFC 4180. A table whose rows do not fit its
// header or whose quotes are in doubt is refused as a whole, because a cut row would give the words of one patient to
// another. `gateway extract` reads more kinds of tables, row by row.

const DELIMITERS = [[',', 'comma'], [';', 'semicolon'], ['\t', 'tab'], ['|', 'pipe']];
const QUOTE_ADVICE = 'A quote inside a quoted cell is doubled.';

// Returns { delimiter, columns, rows } or { columns, problem }, a sentence; null if the text is not a table. A row is {
// cells, line }, with the line of the text on which it begins.
export function tableIn(text) {
  const announced = /^"?sep=(.)"?\r?\n/i.exec(text);
  const body = announced ? text.slice(announced[0].length) : text;
  const firstLine = announced ? 2 : 1;
  const candidates = announced ? [announced[1]] : DELIMITERS.map(([delimiter]) => delimiter);
  const header = body.split(/\r?\n/, 1)[0];
  // The delimiter that cuts the header into most columns.
  const widths = candidates.map((delimiter) => [delimiter, headerWidth(header, delimiter)]);
  const [delimiter, width] = widths.sort(([, one], [, other]) => other - one)[0];
  if (width < 2) return null;
  const { rows, problem } = rowsOf(body, delimiter, firstLine);
  if (problem) return { columns: rowsOf(header, delimiter, firstLine).rows[0].cells, problem };
  const [head, ...data] = rows;
  const columns = head.cells.map((name) => name.trim());
  if (!isHeader(columns) || data.length === 0) return null;
  const misfit = data.find(({ cells }) => cells.length !== columns.length);
  if (misfit) {
    return {
      columns,
      problem: `Line ${misfit.line.toLocaleString('en')}: the row has ${misfit.cells.length} cells, the header ${columns.length}. A note with line ends or with the `
        + `${nameOf(delimiter)} in it must be quoted. Nothing was taken, because a note may be cut there.`,
    };
  }
  return { delimiter, columns, rows: data };
}

function nameOf(delimiter) {
  return DELIMITERS.find(([known]) => known === delimiter)?.[1] ?? 'delimiter';
}

function headerWidth(header, delimiter) {
  const { rows, problem } = rowsOf(header, delimiter, 1);
  return problem || rows.length === 0 ? 0 : rows[0].cells.length;
}

// Whether the cells of the first row can be names: short, different, none empty.
function isHeader(names) {
  const known = new Set(names);
  return known.size === names.length && names.every((name) => name !== '' && name.length <= 64 && !/[\r\n]/.test(name));
}

// Splits a text into rows. Blank lines between rows are left out.
function rowsOf(text, delimiter, firstLine) {
  const rows = [];
  let cells = [];
  let at = 0;
  let line = firstLine;
  let rowLine = firstLine;
  const refuse = (where, what) => ({ rows: [], problem: `Line ${where.toLocaleString('en')}: ${what} ${QUOTE_ADVICE}` });
  while (at < text.length) {
    let cell;
    if (text[at] === '"') {
      const opened = line;
      const end = closing(text, at + 1);
      if (end < 0) return refuse(opened, 'a quote is opened here and never closed.');
      cell = text.slice(at + 1, end).replaceAll('""', '"');
      line += count(cell, '\n');
      at = end + 1;
      if (at < text.length && text[at] !== delimiter && text[at] !== '\n' && !text.startsWith('\r\n', at)) {
        return refuse(line, 'text follows a closing quote.');
      }
    } else {
      let end = at;
      while (end < text.length && text[end] !== delimiter && text[end] !== '\n') end += 1;
      cell = text.slice(at, end);
      if (text[end] !== delimiter && cell.endsWith('\r')) cell = cell.slice(0, -1);
      at = end;
    }
    cells.push(cell);
    if (text.startsWith('\r\n', at)) at += 1;
    const ended = at >= text.length || text[at] === '\n';
    const isDelimiter = !ended;
    at += 1;
    if (isDelimiter) {
      // A delimiter at the very end is followed by an empty cell.
      if (at >= text.length) cells.push('');
      else continue;
    }
    if (cells.length > 1 || cells[0] !== '') rows.push({ cells, line: rowLine });
    cells = [];
    line += 1;
    rowLine = line;
  }
  return { rows };
}

// Returns where the quoted text that begins at a position ends, -1 if it does not.
function closing(text, from) {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  return -1;
}

function count(text, character) {
  return text.split(character).length - 1;
}
