// What the checks of pages share: a Chromium with no network but loopback, which notes whatever a page should not do.
'use strict';

const fs = require('node:fs');
const { chromium } = require('playwright-core');

const PATIENCE = { timeout: 60_000 };
const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

function equal(got, wanted, what) {
  const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)];
  expect(one === other, `${what}: ${one} instead of ${other}`);
}

function launch(executablePath) {
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      // A second wall behind the route below: no other name resolves at all.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
}

function isLocal(url, files) {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'file:') return files.includes(url);
  return ['data:', 'blob:', 'about:'].includes(protocol) || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
}

// Runs a check in a fresh profile. It fails where the page asked for anything that is not on this machine, broke its
// policy, threw, or wrote an error to its console; `expected` are the answers of the service that it is made to show, and
// `dialogs` the kinds of dialog that must come, in order, each with whether it is accepted.
async function inPage(browser, options, check) {
  const { expected = [], files = [], dialogs = [], ...more } = options;
  const awaited = [...dialogs];
  const context = await browser.newContext({ serviceWorkers: 'block', acceptDownloads: true, ...more });
  const outside = [];
  const errors = [];
  await context.route('**/*', (route) => {
    const url = route.request().url();
    if (isLocal(url, files)) return route.continue();
    outside.push(url);
    return route.abort();
  });
  context.on('console', (message) => {
    const known = expected.some((status) => message.text().includes(`status of ${status} `)) || expected.includes(message.text());
    if (message.type() === 'error' && !known) errors.push(`console: ${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (error) => errors.push(`page: ${error.error()}`));
  context.on('dialog', (dialog) => {
    const [kind, accepted] = awaited.shift() ?? [];
    if (kind !== dialog.type()) errors.push(`dialog: ${dialog.type()} ${dialog.message()}`);
    return accepted ? dialog.accept() : dialog.dismiss();
  });
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      window.violations.push(`${violatedDirective} ${blockedURI}`);
    });
  });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE.timeout);
    const told = await check(page, context);
    // What a page starts after its load event should be counted too.
    await page.waitForLoadState('networkidle', PATIENCE);
    equal(await page.evaluate(() => window.violations), [], 'violations of the policy');
    equal(outside, [], 'requests that left this machine');
    equal(errors, [], 'errors in the page');
    equal(awaited, [], 'dialogs that did not come');
    return told;
  } finally {
    await context.close();
  }
}

// No violation of any rule of axe-core, best practices among them.
async function accessible(page, what) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => (await window.axe.run(document)).violations.map(({ id, nodes }) => {
    return `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(' | ')}`;
  }));
  expect(found.length === 0, `axe-core on ${what}:\n${found.join('\n')}`);
}

// The words of a value as the page shows them: neighbouring marks are one place.
function chosenWords(page) {
  return page.evaluate(() => {
    const runs = [];
    let last = null;
    for (const mark of document.querySelectorAll('#note mark[data-chosen]')) {
      if (last !== null && mark.previousSibling === last) runs[runs.length - 1] += mark.textContent;
      else runs.push(mark.textContent);
      last = mark;
    }
    return runs;
  });
}

// Chooses each value in turn: the words that are marked for it are the quotes of the answer.
async function highlightsAreQuotes(page, result) {
  const buttons = page.locator('#fields button.value');
  let places = 0;
  let index = 0;
  const seen = new Set();
  const shown = await buttons.evaluateAll((all) => all.map((button) => {
    return [button.closest('section').dataset.field, button.querySelector('.value-text').textContent];
  }));
  for (const [field, value] of shown) {
    const button = buttons.nth(index);
    await button.focus();
    const id = await button.getAttribute('data-value');
    const quotes = quotesOf(result, field, value, seen);
    equal((await chosenWords(page)).sort(), quotes, `the marked words of ${field} ${value} (value ${id})`);
    expect(await page.locator(`#details-${id}`).isVisible(), `the details of ${field} ${value} are hidden`);
    places += quotes.length;
    index += 1;
  }
  equal(shown.length, seen.size, 'values shown and values of the answer');
  return places;
}

// The quotes of the first reading of a value that was not asked for before.
function quotesOf(result, field, value, seen) {
  const keyOf = (one) => JSON.stringify([field, one.value, one.in_record, one.basis, one.assertion, one.rule, one.tumour]);
  const of = result.evidence[field].filter((one) => one.value === value);
  const ordered = [...of.filter((one) => one.in_record), ...of.filter((one) => !one.in_record)];
  const key = ordered.map(keyOf).find((one) => !seen.has(one));
  seen.add(key);
  return of.filter((one) => keyOf(one) === key && one.quote !== null).map((one) => one.quote).sort();
}

async function fitsWidth(page, what) {
  const [wide, room] = await page.evaluate(() => {
    return [document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth];
  });
  expect(wide <= room, `${what}: ${wide} px wide in a window of ${room}`);
}

module.exports = { PATIENCE, expect, equal, launch, inPage, accessible, highlightsAreQuotes, chosenWords, fitsWidth };
