// Parses server-sent events by the HTML standard's rules for event streams. EventSource cannot be used, because it only
// sends GET requests. This module never reconnects.

// Yields { event, data } for each event of a ReadableStream of bytes. An event without a blank line after it is
// dropped.
export async function* events(body) {
  // The TextDecoder keeps the first bytes of a character that is split between pieces, and drops a byte order mark.
  const decoder = new TextDecoder();
  const reader = body.getReader();
  const lines = new Lines();
  let pending = new PendingEvent();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const line of lines.add(decoder.decode(value, { stream: true }))) {
        const event = pending.take(line);
        if (!event) continue;
        pending = new PendingEvent();
        if (event.data !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

// Splits pieces of text into whole lines. A line ends with LF, CR or CR LF. A CR at the end of a piece ends its line at
// once, and an LF at the start of the next piece then belongs to that CR.
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

class PendingEvent {
  #event = 'message';
  #data = [];

  // Takes a line; returns the event if the line ends it.
  take(line) {
    if (line === '') {
      return { event: this.#event, data: this.#data.length > 0 ? this.#data.join('\n') : undefined };
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    if (name === 'event' && value !== '') this.#event = value;
    // A comment has an empty name, and `id` and `retry` are only for clients that reconnect; all are ignored.
    return undefined;
  }
}
