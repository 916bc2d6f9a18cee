// A person corrects values, in the page and in the review file: by keys alone, with selections, and what is saved of it.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { accessible, chosenWords, equal, expect, fitsWidth } = require('./chromium.cjs');
const { WARY, done, open, submit } = require('./person.cjs');
const NOTES = require('./ten-notes.cjs');

function write(writer, gateway) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'corrections-'));
  const file = path.join(folder, 'review.html');
  const lines = (entries) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const input = lines(NOTES.map(({ id, text, result }) => ({ id, text, outcome: { id, status: 200, result } })));
  fs.writeFileSync(file, execFileSync(writer, { input, maxBuffer: 1 << 30 }));
  const predictions = path.join(folder, 'results.jsonl');
  fs.writeFileSync(predictions, lines(NOTES.map(({ id, result }) => ({ id, status: 200, result }))));
  // The scores of the answers by labels.
  const score = (labels) => {
    const gold = path.join(folder, 'decisions.jsonl');
    fs.writeFileSync(gold, labels);
    const report = execFileSync(gateway, ['eval', '--gold', gold, '--predictions', predictions, '--format', 'json'], { env: { PATH: process.env.PATH } });
    return JSON.parse(report);
  };
  return { url: pathToFileURL(file).href, score, remove: () => fs.rmSync(folder, { recursive: true }) };
}

async function press(page, keys) {
  for (const key of keys) {
    if (key.text) await page.keyboard.type(key.text);
    else await page.keyboard.press(key);
  }
}

function told(page) {
  return page.locator('#decision-status').innerText();
}

