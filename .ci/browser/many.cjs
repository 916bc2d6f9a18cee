// Several notes on the page /ui: what is found in a list, read, searched, put in order, cancelled, corrected, saved, printed.
'use strict';

const { problem } = require('./proxy.cjs');
const { PATIENCE, accessible, chosenWords, equal, expect, highlightsAreQuotes } = require('./chromium.cjs');
const { open, saved } = require('./person.cjs');

const HARM = '<img src=x onerror="window.harmed=1">';
const LUNG = 'Lung adenocarcinoma, stage IV, EGFR L858R, liver metastases. Osimertinib was started, partial response.';
const NOTHING = 'The weather is fine, and nothing else is said.';
const TWO = 'Lung cancer, stage IV, treated with carboplatin. Breast cancer, stage I, treated with lumpectomy in 2015.';
const PLAIN = 'Breast cancer, stage IIB, ER positive, "so called".';
// Names of columns that the page must find by their case-free names; an id that is markup, and one that is there twice.
const TABLE = [
  'Case_ID;Patient;note_date;Clinical Note',
  `A-1;P-1;2024-01-05;"${PLAIN.replaceAll('"', '""')}"`,
  `A-2;P-1;2024-02-05;"${LUNG}"`,
  `A-3;P-2;2024-03-05;"${NOTHING}\nSecond line; with a semicolon."`,
  `${HARM};P-2;2024-04-05;${TWO}`,
  'A-2;P-2;2024-05-05;Melanoma.',
].join('\r\n');
const LINES = '**/api/v1/extract/lines';

// At once, as a paste does it: typing thousands of lines would take minutes.
function put(page, text) {
  return page.evaluate((value) => {
    document.getElementById('many-text').value = value;
    document.getElementById('many-text').dispatchEvent(new Event('input'));
  }, text);
}

async function paste(page, base, text) {
  await open(page, base);
  await page.click('#kind-many');
  await put(page, text);
  await page.click('#many-next');
}

async function read(page, base, text = TABLE) {
  await paste(page, base, text);
  await page.click('#read-all');
  await finished(page);
}

function finished(page, timeout = PATIENCE.timeout) {
  return page.locator('#list-progress').waitFor({ state: 'hidden', timeout });
}

function ids(page) {
  // Rows that are not drawn have no inner text.
  return page.locator('.row-id').allTextContents();
}

function told(page) {
  return page.locator('#list-count').innerText();
}

function many(count, text = (index) => `Patient ${index} has stage IIB breast cancer, ER positive.`) {
  return Array.from({ length: count }, (_, index) => JSON.stringify({ id: `n-${index}`, text: text(index) })).join('\n');
}

async function found(page, base) {
  await paste(page, base, TABLE);
  const chosen = () => page.locator('#columns select').evaluateAll((all) => all.map((one) => one.value));
  equal(await page.locator('#many-found-title').innerText(), '5 notes', 'what was found');
  equal(await chosen(), ['Clinical Note', 'Case_ID', 'note_date', 'Patient'], 'the columns');
  equal(await page.locator('#preview tbody tr').nth(0).locator('td').allInnerTexts(), ['A-1', 'P-1', '2024-01-05', PLAIN], 'the first row');
  expect((await page.locator('#columns-problem').innerText()).startsWith('1 note will not be read. Another note has this id.'), 'the id that is there twice');
  equal(await page.locator('#read-all').innerText(), 'Read 4 notes', 'the button');
  await page.selectOption('#column-id', '');
  equal(await page.locator('#read-all').innerText(), 'Read 5 notes', 'without ids');
  equal(await page.locator('#preview tbody td:first-child').allInnerTexts(), ['row-1', 'row-2', 'row-3'], 'names by place');
  await page.click('#many-back');
  let sent = 0;
  page.on('request', (request) => {
    sent += Number(request.method() === 'POST');
  });
  for (const [text, reason] of [
    ['', 'There are no notes yet'], ['Just one note, with a comma.', 'not a list of notes'], ['id,text\nA,"Stage II\nB,Stage IV', 'Line 2: a quote is opened here'],
    ['id,text\nA,Stage II\nlung\nB,Stage IV', 'Line 3: the row has 1 cells, the header 2.'], ['id,text\nA,"Stage" II', 'Line 2: text follows a closing quote.'],
    ['MSH|^~\\&|x', 'HL7'], ['{"resourceType": "Bundle"}', 'FHIR'], ['[{"id": 1, "text": "x"', 'cannot be read as JSON'], [many(5001), 'These are 5,001 notes.'],
  ]) {
    await put(page, text);
    await page.click('#many-next');
    expect((await page.locator('#many-error').innerText()).includes(reason), `${text.slice(0, 40)}: ${await page.locator('#many-error').innerText()}`);
  }
  equal(sent, 0, 'requests before anything was agreed to');
}

