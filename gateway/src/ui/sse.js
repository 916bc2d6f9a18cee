// Server-sent events out of a body that arrives in pieces; by the HTML standard's rules for parsing an event stream.
// EventSource itself can only GET. Knows nothing of notes, and never connects again.

// Gives { event, data } for each event of a ReadableStream of bytes. An event that was not ended by a blank line is none.
export async function* events(body) {
  // A TextDecoder keeps the bytes of a character that is cut in two, and drops a byte order mark.
  const decoder = new TextDecoder();
  const reader = body.getReader();
  const lines = new Lines();
  let event = new Pending();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const line of lines.add(decoder.decode(value, { stream: true }))) {
        const whole = event.take(line);
        if (!whole) continue;
        event = new Pending();
        if (whole.data !== undefined) yield whole;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

// Whole lines out of pieces of text. A line ends in LF, CR or CR LF; a CR at the end of a piece ends its line at once,
// and a LF at the start of the next piece then belongs to it.
class Lines {
  #rest = '';
  #afterReturn = false;

  *add(piece) {
    if (piece === '') return;
    const text = this.#afterReturn && piece.startsWith('\n') ? piece.slice(1) : piece;
    this.#afterReturn = piece.endsWith('\r');
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    yield* lines;
  }
}

class Pending {
  #event = 'message';
  #data = [];

  // Takes a line; gives the event where the line ended it.
  take(line) {
    if (line === '') {
      return { event: this.#event, data: this.#data.length > 0 ? this.#data.join('\n') : undefined };
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    if (name === 'event' && value !== '') this.#event = value;
    // A comment has an empty name; `id` and `retry` are for those who connect again.
    return undefined;
  }
}