// Presses Tab until the focus is on an element.
async function tabTo(page, selector) {
  for (let pressed = 0; pressed < 60; pressed += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  throw new Error(`Tab does not lead to ${selector}`);
}

async function saved(page, keys) {
  const [download] = await Promise.all([page.waitForEvent('download'), press(page, keys)]);
  return [download.suggestedFilename(), fs.readFileSync(await download.path(), 'utf8')];
}

function closeTo(got, wanted, what) {
  expect(typeof got === 'number' && Math.abs(got - wanted) < 1e-9, `${what}: ${got} instead of ${wanted}`);
}

function scoresAre({ micro }, { labelled, relaxed, exact, spurious }, what) {
  equal(micro.labelled, labelled, `labels ${what}`);
  for (const [measure, [right, wrong, missing]] of [['relaxed', relaxed], ['exact', exact]]) {
    closeTo(micro[measure].precision, right / (right + wrong), `${measure} precision ${what}`);
    closeTo(micro[measure].recall, right / (right + missing), `${measure} recall ${what}`);
    closeTo(micro[measure].f1, (2 * right) / (2 * right + wrong + missing), `${measure} F1 ${what}`);
  }
  closeTo(micro.spurious, spurious, `spurious ${what}`);
}

async function openFile(page, { url }) {
  await page.context().setOffline(true);
  await page.goto(url);
  await page.locator('#one').waitFor();
}

// Corrects ten notes by keys alone. The score of the answers is 1 if all are accepted as they are, and by the corrected
// labels what the table of the notes says.
async function tenNotes(page, file) {
  await openFile(page, file);
  await tabTo(page, '.all-fields');
  await press(page, ['j', 'd']);
  for (let at = 1; at < NOTES.length; at += 1) await press(page, ['ArrowRight', 'd']);
  const [name, all] = await saved(page, ['s']);
  equal(name, 'decisions.jsonl', 'the name of the file');
  equal(await page.locator('#decision-count').innerText(), '10 notes decided, 10 of them done. Saved. Scored in this note: all seven fields.', 'the count');
  scoresAre(file.score(all), { labelled: 70, relaxed: [31, 0, 0], exact: [31, 0, 0], spurious: 0 }, 'before');

  for (let at = 1; at < NOTES.length; at += 1) await page.keyboard.press('ArrowLeft');
  for (const [index, { id, text, keys }] of NOTES.entries()) {
    if (index > 0) await page.keyboard.press('ArrowRight');
    equal(await page.locator('#id').innerText(), id, 'the note');
    equal(await page.evaluate(() => document.activeElement.matches('#fields .value')), true, `focus in the list of note ${id}`);
    await press(page, keys);
    equal(await page.locator('#note').textContent(), text, `the text of note ${id}`);
  }
  equal(await told(page), 'Bone is in the record already (Metastasis site).', 'what is told of a value that is there');
  expect((await page.locator('#decision-count').innerText()).startsWith('10 notes decided, 9 of them done. Not saved yet.'), 'the count');
  // What was decided on the first note is still there.
  for (let at = 1; at < NOTES.length; at += 1) await page.keyboard.press('ArrowLeft');
  equal(await page.locator('.decision').allInnerTexts(), ['✓ accepted', '✓ accepted', '✓ accepted'], 'the first note');
  const [, corrected] = await saved(page, ['s']);
  scoresAre(file.score(corrected), { labelled: 64, relaxed: [26, 3, 5], exact: [25, 4, 5], spurious: 2 / 34 }, 'after');

  const lines = corrected.trimEnd().split('\n').map((line) => JSON.parse(line));
  equal(lines.map(({ id }) => id), NOTES.map(({ id }) => id), 'the order of the lines');
  equal(lines.map(({ text }) => text), NOTES.map(({ text }) => text), 'the texts');
  equal(lines[8].expected, { stage: null }, 'labels of a note that is not done');
  equal(lines[6].decisions, [], 'decisions that were undone');
  let quoted = 0;
  for (const { id, text, decisions } of lines) {
    for (const { value, start, end, action } of decisions.filter((one) => one.start !== null)) {
      equal([...text].slice(start, end).join(''), value, `the place of ${action} ${value} in note ${id}`);
      quoted += 1;
    }
  }
  const kinds = lines.flatMap(({ decisions }) => decisions.map(({ action, value, from, start }) => [action, value, from, start !== null]));
  equal(kinds, [
    ['accept', 'melanoma', null, true], ['accept', 'II', null, true], ['accept', 'dacarbazine', null, true], ['reject', 'Liver', null, true],
    ['accept', 'BRAF V600E', null, true], ['change', 'IIIB', 'II', true], ['add', 'nivolumab', null, true], ['add', 'PD-L1 80%', null, true],
    ['accept', 'II', null, true], ['reject', 'II', null, true], ['add', 'bone', null, false],
  ], 'decisions');
  // In another session the file is opened, and nothing else has to be decided.
  await page.reload();
  await page.setInputFiles('#decisions-file', { name: 'decisions.jsonl', mimeType: 'text/plain', buffer: Buffer.from(`${corrected}{"id":"x"}\n`) });
  await page.getByText('Opened the decisions on 10 notes. 1 line of the file belongs to no note here with the same text.').waitFor();
  equal(await page.locator('.decision').allInnerTexts(), ['✓ accepted', '✓ accepted', '✓ accepted'], 'the first note, opened');
  equal(await page.locator('#position').innerText(), '1 of 10 notes', 'all notes');
  for (const [state, shown] of [['none', 'No note matches'], ['decided', '1 of 1 note that matches'], ['done', '1 of 9 notes that match'], ['none decided', '1 of 1 note that matches']]) {
    await page.selectOption('#by-decision', state);
    equal(await page.locator('#position').innerText(), shown, `notes with decisions: ${state}`);
  }
  equal(await page.locator('#id').innerText(), '9', 'the note that is not done');
  await page.focus('#fields .value');
  const [, opened] = await saved(page, ['s']);
  equal(opened, corrected, 'what is saved of opened decisions');
  return `ten notes corrected by keys alone: relaxed micro F1 1 before, ${file.score(corrected).micro.relaxed.f1.toFixed(3)} after, ${quoted} places`;
}

// Nothing is decided by keys that are pressed elsewhere, and nothing that was typed or decided is lost unasked.
async function nothingLost(page, file) {
  await openFile(page, file);
  const counted = () => page.locator('#decision-count').innerText();
  await press(page, ['a', 'r', 'd', 's', 'n']);
  // Without any focus, the arrow keys that change the note lead into its list.
  await press(page, ['ArrowRight', 'ArrowLeft']);
  equal(await page.evaluate(() => document.activeElement.matches('[data-field="cancer_type"] button.value')), true, 'focus after an arrow key');
  await page.focus('#next');
  await press(page, ['a', 'r', 'd', 'n', 'c', 'Control+z']);
  await page.focus('#by-field');
  await press(page, ['r']);
  equal(await counted(), '0 notes decided, 0 of them done. Scored in this note: no field.', 'keys outside the list');
  equal(await page.locator('form').count(), 0, 'forms');
  await page.selectOption('#by-field', '');
  await page.click('#save-decisions');
  equal(await told(page), 'There is no decision to save.', 'what is told without a decision');
  // The value that was chosen before is not meant, although its place is still marked.
  await page.focus('[data-field="cancer_type"] button.value');
  await page.focus('[data-field="stage"] .field-name');
  equal((await chosenWords(page)).length, 1, 'marks of a chosen value');
  await press(page, ['a']);
  equal(await told(page), 'Choose a value first.', 'what is told without a value');
  // A change that is typed and not saved.
  await page.focus('[data-field="stage"] button.value');
  await press(page, ['c', { text: 'III' }]);
  expect(await page.locator('.value-form select').isHidden(), 'a changed value could get another field');
  await page.click('#next');
  equal(await told(page), 'In the note before: Changed II to III (Stage). Not found in the note: check it.', 'what is told of it');
  await page.click('#previous');
  equal(await page.locator('[data-field="stage"] .value-text').innerText(), 'III', 'the change');
  equal(await page.locator('[data-field="stage"] .decision').innerText(), '✎ changed from “II”', 'what is shown of it');
  await page.click('#undo');
  equal(await told(page), 'Undone: Changed II to III (Stage).', 'what is told of undo');
  await page.click('#undo');
  equal(await told(page), 'Nothing to undo in this note.', 'what is told without a step');
  await page.click('#redo');
  // A note keeps what is typed in it when saved decisions are opened.
  await page.click('#next');
  await page.focus('[data-field="stage"] button.value');
  await press(page, ['c', { text: 'IV' }]);
  const line = JSON.stringify({ id: NOTES[1].id, text: NOTES[1].text, done: true, decisions: [] });
  await page.setInputFiles('#decisions-file', { name: 'x.jsonl', mimeType: 'text/plain', buffer: Buffer.from(line) });
  await page.getByText('Opened the decisions on 0 notes. 1 note keeps its current decisions.').waitFor();
  equal(await page.locator('[data-field="stage"] .value-text').innerText(), 'IV', 'the typed change');
  // Leaving the file asks, until the decisions are saved.
  const [asked] = await Promise.all([page.waitForEvent('dialog'), page.evaluate(() => setTimeout(() => location.reload()))]);
  equal(asked.type(), 'beforeunload', 'the question');
  await page.locator('.decision').waitFor();
  await Promise.all([page.waitForEvent('download'), page.click('#save-decisions')]);
  await page.reload();
  equal(await counted(), '0 notes decided, 0 of them done. Scored in this note: no field.', 'what a reload leaves');
  const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length]);
  equal(kept, [0, 0], 'what is stored');
}

