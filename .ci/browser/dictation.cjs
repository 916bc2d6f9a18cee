// Dictation on the page: a recording becomes a transcript where a note is written, with what must be checked. The answer of
// the transcription route is made here, because no check of the page has a transcription server.
'use strict';

const { accessible, equal, expect } = require('./chromium.cjs');
const { done, open } = require('./person.cjs');

const TRANSCRIPT = 'Stage 4 lung adenocarcinoma with an EGFR exon 19 deletion on osimertinib.';
const MARKS = [
  { start: 35, end: 39, text: 'EGFR', reason: 'gene' },
  { start: 45, end: 47, text: '19', reason: 'number', spoken: 'nineteen' },
  { start: 60, end: 71, text: 'osimertinib', reason: 'drug' },
];
const NO_SPEECH = {
  type: 'about:blank', title: 'No speech', status: 422, code: 'no_speech', request_id: 'x', detail: 'No speech was recognised in the recording.',
};

// The page as a service with dictation has it, and its answers to recordings.
async function withDictation(page, answers) {
  await page.route('**/ui', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replace('data-dictation="no"', 'data-dictation="yes"') });
  });
  const sent = [];
  await page.route('**/api/v1/transcribe', async (route) => {
    sent.push(route.request().postDataBuffer().length);
    const { status, ...answer } = answers.shift();
    await route.fulfill({ status, contentType: 'application/json', body: JSON.stringify({ status, ...answer }) });
  });
  return sent;
}

async function choose(page) {
  // The button can be reached by keyboard; what it opens is the system's.
  await page.focus('#dictate');
  equal(await page.evaluate(() => document.activeElement.id), 'dictate', 'the focus');
  await page.setInputFiles('#recording', { name: 'note.wav', mimeType: 'audio/wav', buffer: Buffer.from('RIFF made up') });
}

async function transcript(page, base) {
  const sent = await withDictation(page, [
    { status: 422, ...NO_SPEECH },
    { status: 200, transcript: TRANSCRIPT, segments: [], words_to_review: MARKS, needs_review: true, duration: 3, model: 'm', request_id: 'x' },
  ]);
  await open(page, base);
  await page.locator('#dictate').waitFor();
  await choose(page);
  await page.locator('#error h3').waitFor();
  equal(await page.locator('#error h3').innerText(), 'No speech', 'what is said of silence');
  equal(await page.inputValue('#text'), '', 'the text after silence');
  await choose(page);
  await page.locator('#transcript-marks li').first().waitFor();
  equal(sent, [12, 12], 'the bytes that were sent');
  equal(await page.inputValue('#text'), TRANSCRIPT, 'the transcript');
  equal(await page.locator('#transcript-marks li').allInnerTexts(), ['EGFR a gene', '19 a spoken number: “nineteen”', 'osimertinib a drug'], 'what must be checked');
  expect((await page.locator('#status').textContent()).endsWith('Nothing is extracted yet.'), 'nothing says that nothing was extracted');
  equal(await page.evaluate(() => document.activeElement.id), 'text', 'the focus');
  equal(await page.locator('#fields .value').count(), 0, 'values before the user extracts');
  await accessible(page, 'a transcript to check');
  await page.keyboard.press('Control+Enter');
  await done(page);
  expect(await page.locator('#transcript').isHidden(), 'the transcript is shown beside a result');
  expect((await page.locator('#fields').innerText()).includes('EGFR exon 19 deletion'), 'the value is not there');
}

async function off(page, base) {
  await open(page, base);
  expect(await page.locator('#dictate').isHidden(), 'a service without dictation offers it');
}

module.exports = [
  ['a transcript is checked before anything is extracted', { expected: [422] }, transcript],
  ['a service without dictation offers none', {}, off],
];
