// Opens /docs of a running gateway in Chromium and tries an extraction there, as a person would.
//
//   NODE_PATH=.../node_modules node docs.cjs BASE_URL CHROMIUM
//
// Every request that would leave this machine is refused and counted: the page must need none.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { chromium } = require('playwright-core');

const EXTRACT = '.opblock-post:has([data-path="/api/v1/extract"])';
const FIELDS = [
  'cancer_type', 'stage', 'gene_mutation', 'biomarker', 'treatment', 'response', 'metastasis_site',
];
const PATIENCE = { timeout: 20_000 };

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

function isLocal(url) {
  const { protocol, hostname } = new URL(url);
  return ['data:', 'blob:', 'about:'].includes(protocol) || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
}

async function watch(context) {
  const seen = { outside: [], errors: [] };
  await context.route('**/*', (route) => {
    const url = route.request().url();
    if (isLocal(url)) return route.continue();
    seen.outside.push(url);
    return route.abort();
  });
  context.on('console', (message) => {
    if (message.type() === 'error') seen.errors.push(`console: ${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (error) => seen.errors.push(`page: ${error.error()}`));
  return seen;
}

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

async function check(context, base) {
  const seen = await watch(context);
  const page = await context.newPage();
  await page.goto(`${base}/docs`, PATIENCE);
  await page.locator(EXTRACT).waitFor(PATIENCE);
  const [drawn, documented] = [await page.locator('.opblock').count(), await countOperations(base)];
  expect(drawn === documented, `the page shows ${drawn} of ${documented} operations`);
  await tryExtract(page);
  // What a page starts after its load event should be counted too.
  await page.waitForLoadState('networkidle', PATIENCE);
  expect(seen.outside.length === 0, `requests left this machine:\n${seen.outside.join('\n')}`);
  expect(seen.errors.length === 0, `errors in the page:\n${seen.errors.join('\n')}`);
  return `${drawn} operations shown, the example answered 200, no request left loopback, no console error`;
}

async function main([base, executablePath]) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'docs-page-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    serviceWorkers: 'block',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      // A second wall behind the route above: no other name resolves at all.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
  try {
    console.log(await check(context, base));
  } finally {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