// The words between two positions of the note's text, as a mouse selects them.
async function select(page, words) {
  const box = (await page.evaluateHandle((wanted) => {
    const walker = document.createTreeWalker(document.getElementById('note'), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const at = node.data.indexOf(wanted);
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      const { left, right, top, bottom } = range.getBoundingClientRect();
      return { left, right, middle: (top + bottom) / 2 };
    }
    throw new Error(`${wanted} is not in one piece of the note`);
  }, words));
  const { left, right, middle } = await box.jsonValue();
  await page.mouse.move(left + 1, middle);
  await page.mouse.down();
  await page.mouse.move(right - 1, middle, { steps: 4 });
  await page.mouse.up();
}

async function selections(page, file) {
  await openFile(page, file);
  await page.click('#next');
  // A form that was opened with a selection and left adds nothing. White space around a selection does not count.
  await select(page, ' cyst');
  await page.click('#add');
  equal(await chosenWords(page), ['cyst'], 'the words that are marked');
  await page.click('#previous');
  equal(await told(page), '', 'what is told of a form that was left');
  await page.click('#next');
  // To select a marked word chooses no value.
  await select(page, 'dacarbazine');
  equal(await chosenWords(page), [], 'places of a chosen value');
  await page.keyboard.press('n');
  equal(await page.inputValue('.value-form input'), 'dacarbazine', 'the selected words');
  await press(page, ['End', { text: 's' }]);
  equal(await page.locator('#value-hint').innerText(), 'Not found in the note: it is saved with this remark.', 'what is told of other words');
  await press(page, ['Backspace']);
  equal(await page.locator('#value-hint').innerText(), 'In the note in 1 place.', 'what is told of words that were typed');
  await press(page, ['Escape']);
  await select(page, 'harmless');
  await page.click('#add');
  equal(await page.inputValue('.value-form input'), 'harmless', 'the selected words');
  equal(await page.locator('#value-hint').innerText(), 'Selected in the note.', 'what is told of them');
  equal(await chosenWords(page), ['harmless'], 'the words that are marked');
  await page.selectOption('.value-form select', 'response');
  await page.getByRole('button', { name: 'Save value' }).click();
  equal(await page.locator('[data-field="response"] .value-text').innerText(), 'harmless', 'the added value');
  // With the key, while the focus is in the note; then other words, while the form is open. They may be those of a mark.
  await select(page, 'cyst');
  await page.keyboard.press('n');
  equal(await page.inputValue('.value-form input'), 'cyst', 'the selected words');
  await select(page, 'dacarbazine');
  await page.waitForFunction(() => document.querySelector('.value-form input').value === 'dacarbazine');
  equal(await page.evaluate(() => document.activeElement.matches('.value-form input')), true, 'focus after a selection');
  await page.selectOption('.value-form select', 'biomarker');
  await page.focus('.value-form input');
  await page.keyboard.press('Enter');
  const value = page.locator('[data-field="biomarker"] button.value');
  equal(await value.evaluate((button) => button === document.activeElement), true, 'focus on the added value');
  equal(await chosenWords(page), ['dacarbazine'], 'its place');
  equal(await page.locator('.if-person').isVisible(), true, 'the legend');
  // Its buttons; a value of one's own that is rejected is gone.
  await page.getByRole('button', { name: 'Reject', exact: true }).click();
  equal(await value.count(), 0, 'a value that was added and rejected');
  equal(await told(page), 'Removed dacarbazine (Biomarker).', 'what is told of it');
  equal(await page.evaluate(() => document.activeElement.closest('section').dataset.field), 'biomarker', 'focus after it');
  await page.focus('[data-field="metastasis_site"] button.value');
  await page.getByRole('button', { name: 'Reject', exact: true }).click();
  equal(await page.locator('#note mark', { hasText: 'Liver' }).getAttribute('data-kind'), 'left-out', 'the mark of a rejected value');
  await page.getByRole('button', { name: 'Accept', exact: true }).click();
  equal(await page.locator('#note mark', { hasText: 'Liver' }).getAttribute('data-kind'), 'stated', 'the mark of an accepted value');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
  equal(await page.evaluate(() => document.activeElement.matches('[data-field="metastasis_site"] button.value')), true, 'focus after Escape');
}

