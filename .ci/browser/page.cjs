// The page /ui, used as a person would, against a real gateway: what it shows of answers, and what is left of them. What a
// gateway does only when something is wrong comes from the proxy before it.
'use strict';

const { equal, expect, chosenWords, highlightsAreQuotes } = require('./chromium.cjs');
const HOSTILE = require('./hostile.cjs');
const { WARY, cleared, done, failed, open, saved, submit, within } = require('./person.cjs');

async function examples(page, base) {
  await open(page, base);
  let places = 0;
  const count = await page.locator('#examples button').count();
  for (let index = 0; index < count; index += 1) {
    if (await page.locator('#edit').isVisible()) await page.click('#edit');
    await page.locator('#examples button').nth(index).click();
    const text = await page.inputValue('#text');
    await page.click('#extract');
    await done(page);
    const [name, json] = await saved(page, '#save-json');
    const result = JSON.parse(json);
    equal(name, `extraction-${result.request_id}.json`, 'the name of the file');
    equal(await page.locator('#note').textContent(), text, 'the note as shown');
    places += await highlightsAreQuotes(page, result);
  }
  expect(places >= 25, `only ${places} places in the examples`);
  return `${places} marked places of the examples are their quotes`;
}

async function offsets(page, base) {
  await open(page, base);
  const text = '😀 Stage IIIB breast cancer\twith é😀; e\u0301 ER positive 👩‍🔬.\n\nسرطان. No liver metastases; trastuzumab, then trastuzumab.';
  await submit(page, text);
  await done(page);
  const [, json] = await saved(page, '#save-json');
  expect((await highlightsAreQuotes(page, JSON.parse(json))) >= 5, 'hardly anything is marked');
  equal(await page.locator('#note').textContent(), text, 'the note as shown');
}

async function oneField(page, base) {
  await open(page, base);
  await page.locator('#examples button').first().click();
  await page.click('#extract');
  await done(page);
  const off = () => page.locator('#note mark[data-kind="off"]').count();
  const all = await page.locator('#note mark').count();
  equal(await off(), 0, 'marks that are off at first');
  await page.click('[data-field="stage"] .field-name');
  equal(await off(), all - 1, 'marks that are off for the stage alone');
  await page.click('.all-fields');
  equal(await off(), 0, 'marks that are off for all');
  // From the note to its value.
  await page.locator('#note mark').nth(1).click();
  equal((await chosenWords(page)).length > 0, true, 'a mark that is clicked chooses its value');
  expect(await page.evaluate(() => document.activeElement.classList.contains('value')), 'the value is not focused');
}

// Nothing found and nothing there are different, and the page says which it may be.
async function nothing(page, base) {
  await open(page, base);
  await submit(page, 'The weather is fine, and nothing else is said.');
  await done(page);
  equal(await page.locator('#fields .none').count(), 7, 'fields without a value');
  await page.locator('#warnings [data-warning="no_oncology_terms"]').waitFor();
  expect((await page.locator('#status').innerText()).startsWith('0 of 7 fields have a value, 1 warning.'), 'what is told');
}

async function wary(page, base) {
  await open(page, base);
  await submit(page, WARY);
  await done(page);
  const [, json] = await saved(page, '#save-json');
  const result = JSON.parse(json);
  equal(await highlightsAreQuotes(page, result), 6, 'places within and across one another');
  expect(await page.locator('#degraded').isVisible(), 'nothing says that it is degraded');
  equal(await page.locator('#warnings li').count(), 3, 'warnings');
  equal(await page.locator('[data-field="response"] .badge[data-basis="unsupported"]').innerText(), 'Not found in the note', 'badge');
  equal(await page.locator('[data-field="metastasis_site"] .contradicted').innerText(), 'Not in the record: the note contradicts it', 'title');
  equal(await page.locator('#note mark[data-kind="unread"]').innerText(), 'xxxxx', 'the part that was not read');
  const [name, csv] = await saved(page, '#save-csv');
  expect(name.endsWith('.csv') && csv.startsWith('\ufefffield,') && csv.includes('\r\nbiomarker,,'), 'the CSV is none');
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.click('#copy');
  await page.getByText('Copied', { exact: true }).waitFor();
  equal(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), result, 'what was copied');
}

