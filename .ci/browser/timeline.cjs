// The timelines of patients in the review file of a real run: what is shown, that a place opens its note, by keys too.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { accessible, chosenWords, equal, expect, fitsWidth } = require('./chromium.cjs');

const HOSTILE = '</script><b>P2';
const NOTES = [
  { pid: 'P1', id: 1, day: '2021-03-10', text: 'Invasive ductal carcinoma of the left breast, stage IIA. ER positive.' },
  { pid: 'P1', id: 2, day: '2022-06-01', text: 'Left breast cancer. Letrozole was started in April 2021 and stopped in May 2022 due to arthralgia.' },
  { pid: 'P1', id: 3, day: '2024-05-20', text: 'Left breast cancer, stage IV, bone metastases. Lung adenocarcinoma, stage I, in 2010.' },
  { pid: HOSTILE, id: 1, day: '2020-01-01', text: 'Melanoma <b>stage III</b>.' },
  { pid: HOSTILE, id: 1, day: '2020-01-01', text: 'The second note with this id.' },
];

function write(gateway) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'timelines-'));
  fs.writeFileSync(path.join(folder, 'notes.jsonl'), NOTES.map((note) => `${JSON.stringify(note)}\n`).join(''));
  const columns = ['--patient-column', 'pid', '--date-column', 'day', '--engine', 'rules', '--config', '/dev/null'];
  const run = spawnSync(gateway, ['extract', 'notes.jsonl', ...columns, '--out', 'out.jsonl', '--review', 'review.html'], { cwd: folder, encoding: 'utf8', env: { PATH: process.env.PATH } });
  // One note has the id of another.
  equal(run.status, 3, `the run: ${run.stderr}`);
  return { url: pathToFileURL(path.join(folder, 'review.html')).href, remove: () => fs.rmSync(folder, { recursive: true }) };
}

async function timelines(page, { url }) {
  await page.context().setOffline(true);
  await page.goto(url);
  await page.locator('#patients').waitFor();
  const text = (selector) => page.locator(selector).allInnerTexts();
  equal(await text('#patient option'), ['P1', HOSTILE], 'the patients');
  equal(await text('#timeline h3'), ['1 contradiction', 'invasive ductal carcinoma (left): 3 notes', 'lung adenocarcinoma: 1 note'], 'the tumours');
  const rows = async (at) => (await page.locator('#timeline table').nth(at).locator('tbody tr').allInnerTexts()).map((row) => row.replaceAll(/\s+/g, ' ').trim());
  equal(await rows(0), [
    '2021-03-10 (note) Stage IIA 1',
    '2021-03-10 (note) Biomarker ER positive 1',
    '2021-04 Treatment letrozole started 2021-04, stopped 2022-05, because of “arthralgia” 2',
    '2024-05-20 (note) Stage IV 3',
    '2024-05-20 (note) Metastasis site bone 3',
  ], 'the entries');
  expect((await text('#timeline .warnings li')).join().includes('Stages differ (Stage)'), 'the contradiction is not shown');
  await accessible(page, 'a timeline');
  // By keys: to the place of the second stage, which opens the third note.
  const place = page.locator('#timeline table').first().locator('button', { hasText: '3' }).first();
  await place.focus();
  await page.keyboard.press('Enter');
  equal(await page.locator('#id').innerText(), 'P1 / 3', 'the note of the place');
  equal(await page.evaluate(() => document.activeElement.id), 'note', 'the focus is on the note');
  equal(await chosenWords(page), ['stage IV'], 'the words of the value');
  await page.selectOption('#patient', '1');
  equal(await text('#timeline h3'), ['melanoma: 1 note'], 'the other patient');
  equal(await text('#timeline .notice'), ['1 note could not be read: the timeline is not complete.'], 'what is missing');
  await page.locator('#timeline button').first().click();
  equal(await page.locator('#id').innerText(), `${HOSTILE} / 1`, 'the note of the other patient');
  await page.setViewportSize({ width: 320, height: 800 });
  await fitsWidth(page);
}

module.exports = { write, ofFile: [['timelines', {}, timelines]] };
