// Several notes on the page /ui for every hand and eye: keys alone, paper, narrow windows, both colours by system and by choice.
'use strict';

const { accessible, equal, expect, fitsWidth } = require('./chromium.cjs');
const { TABLE, finished, read } = require('./many.cjs');
const { open } = require('./person.cjs');

// Everything by keys alone: from the choice to the list, a note, a decision, and back.
async function keyboard(page, base) {
  await open(page, base);
  const tabTo = async (selector) => {
    for (let pressed = 0; pressed < 60; pressed += 1) {
      await page.keyboard.press('Tab');
      const there = await page.evaluate((wanted) => {
        const at = document.activeElement;
        const ring = getComputedStyle(at);
        return { found: at.matches(wanted), ring: parseFloat(ring.outlineWidth) >= 2 && ring.outlineStyle !== 'none', html: at.outerHTML.slice(0, 200) };
      }, selector);
      expect(there.ring || there.html.startsWith('<body'), `no ring around ${there.html}`);
      if (there.found) return;
    }
    throw new Error(`Tab does not lead to ${selector}`);
  };
  const at = (expression) => page.evaluate(expression);
  await tabTo('#kind-many');
  await page.keyboard.press('Enter');
  await tabTo('#many-example');
  await page.keyboard.press('Space');
  equal(await at('document.activeElement.id'), 'many-text', 'focus at the examples');
  await tabTo('#many-next');
  await page.keyboard.press('Enter');
  equal(await at('document.activeElement.id'), 'many-found-title', 'focus at what was found');
  await tabTo('#read-all');
  await page.keyboard.press('Enter');
  await finished(page);
  equal(await at('document.activeElement.id'), 'list-title', 'focus at the list');
  await tabTo('button.row');
  await page.keyboard.press('ArrowDown');
  const second = await at('document.activeElement.querySelector(".row-id").textContent');
  await page.keyboard.press('Enter');
  equal(await page.locator('#note-id').innerText(), second, 'the second note');
  equal(await at('document.activeElement.id'), 'result-title', 'focus at the note');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  equal(await page.locator('#position').innerText(), '· 3 of 3 notes', 'the last note');
  await page.keyboard.press('ArrowLeft');
  await tabTo('button.value');
  await page.keyboard.press('a');
  equal(await page.locator('#decision-count').innerText(), '1 note decided, 0 of them done. Not saved yet. Scored in this note: Cancer type.', 'the decision');
}

async function print(page, base) {
  await read(page, base);
  await page.locator('.row', { has: page.getByText('A-2', { exact: true }) }).last().click();
  await page.emulateMedia({ media: 'print' });
  const seen = (selector) => page.locator(selector).evaluateAll((all) => all.map((one) => one.checkVisibility()));
  expect((await seen('#fields .details')).every(Boolean), 'the details of a value are not printed');
  expect((await seen('button:not(.value, .field-name)')).every((one) => !one), 'a button is printed');
  for (const selector of ['#note', '#note-id', '#provenance', '.foot']) equal(await seen(selector), [true], `${selector} is printed`);
  equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(255, 255, 255)', 'the paper');
  const [record, note] = await page.evaluate(() => [document.getElementById('fields'), document.getElementById('note')].map((one) => one.getBoundingClientRect().top));
  expect(record < note, 'the note is printed before its record');
  await accessible(page, 'on paper');
  expect((await page.pdf({ format: 'A4' })).length > 10_000, 'nothing is printed');
}

// Each state at each width, in the colours of the system or those that the person chose.
async function axe(page, base, chosen) {
  await open(page, base);
  if (chosen) await page.selectOption('#theme', chosen);
  const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const isDark = (await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches)) !== (chosen !== null);
  equal(back, isDark ? 'rgb(15, 21, 24)' : 'rgb(244, 246, 247)', 'the colours');
  const look = async (what) => {
    for (const width of [1280, 768, 390]) {
      await page.setViewportSize({ width, height: 800 });
      await fitsWidth(page, `${what} at ${width}`);
      await accessible(page, `${what} at ${width}`);
    }
  };
  await look('the empty page');
  await page.click('#kind-many');
  await page.click('#many-next');
  await look('no notes');
  await page.fill('#many-text', TABLE);
  await page.click('#many-next');
  await look('what was found');
  await page.click('#read-all');
  await finished(page);
  await page.locator('.row').nth(2).hover();
  await look('the list');
  // What is cut off in a row does not widen the page.
  equal(await page.locator('.list > li').evaluateAll((all) => all.filter((row) => row.scrollWidth > row.clientWidth).length), 0, 'rows that are cut off at 390');
  await page.locator('.row').nth(2).click();
  await page.locator('button.value').first().focus();
  await page.keyboard.press('a');
  await look('a note of the list');
}

module.exports = [
  ['several: keyboard', {}, keyboard], ['several: print, dark', { colorScheme: 'dark' }, print],
  ['several: axe, light', { colorScheme: 'light' }, (page, base) => axe(page, base, null)],
  ['several: axe, dark', { colorScheme: 'dark' }, (page, base) => axe(page, base, null)],
  ['several: axe, dark chosen', { colorScheme: 'light' }, (page, base) => axe(page, base, 'dark')],
  ['several: axe, light chosen', { colorScheme: 'dark' }, (page, base) => axe(page, base, 'light')],
];
