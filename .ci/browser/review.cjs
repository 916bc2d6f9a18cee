// The review file, opened from the disk with the network switched off.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { accessible, equal, expect, chosenWords, fitsWidth, highlightsAreQuotes } = require('./chromium.cjs');
const { hostile, problem, wary } = require('./proxy.cjs');
const HOSTILE = require('./hostile.cjs');

const MANY = 5000;
const KEY = '\u{1f511} </title><b>id';

async function read(base, text) {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text }) };
  const answer = await fetch(`${base}/api/v1/extract`, request);
  expect(answer.ok, `a note was answered ${answer.status}`);
  return answer.json();
}

// A file of thousands: real answers, hostile notes, a wary one, failures; gives its address and its entries.
async function write(writer, base) {
  const entries = [];
  const add = (id, text, outcome) => entries.push({ id, text, outcome: { id, ...outcome } });
  for (const [index, text] of HOSTILE.entries()) {
    add(`${KEY} ${index}`, text, { status: 200, result: await read(base, text) });
  }
  const strange = 'Stage IV, whatever else';
  add('model with markup', strange, { status: 200, result: hostile(strange) });
  const wide = '58-year-old woman, 😀 adenocarcinoma of the lung, widely metastatic, hepatic lesions; no brain metastases. EGFR pending.\r\nxxxxx';
  add('wary', wide, { status: 200, result: wary(wide) });
  const error = problem(422, 'invalid_request', { errors: [{ field: 'text', rule: 'x', message: 'What is wrong with it.' }] });
  add('failed 1', 'A note that failed.', { status: 422, error });
  add('failed 2', 'Another.', { status: 503, error: problem(503, 'overloaded', { retry_after: 1 }) });
  add('no text', '', { status: 200, result: wary(wide) });
  const text = `${'A line of a note of the usual length, without meaning.\n'.repeat(30)}Stage II colon cancer, FOLFOX given.`;
  const result = await read(base, text);
  while (entries.length < MANY) add(`note ${entries.length}`, text, { status: 200, result });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'review-file-'));
  const file = path.join(folder, 'review.html');
  const input = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  fs.writeFileSync(file, execFileSync(writer, { input, maxBuffer: 1 << 30 }));
  return { url: pathToFileURL(file).href, entries, remove: () => fs.rmSync(folder, { recursive: true }) };
}

async function open(page, { url }) {
  await page.context().setOffline(true);
  const from = performance.now();
  await page.goto(url);
  await page.locator('#one').waitFor();
  return performance.now() - from;
}

function position(page) {
  return page.locator('#position').innerText();
}

async function going(page, written) {
  const time = await open(page, written);
  equal(await page.locator('#count').innerText(), '5,000 notes, 2 failed', 'the count');
  equal([await position(page), await page.locator('#id').innerText()], ['1 of 5,000 notes', `${KEY} 0`], 'the first');
  expect(await page.locator('#previous').isDisabled(), 'there is one before the first');
  await page.click('#next');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowLeft');
  equal(await position(page), '3 of 5,000 notes', 'by button and keys');
  // The arrows of a choice are the choice's own.
  await page.focus('#by-field');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowLeft');
  equal(await position(page), '3 of 5,000 notes', 'with a choice in focus');
  const elements = await page.evaluate(() => document.querySelectorAll('*:not(script)').length);
  expect(elements < 500, `${elements} elements for one note`);
  expect(time < 60_000, `${Math.round(time)} ms to open 5,000 notes`);
  return `a review of 5,000 notes opens in ${Math.round(time)} ms`;
}

async function filters(page, written) {
  await open(page, written);
  const choose = async (id, value) => {
    await page.selectOption(`#${id}`, value);
    return position(page);
  };
  equal(await choose('by-warning', 'failed'), '1 of 2 notes that match', 'failed');
  expect(await page.locator('#error').isVisible(), 'the error of a failed note is hidden');
  expect((await page.locator('#error').innerText()).includes('What is wrong with it.'), 'its reason is missing');
  equal(await page.locator('#note').textContent(), 'A note that failed.', 'its text');
  equal(await page.locator('#fields').innerText(), '', 'its fields');
  await page.keyboard.press('ArrowRight');
  equal(await page.locator('#id').innerText(), 'failed 2', 'the next failed');
  equal(await choose('by-warning', 'partly_unread'), '1 of 2 notes that match', 'partly unread');
  equal(await page.locator('#id').innerText(), 'wary', 'the wary note');
  expect(await page.locator('#degraded').isVisible(), 'nothing says that it is degraded');
  equal(await choose('by-field', 'stage'), '1 of 2 notes that match', 'a warning about the whole answer has no field');
  equal(await page.locator('#note mark:not([data-kind="off"], [data-kind="unread"])').count(), 2, 'marks of the stage');
  await choose('by-field', '');
  equal(await choose('by-warning', ''), '18 of 5,000 notes', 'the same note among all');
  equal(await choose('by-basis', 'unsupported'), '2 of 3 notes that match', 'unsupported');
  await choose('by-field', 'response');
  equal(await position(page), '1 of 2 notes that match', 'unsupported response');
  equal(await choose('by-warning', 'conflicting_values'), 'No note matches', 'none');
  expect(await page.locator('#one').isHidden(), 'a note is shown that does not match');
  await choose('by-field', '');
  await choose('by-basis', '');
  await choose('by-warning', '');
  equal(await choose('by-decision', 'none decided'), '1 of 4,998 notes that match', 'a failed note has nothing to decide');
  await page.locator('#failed summary').click();
  await page.getByRole('button', { name: 'failed 2' }).click();
  equal(await position(page), '20 of 5,000 notes', 'from the list of failed notes');
  await page.click('#next');
  expect((await page.locator('#no-text').isVisible()) && (await page.locator('#note').isHidden()), 'a text is shown that is not there');
  expect((await page.locator('button.value').count()) > 5, 'a result without its text is not shown');
}

async function quotes(page, written) {
  await open(page, written);
  let places = 0;
  for (const [index, { id, text, outcome }] of written.entries.slice(0, 24).entries()) {
    if (index > 0) await page.click('#next');
    equal(await page.locator('#id').textContent(), id, 'the id');
    // Carriage returns are the note's own.
    equal(await page.locator('#note').textContent(), text, 'the note as shown');
    const strange = await page.evaluate(() => [window.harmed ?? null, document.querySelectorAll('img, iframe, svg, form, link, base').length]);
    equal(strange, [null, 0], `harm done by ${text}`);
    if (outcome.result && text !== '') places += await highlightsAreQuotes(page, outcome.result);
  }
  expect(places >= 60, `only ${places} places`);
  return `${places} marked places of the review are their quotes`;
}

async function axe(page, written) {
  await open(page, written);
  await accessible(page, 'the review');
  await page.selectOption('#by-warning', 'partly_unread');
  await page.locator('button.value').first().focus();
  equal((await chosenWords(page)).length, 1, 'places of the first value');
  await accessible(page, 'a wary note');
  await page.selectOption('#by-warning', 'failed');
  await page.locator('#failed summary').click();
  await accessible(page, 'a failed note');
  for (const width of [1280, 928, 320]) {
    await page.setViewportSize({ width, height: 700 });
    await fitsWidth(page, `the review at ${width}`);
  }
}

const checks = [
  ['review: going through', {}, going], ['review: filters', {}, filters], ['review: quotes, hostile notes', {}, quotes],
  ['review: axe, light', { colorScheme: 'light' }, axe], ['review: axe, dark', { colorScheme: 'dark' }, axe],
];

module.exports = { write, checks };
