// Questions about the note on the page: asked by keyboard, answered from the record, with the quotes marked in the note.
'use strict';

const { accessible, equal, expect } = require('./chromium.cjs');
const { done, open, submit } = require('./person.cjs');

const NOTE = '😀 Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib. No brain metastases.';

async function ask(page, question) {
  await page.focus('#question');
  await page.keyboard.press('Control+A');
  await page.keyboard.type(question);
  await page.keyboard.press('Enter');
}

function marked(page) {
  return page.locator('#note mark[data-kind="person"]').allInnerTexts();
}

async function questions(page, base) {
  await open(page, base);
  expect(await page.locator('#ask').isHidden(), 'a question can be asked before there is a note');
  await submit(page, NOTE);
  await done(page);
  await ask(page, 'Which mutation was found?');
  await page.locator('#reply .reply').waitFor();
  equal(await page.locator('#reply .reply').innerText(), 'Gene mutation: EGFR L858R.', 'the answer');
  equal(await marked(page), ['EGFR L858R'], 'the words that are marked');
  expect((await page.locator('#reply').innerText()).includes('Not for diagnosis'), 'the disclaimer is not shown');
  await accessible(page, 'an answer to a question');
  await ask(page, 'Are there brain metastases?');
  await page.getByText('brain: denied').waitFor();
  // The quote is a button, which is reached with Tab.
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  equal(await page.evaluate(() => document.activeElement.closest('#reply') !== null), true, 'the focus on a quote');
  await page.keyboard.press('Enter');
  expect((await marked(page)).join(' ').includes('brain'), 'the chosen quote is not marked');
  await ask(page, 'Does she smoke?');
  await page.getByText('has no model for other questions').waitFor();
  equal(await marked(page), [], 'marks without a quote');
  await page.click('#edit');
  equal(await page.locator('#reply').textContent(), '', 'an answer beside another note');
  expect(await page.locator('#ask').isHidden(), 'a question can be asked while the note is edited');
}

async function refused(page, base) {
  await open(page, base);
  await submit(page, NOTE);
  await done(page);
  const problem = { type: 'about:blank', title: 'Overloaded', status: 503, code: 'overloaded', detail: 'Too many questions.', request_id: 'x' };
  const answer = { status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) };
  await page.route('**/api/v1/ask', (route) => route.fulfill(answer));
  await ask(page, 'Stage?');
  await page.getByText('Too many questions.').waitFor();
  equal(await marked(page), [], 'marks without an answer');
}

module.exports = [
  ['questions about the note are asked and answered', {}, questions],
  ['a question that is not answered says so', { expected: [503] }, refused],
];