// Two patients must not become one record because they were pasted into the box for one note.
async function notOne(page, base) {
  await open(page, base);
  for (const text of [TABLE, many(2), 'mrn|report\n1|Stage IV lung cancer in the right lobe.\n2|Stage I skin cancer of the back.']) {
    await page.fill('#text', text);
    await page.click('#extract');
    await page.locator('#several').waitFor();
    equal(await page.evaluate(() => document.activeElement.id), 'as-several', 'focus at the question');
    await page.fill('#text', 'Stage II');
    expect(await page.locator('#several').isHidden(), 'the question is about another text');
  }
  await page.fill('#text', many(2));
  await page.click('#extract');
  await page.click('#as-several');
  equal(await page.locator('#many-found-title').innerText(), '2 notes', 'as several');
  await page.click('#many-back');
  await page.click('#kind-one');
  await page.click('#extract');
  await page.click('#as-one');
  await page.locator('#after').waitFor();
  for (const text of ['Lab, Hb 12\nNa, 140', 'Date; Visit\n2024; seen in clinic, stage IV\n2025; partial response of liver', 'Diagnosis: lung cancer, stage IV.\nPlan, chemotherapy.']) {
    await page.click('#edit');
    await page.fill('#text', text);
    await page.click('#extract');
    await page.locator('#after').waitFor();
  }
}

async function files(page, base) {
  await open(page, base);
  await page.click('#kind-many');
  const give = (...all) => page.setInputFiles('#many-file', all.map(([name, bytes]) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(bytes) })));
  await give(['cases.csv', `\ufeff${TABLE}`]);
  await page.getByText('5 notes in cases.csv').waitFor();
  await page.click('#many-back');
  await give(['excel.csv', Buffer.from(`\ufeffsep=\t\r\nid\ttext\r\n1\tStage IV é`, 'utf16le')]);
  await page.getByText('1 note in excel.csv').waitFor();
  await page.click('#many-back');
  await give(['a.txt', 'Stage IV lung cancer.'], ['b.txt', 'Stage I melanoma.']);
  await page.getByText('2 notes', { exact: true }).waitFor();
  equal(await page.locator('#preview tbody td:first-child').allInnerTexts(), ['a.txt', 'b.txt'], 'files are notes');
  await page.click('#many-back');
  for (const [all, reason] of [[[['x.csv', [0xe9, 0x2c]]], 'UTF-8'], [[['a.txt', 'x'], ['b.csv', 'y']], 'must be text files'], [[['x.xlsx', 'PK\u0003\u0004']], 'a workbook']]) {
    await give(...all);
    await page.locator('#many-error', { hasText: reason }).waitFor();
  }
}

