// What a person does on the page /ui, and what is left there of an answer.
'use strict';

const fs = require('node:fs');
const { PATIENCE, equal, expect } = require('./chromium.cjs');

const WARY = `proxy: wary

58-year-old woman with adenocarcinoma of the lung, widely metastatic, hepatic lesions; no brain metastases. EGFR testing is
pending. The end was not read: 😀 xxxxx`;

async function open(page, base) {
  await page.goto(`${base}/ui`);
  await page.locator('#examples button').first().waitFor();
}

async function submit(page, text) {
  if (await page.locator('#edit').isVisible()) await page.click('#edit');
  await page.fill('#text', text);
  await page.click('#extract');
}

async function done(page) {
  await page.locator('#after').waitFor();
}

async function failed(page) {
  await page.locator('#error').waitFor();
}

function within(promise, message) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(message)), PATIENCE.timeout).unref());
  return Promise.race([promise, late]);
}

// The answer as the page gives it to a person.
async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click(button)]);
  return [download.suggestedFilename(), fs.readFileSync(await download.path(), 'utf8')];
}

// Nothing of any answer is left.
async function cleared(page, what) {
  const left = await page.evaluate(() => {
    const shown = [...document.querySelectorAll('.value, .provisional, .waiting, mark[data-values], #warnings > *')];
    const told = ['note', 'fields', 'warnings', 'provenance', 'phase'].filter((id) => document.getElementById(id).textContent !== '');
    return [...shown.map((element) => element.outerHTML), ...told];
  });
  equal(left, [], `what is left ${what}`);
  expect(await page.locator('#degraded').isHidden(), `still called degraded ${what}`);
}

module.exports = { WARY, open, submit, done, failed, within, saved, cleared };
