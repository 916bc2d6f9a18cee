// The page /ui for every hand and eye: keys alone, narrow windows, files, the counter, axe-core in each state and both schemes.
'use strict';

const { accessible, chosenWords, equal, expect, fitsWidth } = require('./chromium.cjs');
const { WARY, done, failed, open, submit } = require('./person.cjs');

async function counting(page, base) {
  await open(page, base);
  const said = () => page.locator('#count').innerText();
  equal(await said(), '0 of 100,000 characters', 'count of nothing');
  await page.fill('#text', '😀é\n');
  equal(await said(), '3 of 100,000 characters', 'count of three');
  const set = (size, character) => page.evaluate(([length, one]) => {
    document.getElementById('text').value = one.repeat(length);
    document.getElementById('text').dispatchEvent(new Event('input'));
  }, [size, character]);
  await set(100_000, '😀');
  equal([await said(), await page.locator('#text-error').innerText()], ['100,000 of 100,000 characters', ''], 'at the limit');
  let sent = 0;
  page.on('request', (request) => {
    sent += Number(request.url().endsWith('/stream'));
  });
  for (const [size, shown] of [[100_001, '100,001'], [200_001, 'more than 100,000']]) {
    await set(size, 'x');
    equal(await said(), `${shown} of 100,000 characters`, 'count over the limit');
    await page.click('#extract');
    expect((await page.locator('#text-error').innerText()).includes('longer than'), 'nothing is said of its length');
    equal(await page.getAttribute('#text', 'aria-invalid'), 'true', 'aria-invalid');
  }
  await page.fill('#text', ' \n');
  await page.click('#extract');
  expect((await page.locator('#text-error').innerText()).includes('no note'), 'nothing is said of a blank note');
  equal(sent, 0, 'requests that should not have been sent');
}

async function files(page, base) {
  await open(page, base);
  const give = (name, bytes) => page.setInputFiles('#file', { name, mimeType: 'text/plain', buffer: Buffer.from(bytes) });
  await give('note.txt', '\ufeffStage II é😀\r\nline two');
  await page.waitForFunction(() => document.getElementById('text').value === 'Stage II é😀\nline two');
  for (const [bytes, told] of [[[0xe9, 0x20], 'UTF-8'], [[65, 0, 66], 'zero bytes'], [Buffer.alloc(400_001, 65), 'larger']]) {
    await give('bad.txt', bytes);
    await page.locator('#text-error', { hasText: told }).waitFor();
  }
  const drop = (count) => page.evaluate((many) => {
    const dataTransfer = new DataTransfer();
    for (let index = 0; index < many; index += 1) dataTransfer.items.add(new File([`dropped ${index}`], `${index}.txt`));
    // Beside the box: even so the page must not be left for the file.
    const event = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true });
    document.querySelector('h1').dispatchEvent(event);
    return event.defaultPrevented;
  }, count);
  equal(await drop(1), true, 'the drop is taken');
  await page.waitForFunction(() => document.getElementById('text').value === 'dropped 0');
  await drop(2);
  // Several files are several notes.
  await page.locator('#many-found-title', { hasText: '2 notes' }).waitFor();
}

// Everything by keys alone: to a field, an example, a result, its evidence, back to the note.
async function keyboard(page, base) {
  await open(page, base);
  const tabTo = async (selector) => {
    for (let pressed = 0; pressed < 60; pressed += 1) {
      await page.keyboard.press('Tab');
      const there = await page.evaluate((wanted) => {
        const at = document.activeElement;
        const ring = getComputedStyle(at);
        return { found: at.matches(wanted), ring: parseFloat(ring.outlineWidth) >= 2 && ring.outlineStyle !== 'none', html: at.outerHTML };
      }, selector);
      expect(there.ring || there.html.startsWith('<body'), `no ring around ${there.html}`);
      if (there.found) return;
    }
    throw new Error(`Tab does not lead to ${selector}`);
  };
  await tabTo('#text');
  await page.keyboard.type('Stage IV lung cancer with liver metastases. No brain metastases.');
  await page.keyboard.press('Control+Enter');
  await done(page);
  equal(await page.evaluate(() => document.activeElement.id), 'result-title', 'focus at the result');
  await tabTo('.all-fields');
  await tabTo('[data-field="stage"] .field-name');
  await page.keyboard.press('Enter');
  equal(await page.getAttribute('[data-field="stage"] .field-name', 'aria-pressed'), 'true', 'a field by keys');
  await tabTo('[data-field="stage"] button.value');
  equal(await chosenWords(page), ['Stage IV'], 'evidence by keys');
  await page.keyboard.press('Escape');
  equal(await chosenWords(page), [], 'evidence after Escape');
  await tabTo('#copy');
  await page.keyboard.press('Shift+Tab');
  // The buttons that decide on the last value stand between it and the result's own.
  equal(await page.evaluate(() => document.activeElement.matches('[data-field="metastasis_site"] .decide button:last-child')), true, 'Shift+Tab');
  await tabTo('#save-csv');
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
  expect(download.suggestedFilename().endsWith('.csv'), 'a download by keys');
  for (let pressed = 0; pressed < 60 && !(await page.evaluate(() => document.activeElement.id === 'edit')); pressed += 1) {
    await page.keyboard.press('Shift+Tab');
  }
  await page.keyboard.press('Space');
  equal(await page.evaluate(() => document.activeElement.id), 'text', 'back at the note');
  await tabTo('#examples button:last-child');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Control+Enter');
  await done(page);
}

async function narrow(page, base) {
  await open(page, base);
  const long = `${'x'.repeat(3000)} Stage IV lung cancer. ${'Pneumonoultramicroscopic'.repeat(20)} osimertinib`;
  const states = [
    ['the empty page', async () => {}],
    ['a long word', async () => (await submit(page, long), done(page))],
    ['a wary result', async () => (await submit(page, WARY), done(page))],
    ['an error', async () => (await submit(page, 'proxy: refused'), failed(page))],
  ];
  for (const [what, reach] of states) {
    await reach();
    for (const width of [1600, 928, 927, 600, 320]) {
      await page.setViewportSize({ width, height: 700 });
      await fitsWidth(page, `${what} at ${width}`);
    }
  }
}

async function axe(page, base) {
  await open(page, base);
  await accessible(page, 'the empty page');
  await page.click('#extract');
  await accessible(page, 'a blank note');
  await submit(page, 'proxy: stalls');
  await page.locator('.provisional').waitFor();
  await accessible(page, 'a note that is read');
  await page.click('#cancel');
  await submit(page, WARY);
  await done(page);
  await accessible(page, 'a wary result');
  const values = page.locator('button.value');
  for (let index = 0; index < (await values.count()); index += 1) {
    await values.nth(index).focus();
    await accessible(page, `value ${index}`);
  }
  await page.click('[data-field="stage"] .field-name');
  await accessible(page, 'one field');
  await submit(page, 'proxy: refused');
  await failed(page);
  await accessible(page, 'an error');
  await submit(page, 'proxy: stranger');
  await failed(page);
  await accessible(page, 'a key that is asked for');
}

const statuses = { expected: [401, 503] };
const dark = { ...statuses, colorScheme: 'dark', viewport: { width: 1280, height: 800 } };
const light = { ...dark, colorScheme: 'light' };
const small = { ...dark, viewport: { width: 320, height: 640 } };

module.exports = [
  ['counter', {}, counting], ['files', {}, files], ['keyboard', {}, keyboard], ['widths', statuses, narrow],
  ['axe, light', light, axe], ['axe, dark', dark, axe], ['axe, narrow', small, axe],
];
