// Scans on the page: the picture of a page becomes text where a note is written, with what must be checked. The answer of the
// route is made here: the step `scans` has the real server.
'use strict';

const { accessible, equal, expect } = require('./chromium.cjs');
const { done, open } = require('./person.cjs');

const TEXT = 'Assessment: lung adenocarcinoma on osimertinib.\nPlan;\nCarboplatln and pemetrexed.\n\f';
const MARKS = [
  { start: 48, end: 53, text: 'Plan;', reason: 'heading' },
  { start: 54, end: 65, text: 'Carboplatln', reason: 'low_confidence' },
];
const NO_TEXT = {
  type: 'about:blank', title: 'No text', status: 422, code: 'no_text', request_id: 'x', detail: 'No text was recognised on the scan.',
};

// The page as a service with scans has it, and its answers to them.
async function withScans(page, answers) {
  await page.route('**/ui', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replace('data-scans="no"', 'data-scans="yes"') });
  });
  const sent = [];
  await page.route('**/api/v1/scan', async (route) => {
    sent.push(route.request().postDataBuffer().length);
    const { status, ...answer } = answers.shift();
    await route.fulfill({ status, contentType: 'application/json', body: JSON.stringify({ status, ...answer }) });
  });
  return sent;
}

// Reaches the button by keyboard alone and presses it. What it opens is the system's, which is told the file. Chromium hears of
// the wait for a chooser and of keys by different ways, in any order: the wait begins before the keys that lead to the button, and
// the answers to what is asked on the way say that it is on.
async function choose(page) {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), pressButton(page)]);
  await chooser.setFiles({ name: 'letter.png', mimeType: 'image/png', buffer: Buffer.from('made up') });
}

async function pressButton(page) {
  await page.focus('#text');
  for (let presses = 0; presses < 20 && await page.evaluate(() => document.activeElement.id) !== 'read-scan'; presses += 1) {
    await page.keyboard.press('Tab');
  }
  equal(await page.evaluate(() => document.activeElement.id), 'read-scan', 'what the keyboard reaches');
  await page.keyboard.press('Enter');
}

async function scanned(page, base) {
  const sent = await withScans(page, [
    { status: 422, ...NO_TEXT },
    { status: 200, transcript: TEXT, lines: [], words: [], words_to_review: MARKS, needs_review: true, pages: 2, pages_without_text: [2], ocr: 'tesseract', request_id: 'x' },
  ]);
  await open(page, base);
  await page.locator('#read-scan').waitFor();
  await choose(page);
  await page.locator('#error h3').waitFor();
  equal(await page.locator('#error h3').innerText(), 'No text', 'what is said of an empty page');
  equal(await page.inputValue('#text'), '', 'the text after an empty page');
  await choose(page);
  await page.locator('#transcript-marks li').first().waitFor();
  equal(sent, [7, 7], 'the bytes that were sent');
  equal(await page.inputValue('#text'), TEXT, 'the text');
  equal(await page.locator('#transcript-title').innerText(), 'Text of the scan', 'the title');
  const marks = await page.locator('#transcript-marks li').allInnerTexts();
  equal(marks, ['Plan; a heading that is damaged or hard to read: it decides what the lines below it mean', 'Carboplatln perhaps read wrongly'], 'what must be checked');
  const told = await page.locator('#status').textContent();
  expect(told.includes('No text was recognised on page 2.'), 'nothing says that a page has no text');
  expect(told.endsWith('Nothing is extracted yet.'), 'nothing says that nothing was extracted');
  equal(await page.evaluate(() => document.activeElement.id), 'text', 'the focus');
  equal(await page.locator('#fields .value').count(), 0, 'values before the user extracts');
  await accessible(page, 'the text of a scan to check');
  await page.keyboard.press('Control+Enter');
  await done(page);
  expect(await page.locator('#transcript').isHidden(), 'the marks are shown beside a result');
  const fields = await page.locator('#fields').innerText();
  expect(fields.includes('osimertinib'), 'the value is not there');
}

async function off(page, base) {
  await open(page, base);
  expect(await page.locator('#read-scan').isHidden(), 'a service without scans offers them');
}

module.exports = [
  ['the text of a scan is checked before anything is extracted', { expected: [422] }, scanned],
  ['a service without scans offers none', {}, off],
];