async function list(page, base) {
  await read(page, base);
  equal(await told(page), '5 notes: 4 read, 1 not read. 2 notes with doubts.', 'what is told');
  equal(await ids(page), ['A-2 (row-5)', 'A-3', HARM, 'A-1', 'A-2'], 'the most doubtful first');
  equal(await page.locator('.row').nth(1).locator('.row-doubts').textContent(), 'no oncology term recognised', 'why');
  await page.selectOption('#list-order', 'file');
  equal(await ids(page), ['A-1', 'A-2', 'A-3', HARM, 'A-2 (row-5)'], 'as in the file');
  for (const [words, shown] of [['egfr LIVER', ['A-2']], ['a-3', ['A-3']], ['p-2', ['A-3', HARM, 'A-2 (row-5)']], ['lumpectomy', [HARM]], ['nowhere', []], ['', ['A-1', 'A-2', 'A-3', HARM, 'A-2 (row-5)']]]) {
    await page.fill('#list-search', words);
    equal(await ids(page), shown, `search for ${words}`);
  }
  for (const [show, shown] of [['doubtful', ['A-3', HARM]], ['failed', ['A-2 (row-5)']], ['undone', ['A-1', 'A-2', 'A-3', HARM]], ['done', []]]) {
    await page.selectOption('#list-show', show);
    equal(await ids(page), shown, `shown of ${show}`);
  }
  await page.selectOption('#list-show', '');
  equal(await page.evaluate(() => [window.harmed ?? null, document.querySelectorAll('main img').length]), [null, 0], 'harm done by an id');
  const [name, lines] = await saved(page, '#list-lines');
  equal(name, 'results.jsonl', 'the name of the results');
  const results = lines.trim().split('\n').map((line) => JSON.parse(line));
  equal(results.map(({ id, status }) => [id, status]), [['A-1', 200], ['A-2', 200], ['A-3', 200], [HARM, 200], ['A-2 (row-5)', null]], 'the results');
  const [, csv] = await saved(page, '#list-csv');
  expect(csv.startsWith('\ufeffid,patient,note_date,state,cancer_type,') && csv.includes('A-2,P-1,2024-02-05,read,lung adenocarcinoma,IV,'), `the table: ${csv}`);
  // One note: its evidence, its neighbours.
  await page.locator('button.row').nth(1).click();
  equal([await page.locator('#note-id').innerText(), await page.locator('#position').innerText()], ['A-2', '· 2 of 5 notes'], 'the note');
  equal(await page.locator('#note').textContent(), LUNG, 'its text');
  expect((await highlightsAreQuotes(page, results[1].result)) >= 5, 'hardly anything is marked');
  await page.click('#next');
  equal(await page.locator('#note').textContent(), `${NOTHING}\r\nSecond line; with a semicolon.`.replace('\r', ''), 'a note of two lines');
  await page.locator('#warnings [data-warning="no_oncology_terms"]').waitFor();
  await page.click('#next');
  await page.click('#next');
  expect((await page.locator('#error').innerText()).includes('Another note has this id'), 'why a note was not sent');
  expect(await page.locator('#next').isDisabled(), 'there is one after the last');
  expect(await page.locator('#after').isHidden(), 'a result of a note that was not read');
}

async function decisions(page, base) {
  await read(page, base);
  await page.locator('.row', { has: page.getByText('A-2', { exact: true }) }).click();
  await page.focus('[data-field="stage"] button.value');
  await page.keyboard.press('r');
  await page.keyboard.press('d');
  await page.click('#to-list');
  equal(await page.evaluate(() => document.activeElement.querySelector('.row-id').textContent), 'A-2', 'focus where the person left');
  expect((await page.locator('.row', { has: page.getByText('A-2', { exact: true }) }).textContent()).includes('Done'), 'the row of a note that is done');
  await page.selectOption('#list-show', 'done');
  equal(await ids(page), ['A-2'], 'done');
  const [name, text] = await saved(page, '#list-decisions');
  equal(name, 'decisions.jsonl', 'the name of the decisions');
  const line = JSON.parse(text);
  equal([line.id, line.text, line.done, line.expected.stage, line.expected.cancer_type], ['A-2', LUNG, true, null, 'lung adenocarcinoma'], 'the decisions');
  // Other notes: this list is left only if the person says so. Then the decisions are opened again.
  await page.click('#list-new');
  expect(await page.locator('#many-list').isVisible(), 'the list was left');
  await page.click('#list-new');
  equal(await page.inputValue('#many-text'), '', 'notes that are still on the page');
  equal(await page.locator('.row').count(), 0, 'rows that are still on the page');
  await page.fill('#many-text', TABLE);
  await page.click('#many-next');
  await page.click('#read-all');
  await finished(page);
  await page.setInputFiles('#list-restore-file', { name: 'decisions.jsonl', mimeType: 'text/plain', buffer: Buffer.from(text) });
  await page.getByText('Opened the decisions on 1 note.').waitFor();
  await page.selectOption('#list-show', 'done');
  equal(await ids(page), ['A-2'], 'done before');
  const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie, location.href]);
  equal(kept, [0, 0, '', `${base}/ui`], 'what is kept');
}

