// Stands before a gateway and passes everything on, but for the stream of notes that begin with "proxy: NAME": to these it
// gives the answers that a gateway gives only when something is wrong, slow or hostile. Loopback only, a free port.
'use strict';

const http = require('node:http');

const STREAM = '/api/v1/extract/stream';
const NAMES = ['cancer_type', 'stage', 'gene_mutation', 'biomarker', 'treatment', 'response', 'metastasis_site'];

function problem(status, code, more = {}) {
  const detail = `The ${code} of a test.`;
  return { type: 'about:blank', title: `Title of ${code}`, status, detail, code, request_id: `test-${code}`, ...more };
}

function evidence(of = {}) {
  return Object.fromEntries(NAMES.map((name) => [name, of[name] ?? []]));
}

function finding(text, value, quote, more = {}) {
  const before = quote === null ? -1 : text.indexOf(quote);
  const start = quote === null ? null : [...text.slice(0, before)].length;
  const end = quote === null ? null : start + [...quote].length;
  return { value, in_record: true, basis: 'stated', assertion: 'present', rule: null, quote, start, end, confidence: null, ...more };
}

function answer(record, of, more = {}) {
  const fields = Object.fromEntries(NAMES.map((name) => [name, record[name] ?? null]));
  return {
    ...fields, raw_output: '{}', tokens_used: 42, engine: 'vllm', model: 'medical-ie', prompt: 'training-v1', degraded: false,
    request_id: 'test-answer', repairs: [], warnings: [], evidence: evidence(of), ...more,
  };
}

// Everything at once that a reader must see.
function wary(text) {
  const record = { cancer_type: 'lung adenocarcinoma', stage: 'IV', response: 'complete response' };
  const of = {
    cancer_type: [
      finding(text, 'lung adenocarcinoma', 'adenocarcinoma of the lung'),
      // A place within another, and one across its end.
      finding(text, 'adenocarcinoma', 'adenocarcinoma', { basis: 'normalized', rule: 'within' }),
    ],
    stage: [finding(text, 'IV', 'lung, widely metastatic', { basis: 'inferred', rule: 'metastatic_implies_stage_iv' })],
    gene_mutation: [finding(text, 'EGFR', 'EGFR', { in_record: false, assertion: 'not_tested' })],
    response: [finding(text, 'complete response', null, { basis: 'unsupported', assertion: null })],
    metastasis_site: [
      finding(text, 'liver', 'hepatic', { basis: 'normalized', rule: 'hepatic', confidence: { mean: 0.91, minimum: 0.62 } }),
      finding(text, 'brain', 'brain', { in_record: false, assertion: 'negated' }),
    ],
  };
  record.metastasis_site = 'liver';
  const warning = (code, field, message) => ({ code, field, message });
  return answer(record, of, {
    degraded: true, engine: 'rules', model: 'rules', prompt: null, tokens_used: 0,
    repairs: [{ code: 'trailing_comma', message: 'x' }],
    unread: [{ start: [...text].length - 5, end: [...text].length }],
    cross_check: { ...Object.fromEntries(NAMES.map((name) => [name, 'agree'])), stage: 'differ' },
    warnings: [
      warning('unsupported_value', 'response', '1 of 1 value(s) of response could not be found in the note; check before use.'),
      warning('contradicted_value', 'metastasis_site', '1 value(s) of metastasis_site were left out because of their assertions in the note: negated. See `evidence`.'),
      warning('partly_unread', null, 'A part of the note could not be read.'),
    ],
  });
}

// Markup and formulas in every place where text of a model or a note is shown.
function hostile(text) {
  const bad = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>';
  const more = { rule: bad, basis: 'stated', assertion: bad };
  return answer({ cancer_type: bad, stage: '=1+1' }, {
    cancer_type: [{ ...finding(text, bad, text.slice(-9)), ...more }],
    stage: [{ ...finding(text, '=1+1', null), basis: 'unsupported' }],
  }, { model: bad, request_id: bad, warnings: [{ code: bad, field: bad, message: bad }] });
}

function begin(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': 'test-head' });
  return (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function refuse(response, body, headers = {}) {
  response.writeHead(body.status, { 'content-type': 'application/problem+json', ...headers });
  response.end(JSON.stringify(body));
}

const ANSWERS = {
  // Two fields, and then nothing until the reader leaves.
  stalls: (response) => {
    const tell = begin(response);
    tell('field', { name: 'cancer_type', value: 'melanoma' });
    tell('field', { name: 'stage', value: null });
  },
  refused: (response) => refuse(response, problem(503, 'overloaded'), { 'retry-after': '9' }),
  invalid: (response) => refuse(response, problem(422, 'invalid_request', { errors: [{ field: 'text', rule: 'x', message: 'What is wrong with it.' }] })),
  stranger: (response) => refuse(response, problem(401, 'unauthorized')),
  html: (response) => {
    response.writeHead(502, { 'content-type': 'text/html' });
    response.end('<h1>Bad gateway</h1>');
  },
  // A value, and then an error: nothing of the value may stay.
  fails: (response) => {
    const tell = begin(response);
    tell('field', { name: 'cancer_type', value: 'melanoma' });
    tell('error', problem(502, 'upstream_failed', { retry_after: 9 }));
    response.end();
  },
  dies: (response) => {
    begin(response)('field', { name: 'cancer_type', value: 'melanoma' });
    setImmediate(() => response.destroy());
  },
  ends: (response) => {
    begin(response)('field', { name: 'cancer_type', value: 'melanoma' });
    response.end();
  },
  // An attempt that is repeated: what the first one said must go.
  repeats: (response, text) => {
    const tell = begin(response);
    tell('field', { name: 'cancer_type', value: 'melanoma of the first attempt' });
    tell('reset', {});
    tell('field', { name: 'stage', value: 'II' });
    response.finish = () => {
      tell('result', answer({ stage: 'II' }, { stage: [finding(text, 'II', 'proxy')] }));
      response.end();
    };
  },
  wary: (response, text) => {
    begin(response)('result', wary(text));
    response.end();
  },
  hostile: (response, text) => {
    begin(response)('result', hostile(text));
    response.end();
  },
};

function pass(request, response, body, upstream) {
  const options = { method: request.method, headers: request.headers };
  const onward = http.request(new URL(request.url, upstream), options, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  onward.end(body);
}

// Gives { url, left(name), finish(), close() }: `left` resolves when the reader of that answer has gone.
async function start(upstream) {
  const left = new Map();
  let last = null;
  const server = http.createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const text = request.url === STREAM ? JSON.parse(body.toString()).text : '';
    const name = /^proxy: (\w+)/.exec(text)?.[1];
    if (!name) return pass(request, response, body, upstream);
    last = response;
    response.on('close', () => left.get(name)?.());
    return ANSWERS[name](response, text);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    left: (name) => new Promise((resolve) => left.set(name, resolve)),
    finish: () => last.finish(),
    close: () => server.closeAllConnections() || server.close(),
  };
}

module.exports = { start, answer, finding, wary, hostile, problem };
