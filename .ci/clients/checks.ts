// What every client is asked to do, and what it must get.

export const NOTE = 'Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib with a partial response.';
export const BLANK = '   ';

export function base(): string {
  const url = process.env['GATEWAY_URL'];
  if (!url) throw new Error('GATEWAY_URL is not set');
  return url;
}

export function equal(found: unknown, expected: unknown, what: string): void {
  if (found !== expected) throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
}

// Of the data of the events of a stream, in order: seven fields and the answer.
export function isWholeStream(kinds: string[], stage: string | null | undefined): void {
  equal(kinds.join(' '), 'field field field field field field field result', 'the events of a stream');
  equal(stage, 'IV', 'the stage in the last event');
}

// The data of each event of a whole stream, for clients that give its text.
export function eventsOf(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trim());
}
