// Computes the spans of values in a note. It uses neither the document nor the network.

import { courseText } from './words.js';

// Returns a function from code points, which an answer's offsets count, to UTF-16 units, which JavaScript's strings
// count.
export function unitsOf(text) {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return (position) => position;
  const units = new Uint32Array(text.length + 1);
  let points = 0;
  let unit = 0;
  for (const point of text) {
    units[points] = unit;
    points += 1;
    unit += point.length;
  }
  units[points] = unit;
  return (position) => units[Math.min(position, points)];
}

export function codePoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

// Returns the values of an answer. An answer has one finding for each occurrence of a value; findings that are equal
// apart from their span are one value here, and its `places` are the spans, in UTF-16 units. A field of the record for
// which the evidence has nothing is one value without a basis.
export function valuesOf(text, evidence, record = {}) {
  const units = unitsOf(text);
  const values = [];
  for (const [field, findings] of Object.entries(evidence ?? {})) {
    const known = new Map();
    for (const finding of findings) {
      const { value, in_record: inRecord, basis, assertion, rule, tumour, confidence, codes } = finding;
      const key = JSON.stringify([value, inRecord, basis, assertion, rule, tumour]);
      if (!known.has(key)) {
        const one = { id: values.length, field, value, inRecord, basis, assertion, rule, tumour, confidence, codes: codes ?? [], places: [] };
        known.set(key, one);
        values.push(one);
      }
      if (finding.start === null || finding.start === undefined) continue;
      const place = { start: units(finding.start), end: units(finding.end), from: finding.start, to: finding.end };
      known.get(key).places.push({ ...place, quote: finding.quote, date: finding.date?.value ?? null, course: courseText(finding.course) });
    }
  }
  for (const [field, value] of Object.entries(record)) {
    if (!value || values.some((one) => one.field === field && one.inRecord)) continue;
    values.push({ id: values.length, field, value, inRecord: true, basis: null, assertion: null, rule: null, codes: [], places: [] });
  }
  return values;
}

// Returns the place of `text` between two positions in UTF-16 units.
export function placeAt(text, start, end) {
  const from = codePoints(text.slice(0, start));
  const quote = text.slice(start, end);
  return { start, end, from, to: from + codePoints(quote), quote, date: null, course: '' };
}

// Returns the places where a value occurs in a text: as whole words, in upper or lower case, with any white space
// between the words.
export function placesOf(text, value) {
  const words = value.split(/\s+/u).filter((word) => word !== '');
  if (words.length === 0) return [];
  const escaped = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('\\s+');
  // A value that begins or ends with a sign, such as "+", may touch a word there.
  const inWord = '[\\p{L}\\p{N}\\p{M}]';
  const isWord = new RegExp(inWord, 'u');
  const before = isWord.test([...words[0]][0]) ? `(?<!${inWord})` : '';
  const after = isWord.test([...words.at(-1)].at(-1)) ? `(?!${inWord})` : '';
  const places = [];
  let unit = 0;
  let from = 0;
  // The code points are counted from the place before, because a short word may occur in a long note thousands of
  // times.
  for (const { index: start, 0: quote } of text.matchAll(new RegExp(`${before}${escaped}${after}`, 'giu'))) {
    from += codePoints(text.slice(unit, start));
    unit = start;
    places.push({ start, end: start + quote.length, from, to: from + codePoints(quote), quote, date: null, course: '' });
  }
  return places;
}

// Splits a text wherever a span begins or ends; each piece lists the values that cover it. The pieces joined are the
// text, and the pieces of one span joined are its quote.
export function segments(text, values) {
  const edges = new Map([[0, []], [text.length, []]]);
  const at = (position) => {
    if (!edges.has(position)) edges.set(position, []);
    return edges.get(position);
  };
  for (const { id, places } of values) {
    for (const { start, end } of places) {
      if (!(start < end && end <= text.length)) continue;
      at(start).push([id, 1]);
      at(end).push([id, -1]);
    }
  }
  const cuts = [...edges.keys()].sort((one, other) => one - other);
  const open = new Map();
  const pieces = [];
  cuts.forEach((start, index) => {
    for (const [id, step] of edges.get(start)) {
      const depth = (open.get(id) ?? 0) + step;
      if (depth > 0) open.set(id, depth);
      else open.delete(id);
    }
    const end = cuts[index + 1];
    if (end !== undefined) pieces.push({ start, end, text: text.slice(start, end), values: [...open.keys()] });
  });
  return pieces;
}