async function cancel(page, base) {
  let asked = 0;
  let held = null;
  await page.route(LINES, (route) => {
    asked += 1;
    if (asked <= 2) return route.continue();
    held = route;
    return undefined; // It does not answer.
  });
  await paste(page, base, many(130, (index) => (index === 129 ? NOTHING : `Patient ${index} has stage IIB breast cancer.`)));
  await page.click('#read-all');
  await page.getByText('100 of 130 notes.').waitFor();
  expect(await page.locator('#list-progress').isVisible(), 'it no longer reads');
  await page.locator('.row[data-state="read"]').nth(99).waitFor({ state: 'attached' });
  equal(await page.locator('.row[data-state="read"]').count(), 100, 'rows that are read');
  await page.click('#list-cancel');
  await finished(page);
  equal(await told(page), '130 notes: 100 read, 30 waiting. None with doubts.', 'after cancelling');
  equal(await page.locator('#read-rest').innerText(), 'Read the other 30 notes', 'the way on');
  const [before] = [held, await page.click('#read-rest')];
  while (held === before) await page.waitForRequest(LINES);
  // Rows do not move under the focus, and are put in order when it leaves.
  await page.locator('.row').first().focus();
  await held.continue();
  await finished(page);
  equal(await told(page), '130 notes: 130 read. 1 note with doubts.', 'after reading on');
  equal([(await ids(page))[0], await page.evaluate(() => document.activeElement.dataset.index)], ['n-0', '0'], 'the first row, with the focus');
  await page.focus('#list-search');
  await page.waitForFunction(() => document.querySelector('.row-id').textContent === 'n-129');
}

async function failures(page, base) {
  const answer = (lines) => ({ contentType: 'application/x-ndjson', body: lines.map((line) => `${JSON.stringify(line)}\n`).join('') });
  const queue = [
    // No room yet; then one note fails; then the answer breaks off after the first of two; then the key is refused.
    { status: 503, headers: { 'retry-after': '1' }, contentType: 'application/problem+json', body: JSON.stringify(problem(503, 'overloaded')) },
    answer([{ id: null, index: 0, status: 504, error: problem(504, 'deadline_exceeded', { retry_after: 1 }) }]),
    null,
  ];
  await page.route(LINES, (route) => {
    const next = queue.shift();
    return next ? route.fulfill(next) : route.continue();
  });
  await paste(page, base, many(1));
  await page.click('#read-all');
  await page.getByText('The service is busy: waiting 1 s.').waitFor();
  await finished(page);
  equal(await told(page), '1 note: 0 read, 1 not read. None with doubts.', 'a note that failed');
  expect((await page.locator('.row').textContent()).includes('The deadline_exceeded of a test.'), 'why');
  await page.locator('.row').click();
  expect((await page.locator('#error').innerText()).includes('Title of deadline_exceeded'), 'the error of the note');
  await page.click('#to-list');
  await page.click('#read-failed');
  await finished(page);
  equal(await told(page), '1 note: 1 read. None with doubts.', 'after another try');
  await page.locator('.row').click();
  expect(await page.locator('#error').isHidden(), 'the error is still there');
  await page.click('#to-list');
  queue.push(answer([]), { status: 401, contentType: 'application/problem+json', body: JSON.stringify(problem(401, 'unauthorized')) });
  await page.click('#list-new');
  await page.fill('#many-text', many(2));
  await page.click('#many-next');
  await page.click('#read-all');
  await page.locator('#list-problem', { hasText: 'The answer broke off' }).waitFor();
  equal(await told(page), '2 notes: 0 read, 2 waiting. None with doubts.', 'an answer that broke off');
  await page.click('#read-rest');
  await page.locator('#list-problem', { hasText: 'Title of unauthorized' }).waitFor();
  await page.locator('#gate').waitFor();
  await page.fill('#key', 'a-key');
  await page.click('#use-key');
  await page.locator('#gate').waitFor({ state: 'hidden' });
  const [request] = await Promise.all([page.waitForRequest(LINES), page.click('#read-rest')]);
  equal(await request.headerValue('x-api-key'), 'a-key', 'the key');
  await finished(page);
  equal(await told(page), '2 notes: 2 read. None with doubts.', 'with the key');
}