// The page: one note, by keys alone, and markup that a person types.
async function onePage(page, base) {
  await open(page, base);
  await submit(page, WARY);
  await done(page);
  await tabTo(page, '.all-fields');
  // The second value of the first field, the stage, a value that is not in the record, a field without a value.
  await press(page, ['j', 'j', 'r', 'j', 'c', { text: 'IIIB' }, 'Enter', 'j', 'a', 'j', 'n', { text: '<img src=x onerror="window.harmed=1">' }, 'Enter', 'd']);
  equal(await page.locator('.decision').allInnerTexts(), ['✗ rejected', '✎ changed from “IV”', '✓ accepted into the record', '+ added'], 'decisions');
  equal(await page.evaluate(() => [window.harmed ?? null, document.querySelectorAll('main img').length]), [null, 0], 'harm done');
  await accessible(page, 'a corrected note');
  for (let pressed = 0; pressed < 60 && !(await page.evaluate(() => document.activeElement.id === 'save-decisions')); pressed += 1) {
    await page.keyboard.press('Shift+Tab');
  }
  const [name, text] = await saved(page, ['Enter']);
  equal(name, 'decisions-test-answer.jsonl', 'the name of the file');
  const line = JSON.parse(text);
  equal([line.id, line.text, line.done], ['test-answer', WARY, true], 'the line');
  equal(line.expected, {
    cancer_type: 'lung adenocarcinoma', stage: 'IIIB', gene_mutation: 'EGFR', biomarker: '<img src=x onerror="window.harmed=1">', treatment: null,
    response: 'complete response', metastasis_site: 'liver',
  }, 'the labels');
  // A note is not left with decisions that are not saved, unless the person says so.
  await page.focus('[data-field="stage"] button.value');
  await page.keyboard.press('u');
  await page.click('#edit');
  expect(await page.locator('#decisions').isVisible(), 'the note was left');
  await page.click('#edit');
  expect(await page.locator('#decisions').isHidden(), 'decisions are shown without their note');
  await page.click('#extract');
  await done(page);
  equal(await page.locator('#decision-count').innerText(), '0 decisions. Scored in this note: no field.', 'what is left of them');
}

async function axe(page, file) {
  await openFile(page, file);
  await page.selectOption('#by-field', '');
  for (const keys of [['r'], ['c'], ['Escape', 'n'], [{ text: 'nowhere' }, 'Enter'], ['n', 'Enter'], ['Escape', 'd']]) {
    if (keys[0] === 'r') await page.locator('button.value').nth(1).focus();
    await press(page, keys);
    await accessible(page, `the review after ${JSON.stringify(keys)}`);
  }
  await page.locator('#decisions summary').click();
  await page.focus('button.value');
  await press(page, ['c']);
  for (const width of [1280, 928, 320]) {
    await page.setViewportSize({ width, height: 700 });
    await fitsWidth(page, `a form at ${width}`);
  }
  await accessible(page, 'a narrow form');
}

const asksOnce = { dialogs: [['beforeunload', false]] };
const asksTwice = { dialogs: [['confirm', false], ['confirm', true]] };

const ofFile = [
  ['corrections: ten notes by keys', {}, tenNotes], ['corrections: nothing lost', asksOnce, nothingLost], ['corrections: selections', {}, selections],
  ['corrections: axe, light', { colorScheme: 'light' }, axe], ['corrections: axe, dark', { colorScheme: 'dark' }, axe],
];
const ofPage = [
  ['corrections: the page', { ...asksTwice, colorScheme: 'light' }, onePage], ['corrections: the page, dark', { ...asksTwice, colorScheme: 'dark' }, onePage],
];

module.exports = { write, ofFile, ofPage };