async function tumours(page, base) {
  await open(page, base);
  await submit(page, 'Stage IV lung cancer on osimertinib. Breast cancer, stage I, treated with lumpectomy in 2015.');
  await done(page);
  const [, json] = await saved(page, '#save-json');
  await highlightsAreQuotes(page, JSON.parse(json));
  equal(await page.locator('.tumours li').allInnerTexts(), ['lung cancer: the fields are its own', 'breast cancer: of the past'], 'tumours');
  equal(await page.locator('[data-field="treatment"] .left-out .badge.tumour').innerText(), 'breast cancer', 'whose lumpectomy');
  equal(await page.locator('[data-field="treatment"] .values:not(.left-out) .badge.tumour').innerText(), 'lung cancer', 'whose drug');
  await page.locator('#warnings [data-warning="several_primaries"]').waitFor();
  await page.locator('[data-field="treatment"] .left-out button.value').focus();
  const details = await page.locator('[data-field="treatment"] .left-out .details').innerText();
  expect(/Date\s*2015/.test(details) && /Tumour\s*breast cancer/.test(details), `the details of the lumpectomy: ${details}`);
  await page.locator('[data-field="treatment"] .values:not(.left-out) button.value').focus();
  const codes = await page.locator('[data-field="treatment"] .values:not(.left-out) .details').innerText();
  expect(/Codes\s*drugbank DB09330/.test(codes), `the codes of the drug: ${codes}`);
}

async function live(page, base, proxy) {
  await open(page, base);
  const gone = proxy.left('stalls');
  await submit(page, 'proxy: stalls');
  await page.locator('[data-field="cancer_type"] .provisional').waitFor();
  await page.locator('[data-field="stage"] .none:not(.waiting)').waitFor();
  equal(await page.locator('.waiting').count(), 5, 'fields that wait');
  expect(/^\d+\.\d+ s$/.test(await page.locator('#elapsed').innerText()), 'no time is shown');
  expect(await page.locator('#form').isHidden(), 'the form is still there');
  equal(await page.evaluate(() => document.activeElement.id), 'cancel', 'focus while it reads');
  await page.keyboard.press('Enter');
  await within(gone, 'the service is not told that the reader left');
  await cleared(page, 'after cancelling');
  equal(await page.inputValue('#text'), 'proxy: stalls', 'the note after cancelling');
  equal(await page.evaluate(() => document.activeElement.id), 'text', 'focus after cancelling');
  equal(await page.locator('#status').innerText(), 'Cancelled. Nothing is known about the note.', 'what is told');
  await submit(page, 'proxy: repeats');
  await page.locator('[data-field="stage"] .provisional').waitFor();
  expect(!(await page.locator('#fields').innerText()).includes('first attempt'), 'the first attempt is still there');
  proxy.finish();
  await done(page);
  equal(await page.locator('.value-text').allInnerTexts(), ['II'], 'values at the end');
}

async function errors(page, base) {
  await open(page, base);
  for (const [name, title, ...told] of [
    ['refused', 'Title of overloaded', 'The overloaded of a test.', 'overloaded', 'request test-overloaded', 'Try again in'],
    ['invalid', 'Title of invalid_request', 'What is wrong with it.', 'request test-invalid_request'],
    ['html', 'An answer that is not from this service', 'Status 502.', 'Nothing is known'],
    ['fails', 'Title of upstream_failed', 'The upstream_failed of a test.', 'request test-upstream_failed', 'Try again in'],
    ['dies', 'The answer broke off', 'Nothing is known', 'request test-head'],
    ['ends', 'The answer broke off', 'Nothing is known', 'request test-head'],
    ['stranger', 'Title of unauthorized', 'the field “API key”', 'request test-unauthorized'],
  ]) {
    await submit(page, 'Stage IV lung cancer, treated with osimertinib.');
    await done(page);
    await submit(page, `proxy: ${name}`);
    await failed(page);
    await cleared(page, `after ${name}`);
    equal(await page.locator('#error h3').innerText(), title, 'title');
    const text = await page.locator('#error').innerText();
    for (const part of told) expect(text.includes(part), `${name}: "${text}" lacks "${part}"`);
    equal(await page.evaluate(() => document.activeElement.id), 'error', 'focus after an error');
    equal(await page.inputValue('#text'), `proxy: ${name}`, 'the note after an error');
    expect(!(await page.locator('body').innerText()).includes('osimertinib'), `${name}: a value of the note before is still there`);
  }
  // A stranger is asked for a key, which goes along from then on and nowhere else.
  await page.fill('#key', 'a-key-of-a-test');
  const [request] = await Promise.all([page.waitForRequest('**/stream'), page.click('#error button')]);
  equal(await request.headerValue('x-api-key'), 'a-key-of-a-test', 'the key');
  await failed(page);
  const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie, location.href]);
  equal(kept, [0, 0, '', `${base}/ui`], 'what is kept');
  await page.reload();
  equal([await page.inputValue('#key'), await page.inputValue('#text')], ['', ''], 'what a reload leaves');
}