async function thousands(page, base) {
  await paste(page, base, many(2000, (index) => (index % 10 === 7 ? NOTHING : `Patient ${index}: stage IIB breast cancer, ER positive.`)));
  const from = performance.now();
  await page.click('#read-all');
  // An engine without optimisation, on a machine that does other things too.
  await finished(page, 240_000);
  const time = Math.round(performance.now() - from);
  equal(await told(page), '2,000 notes: 2,000 read. 200 notes with doubts.', 'what is told');
  equal(await page.locator('.row').count(), 2000, 'rows');
  equal((await ids(page)).slice(0, 3), ['n-7', 'n-17', 'n-27'], 'the most doubtful first');
  const drawn = await page.evaluate(() => [...document.querySelectorAll('.row')].filter((row) => row.checkVisibility({ contentVisibilityAuto: true })).length);
  expect(drawn > 0 && drawn < 200, `${drawn} rows are drawn`);
  const search = async (words, count) => {
    const at = performance.now();
    await page.fill('#list-search', words);
    equal(await page.locator('.row').count(), count, `notes with ${words}`);
    return performance.now() - at;
  };
  const slowest = Math.max(await search('n-19', 111), await search('breast er', 1800), await search('', 2000));
  expect(slowest < 5000, `a search takes ${Math.round(slowest)} ms`);
  await page.locator('.row').last().click();
  equal(await page.locator('#position').innerText(), '· 2,000 of 2,000 notes', 'the last');
  return `2,000 notes are read and listed in ${time} ms, ${drawn} rows drawn, a search takes at most ${Math.round(slowest)} ms`;
}

async function patient(page, base) {
  await read(page, base);
  await page.click('#patients summary');
  equal(await page.locator('#patient option').allInnerTexts(), ['P-1 (2 notes)', 'P-2 (2 notes)'], 'the patients');
  await page.click('#show-patient');
  await page.locator('#timeline table').first().waitFor();
  equal((await page.locator('#timeline h3').allInnerTexts()).filter((title) => title.includes('note')), ['breast cancer: 1 note', 'lung adenocarcinoma: 1 note'], 'the tumours');
  await accessible(page, 'a timeline');
  await page.locator('#timeline table').nth(1).getByRole('button', { name: 'A-2' }).first().click();
  equal(await page.locator('#note-id').innerText(), 'A-2', 'the note of a place');
  equal(await chosenWords(page), ['stage IV'], 'the words of the place');
}

const refused = { expected: [401, 503] };
const twice = { dialogs: [['confirm', false], ['confirm', true]] };

const checks = [
  ['several: found', {}, found], ['several: not one note', {}, notOne], ['several: files', {}, files], ['several: list', {}, list], ['several: decisions', twice, decisions],
  ['several: cancel', {}, cancel], ['several: failures', { ...refused, dialogs: [['confirm', true]] }, failures], ['several: 2,000 notes', {}, thousands], ['several: a patient', {}, patient],
];

module.exports = { TABLE, checks, finished, read };
