// /docs of a running gateway: every operation is drawn, and those with an example can be tried out, as a person would.
'use strict';

const { PATIENCE, expect } = require('./chromium.cjs');

const EXTRACT = '.opblock-post:has([data-path="/api/v1/extract"])';
const FIELDS = [
  'cancer_type', 'stage', 'gene_mutation', 'biomarker', 'treatment', 'response', 'metastasis_site',
];
async function countOperations(base) {
  const document = await (await fetch(`${base}/openapi.json`)).json();
  const methods = new Set(['get', 'put', 'post', 'delete', 'patch', 'head', 'options']);
  return Object.values(document.paths).flatMap(Object.keys).filter((key) => methods.has(key)).length;
}

async function tryExtract(page) {
  const block = page.locator(EXTRACT);
  await block.locator('.opblock-summary').click();
  await block.locator('.try-out__btn').click();
  const sent = JSON.parse(await block.locator('textarea.body-param__text').inputValue(PATIENCE));
  expect(typeof sent.text === 'string' && sent.text.length > 20, 'the prefilled example is not a note');
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith('/api/v1/extract'), PATIENCE),
    block.locator('button.execute').click(),
  ]);
  const shown = await block.locator('.live-responses-table .response-col_status').last().innerText(PATIENCE);
  const body = await answer.text();
  expect(answer.status() === 200, `the prefilled example was answered ${answer.status()}: ${body}`);
  expect(shown.trim().startsWith('200'), `the page shows the status as "${shown}"`);
  const record = JSON.parse(body);
  expect(FIELDS.every((name) => name in record), `the answer lacks fields: ${body}`);
  expect(FIELDS.some((name) => record[name] !== null), 'nothing was found in the prefilled example');
}

async function check(page, base) {
  await page.goto(`${base}/docs`, PATIENCE);
  await page.locator(EXTRACT).waitFor(PATIENCE);
  const [drawn, documented] = [await page.locator('.opblock').count(), await countOperations(base)];
  expect(drawn === documented, `the page shows ${drawn} of ${documented} operations`);
  await tryExtract(page);
  return `/docs shows ${drawn} operations, the example was answered 200`;
}

module.exports = check;
