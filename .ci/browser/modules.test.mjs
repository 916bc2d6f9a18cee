// The page's modules that need no browser: node --test .ci/browser/modules.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asCsv, cell } from '../../gateway/src/ui/download.js';
import { EXAMPLES } from '../../gateway/src/ui/examples.js';
import { events } from '../../gateway/src/ui/sse.js';
import { codePoints, segments, unitsOf, valuesOf } from '../../gateway/src/ui/spans.js';

// Every event of a body that comes in pieces of so many bytes.
async function parsed(text, size) {
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
  const all = [];
  for await (const { event, data } of events(body)) all.push(`${event}=${data}`);
  return all;
}

test('events are the same wherever the body is cut', async () => {
  const cases = [
    ['event: field\ndata: {"a":1}\n\n', ['field={"a":1}']],
    ['event: field\r\ndata: x\r\n\r\nevent: result\r\ndata: y\r\n\r\n', ['field=x', 'result=y']],
    ['data: x\r\rdata: y\r\r', ['message=x', 'message=y']],
    ['data: one\ndata: two\ndata:\ndata:three\n\n', ['message=one\ntwo\n\nthree']],
    [': keep-alive\n\n: keep-alive\n\nevent: a\n: within\ndata: x\n\n', ['a=x']],
    ['\ufeffdata: x\n\n', ['message=x']],
    ['data:  two spaces\n\n', ['message= two spaces']],
    ['data\n\n', ['message=']],
    ['event: only a name\n\ndata: x\n\n', ['message=x']],
    ['id: 7\nretry: 10\nother: z\ndata: a: b: c\n\n', ['message=a: b: c']],
    ['event: field\ndata: "é😀سرطان\u2028"\n\n', ['field="é😀سرطان\u2028"']],
    ['data: whole\n\ndata: never ended\n', ['message=whole']],
    ['\n\n\n', []],
    ['', []],
  ];
  for (const [text, expected] of cases) {
    for (let size = 1; size <= Math.max(1, Buffer.byteLength(text)); size += 1) {
      assert.deepEqual(await parsed(text, size), expected, JSON.stringify([text, size]));
    }
  }
});

test('who stops reading events lets the body go', async () => {
  let cancelled = false;
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('data: x\n\ndata: y\n\n')),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const { data } of events(body)) {
    assert.equal(data, 'x');
    break;
  }
  assert.ok(cancelled);
});

test('code points and units', () => {
  for (const text of ['', 'plain', 'a😀b', '😀😀', 'e\u0301👩‍🔬', '\ud800x', 'x\udc00😀\ud83d']) {
    const points = [...text];
    assert.equal(codePoints(text), points.length);
    const units = unitsOf(text);
    for (let at = 0; at <= points.length; at += 1) assert.equal(units(at), points.slice(0, at).join('').length, text);
  }
});

function place(id, ...places) {
  return { id, places: places.map(([start, end]) => ({ start, end })) };
}

test('pieces are the text, and the pieces of a place are its words', () => {
  const text = 'abcdefghij';
  const sets = [
    [],
    [place(0, [2, 5])],
    [place(0, [0, 10])],
    [place(0, [0, 3]), place(1, [3, 6])],
    [place(0, [2, 8]), place(1, [4, 6])],
    [place(0, [2, 6]), place(1, [4, 8])],
    [place(0, [2, 6]), place(1, [2, 6]), place(2, [2, 6], [7, 9])],
    [place(0, [1, 4], [4, 7])],
    [place(0, [1, 5], [3, 7])],
    [place(0, [8, 30], [5, 5], [6, 2], [NaN, 3])],
  ];
  for (const values of sets) {
    const pieces = segments(text, values);
    assert.equal(pieces.map((piece) => piece.text).join(''), text);
    for (const { id, places } of values) {
      for (const { start, end } of places.filter((one) => one.start < one.end && one.end <= text.length)) {
        const within = pieces.filter((piece) => piece.start >= start && piece.end <= end);
        assert.equal(within.map((piece) => piece.text).join(''), text.slice(start, end));
        assert.ok(within.every((piece) => piece.values.includes(id)));
      }
    }
    for (const piece of pieces) {
      for (const id of piece.values) {
        const covers = values[id].places.some(({ start, end }) => start <= piece.start && piece.end <= end);
        assert.ok(covers, 'a piece knows only what covers it');
      }
    }
  }
  assert.deepEqual(segments('', [place(0, [0, 1])]), []);
});

test('findings of one value are one value with places', () => {
  const finding = { value: 'liver', in_record: true, basis: 'stated', assertion: 'present', rule: null, confidence: null };
  const evidence = {
    stage: [],
    metastasis_site: [
      { ...finding, quote: 'liver', start: 2, end: 7 },
      { ...finding, quote: 'liver', start: 9, end: 14 },
      { ...finding, assertion: 'negated', in_record: false, quote: 'liver', start: 20, end: 25 },
      { ...finding, value: 'bone', basis: 'unsupported', quote: null, start: null, end: null },
    ],
  };
  const values = valuesOf('😀 liver, liver but no liver', evidence);
  assert.deepEqual(values.map(({ id, value, places }) => [id, value, places.map(({ start, from }) => [start, from])]), [
    [0, 'liver', [[3, 2], [10, 9]]],
    [1, 'liver', [[21, 20]]],
    [2, 'bone', []],
  ]);
  assert.deepEqual(valuesOf('x', undefined), []);
});

test('cells open in a spreadsheet as text', () => {
  for (const [value, expected] of [
    [null, ''], [undefined, ''], [true, 'true'], [7, '7'], ['plain', 'plain'], ['=1+1', "'=1+1"], ['+x', "'+x"], ['-x', "'-x"],
    ['@x', "'@x"], ['\tx', "'\tx"], ['\r=x', '"\'\r=x"'], ['a,b', '"a,b"'], ['say "x"', '"say ""x"""'], ['=A1,"x"', '"\'=A1,""x"""'],
    ['two\nlines', '"two\nlines"'],
  ]) {
    assert.equal(cell(value), expected);
  }
  const finding = { value: '=IV', in_record: true, basis: 'stated', assertion: 'present', rule: null, quote: 'a, b', start: 1, end: 5 };
  assert.equal(
    asCsv({ evidence: { stage: [finding], response: [] } }),
    '\ufefffield,value,in_record,basis,assertion,rule,quote,start,end\r\n'
      + 'stage,\'=IV,true,stated,present,,"a, b",1,5\r\nresponse,,,,,,,,\r\n',
  );
});

test('three examples', () => {
  assert.equal(EXAMPLES.length, 3);
  assert.ok(EXAMPLES.every(({ name, text }) => name && text.length > 300));
});