// By a clock of the test's own: nothing waits, and a slow machine changes nothing.
async function retry(page, base) {
  await page.clock.install();
  await open(page, base);
  await page.clock.pauseAt(Date.now() + 3_600_000);
  await submit(page, 'proxy: refused');
  await failed(page);
  const button = page.locator('#error button');
  for (const [passed, shown] of [[0, 'Try again in 9 s'], [3900, 'Try again in 6 s'], [4100, 'Try again in 1 s'], [1100, 'Try again']]) {
    await page.clock.runFor(passed);
    equal([await button.innerText(), await button.isDisabled()], [shown, shown !== 'Try again'], `after ${passed} ms more`);
  }
  const again = page.waitForResponse('**/stream');
  await button.click();
  equal((await again).status(), 503, 'status');
}

// At the moment of submitting, before anything else can happen.
async function atOnce(page, base) {
  await open(page, base);
  await page.locator('#examples button').first().click();
  await page.click('#extract');
  await done(page);
  const left = await page.evaluate(() => {
    document.getElementById('edit').click();
    const edited = document.querySelectorAll('.value, mark[data-values]').length;
    document.getElementById('text').value = 'proxy: stalls';
    document.getElementById('extract').click();
    return [edited, document.querySelectorAll('.value').length, document.querySelectorAll('#note mark').length];
  });
  equal(left, [0, 0, 0], 'values of the note before');
  await page.click('#cancel');
}

async function harmless(page, base) {
  await open(page, base);
  for (const text of [...HOSTILE, 'proxy: hostile Stage IV']) {
    await submit(page, text);
    await done(page);
    equal(await page.locator('#note').textContent(), text, 'the note as shown');
    const strange = await page.evaluate(() => {
      const places = ['note', 'fields', 'warnings', 'provenance'].map((id) => document.getElementById(id));
      const known = /^(MARK|SECTION|H3|BUTTON|UL|LI|BDI|SPAN|DL|DIV|DT|DD|Q|P|STRONG)$/;
      const all = places.flatMap((place) => [...place.querySelectorAll('*')]);
      return [window.harmed ?? null, all.map((element) => element.tagName).filter((name) => !known.test(name))];
    });
    equal(strange, [null, []], `harm done by ${text}`);
  }
  const [, csv] = await saved(page, '#save-csv');
  expect(csv.includes("'=1+1") && !/(^|,)=/m.test(csv), 'a formula is left in the CSV');
  return `${HOSTILE.length + 1} hostile texts harmless`;
}

async function root(page, base) {
  await page.goto(base);
  equal(page.url(), `${base}/ui`, 'where a browser comes to');
  await page.goto(`${base}/ui/`);
  equal(page.url(), `${base}/ui`, 'with a slash');
}

async function modes(page, base) {
  await open(page, base);
  const mode = page.locator('#mode');
  await mode.getByText('Rules engine').waitFor();
  for (const [status, told] of [['starting', 'still loading'], ['degraded', 'is degraded'], ['draining', 'shutting down']]) {
    await page.route('**/health', (route) => route.fulfill({ json: { status, engine: 'vllm', vllm_available: false, notices: ['auth_off', 'unheard_of'] } }));
    await page.reload();
    await mode.getByText(told).waitFor();
    await mode.getByText('No key is required').waitFor();
    await page.unroute('**/health');
  }
  await page.route('**/health', (route) => route.abort());
  await page.reload();
  await mode.getByText('does not answer').waitFor();
}

const statuses = {
  expected: [
    401, 422, 502, 503, 'Failed to load resource: net::ERR_FAILED',
    'Failed to load resource: net::ERR_INCOMPLETE_CHUNKED_ENCODING',
  ],
};

module.exports = [
  ['/ leads to the page', {}, root], ['examples', {}, examples], ['offsets', {}, offsets], ['one field', {}, oneField],
  ['nothing found', {}, nothing], ['wary result', {}, wary], ['two tumours', {}, tumours], ['live, cancel, reset', {}, live], ['errors', statuses, errors], ['countdown', statuses, retry],
  ['cleared at once', {}, atOnce], ['hostile notes', {}, harmless], ['modes', statuses, modes],
];
