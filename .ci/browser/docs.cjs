// /docs of a running gateway: every operation is drawn and can be tried out as it stands there, as a person would.
'use strict';

const { PATIENCE, equal, expect } = require('./chromium.cjs');

const FIELDS = [
  'cancer_type', 'stage', 'gene_mutation', 'biomarker', 'treatment', 'response', 'metastasis_site',
];

async function operations(base) {
  const document = await (await fetch(`${base}/openapi.json`)).json();
  const methods = new Set(['get', 'put', 'post', 'delete', 'patch', 'head', 'options']);
  return Object.entries(document.paths).flatMap(([path, item]) => {
    return Object.keys(item).filter((key) => methods.has(key)).map((method) => ({ method, path, of: item[method] }));
  });
}

// Executes the block as it is filled in; gives the answer's body.
async function execute(page, block, path) {
  const [answer] = await Promise.all([
    page.waitForResponse((response) => new URL(response.url()).pathname === path, PATIENCE),
    block.locator('button.execute').click(),
  ]);
  const body = await answer.text();
  equal(answer.status(), 200, `status of the example of ${path}, with ${body.slice(0, 300)}`);
  const shown = block.locator('.live-responses-table .response-col_status').last();
  await shown.waitFor(PATIENCE);
  expect((await shown.innerText()).trim().startsWith('200'), `${path}: the status is shown as "${await shown.innerText()}"`);
  return body;
}

async function tryOut(page, { method, path, of }) {
  const block = page.locator(`.opblock-${method}:has([data-path="${path}"])`);
  await block.locator('.opblock-summary').click();
  await block.locator('.try-out__btn').click();
  const kinds = Object.keys(of.requestBody?.content ?? { none: null });
  for (const kind of kinds) {
    if (kinds.length > 1) await block.locator('.body-param-content-type select').selectOption(kind);
    const body = await execute(page, block, path);
    // Lines are sent as they stand there, and not as one JSON string.
    if (path === '/api/v1/extract/lines') expect(body.includes('"status":200'), `the example of lines is not read: ${body}`);
    if (path !== '/api/v1/extract') continue;
    const sent = JSON.parse(await block.locator('textarea.body-param__text').inputValue(PATIENCE));
    expect(typeof sent.text === 'string' && sent.text.length > 20, 'the prefilled example is not a note');
    const record = JSON.parse(body);
    expect(FIELDS.every((name) => name in record), `the answer lacks fields: ${body}`);
    expect(FIELDS.some((name) => record[name] !== null), 'nothing was found in the prefilled example');
  }
  await block.locator('.opblock-summary').click();
  return kinds.length;
}

module.exports = async function check(page, base) {
  await page.goto(`${base}/docs`, PATIENCE);
  await page.locator('.opblock').first().waitFor(PATIENCE);
  const documented = await operations(base);
  equal(await page.locator('.opblock').count(), documented.length, 'operations on the page');
  let examples = 0;
  // A gateway as it starts has no jobs, no dictation, no scans and no counted usage: their routes answer that they are off, most of those
  // of jobs need the id of a job, dictation a recording, and scans a picture.
  const off = ({ path, of }) => of.tags.includes('jobs') || ['/api/v1/transcribe', '/api/v1/scan', '/api/v1/usage'].includes(path);
  const tried = documented.filter((operation) => !off(operation));
  expect(tried.length < documented.length, 'no operation that is off on the page');
  for (const operation of tried) examples += await tryOut(page, operation);
  return `${examples} examples of ${tried.length} operations in /docs answered 200; ${documented.length - tried.length} operations that are off are drawn`;
};
