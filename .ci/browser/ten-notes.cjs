// Ten made-up notes with the answers of a model, and what a person corrects in each, by keys alone.
'use strict';

const { answer, finding } = require('./proxy.cjs');

// In each note three fields have a value, which is right unless a correction says otherwise.
function note(id, { text = '', record = {}, evidence = {} }) {
  const whole = `Patient ${id}: 😀 melanoma, stage II. Treated with dacarbazine. ${text}`;
  const own = { cancer_type: 'melanoma', stage: 'II', treatment: 'dacarbazine', ...record };
  const found = Object.fromEntries(Object.entries(own).map(([field, value]) => [field, [finding(whole, value, value)]]));
  const more = Object.fromEntries(Object.entries(evidence).map(([field, [value, assertion]]) => {
    return [field, [finding(whole, value, value, { in_record: false, assertion })]];
  }));
  return { id, text: whole, result: answer(own, { ...found, ...more }, { request_id: `request-${id}` }) };
}

// Goes to a value, or to a field without values, from the top of the list.
const TO = { cancer_type: 1, stage: 2, gene_mutation: 3, biomarker: 4, treatment: 5, response: 6, metastasis_site: 7 };
const to = (field) => [...Array(8).fill('k'), ...Array(TO[field] - 1).fill('j')];
const typed = (text) => ({ text });

// The number after each note is that of the parts of its record that are right, wrong and missing by the corrected labels.
module.exports = [
  // 3, 0, 0: each value is accepted, by other keys.
  { ...note('1', {}), keys: [...to('cancer_type'), 'a', 'ArrowDown', 'a', ...to('treatment'), 'ArrowUp', 'ArrowDown', 'a'] },
  // 3, 1, 0: a value is rejected.
  { ...note('2', { text: 'Liver cyst, harmless.', record: { metastasis_site: 'Liver' } }), keys: [...to('metastasis_site'), 'r'] },
  // 3, 0, 1: a value that was left out is accepted.
  { ...note('3', { text: 'BRAF V600E.', evidence: { gene_mutation: ['BRAF V600E', 'uncertain'] } }), keys: [...to('gene_mutation'), 'a'] },
  // 2, 1, 1: a value is changed.
  { ...note('4', { text: 'Restaged: stage IIIB.' }), keys: [...to('stage'), 'c', typed('IIIB'), 'Enter'] },
  // 3, 0, 1: a second value is added.
  { ...note('5', { text: 'Then nivolumab.' }), keys: [...to('treatment'), 'n', typed('nivolumab'), 'Enter'] },
  // 3, 0, 1: a value is added to an empty field. The letters and arrows that are typed are no commands.
  { ...note('6', { text: 'PD-L1 80%.' }), keys: [...to('biomarker'), 'n', typed('uard'), 'ArrowLeft', 'ArrowDown', 'Control+a', typed('PD-L1 80%'), 'Enter'] },
  // 3, 0, 0: a rejection is undone, done again and undone.
  { ...note('7', {}), keys: [...to('stage'), 'r', 'Control+z', 'Control+y', 'u'] },
  // 3, 0, 0: one change is undone, another given up; then the value is accepted.
  { ...note('8', {}), keys: [...to('stage'), 'c', typed('III'), 'Enter', 'u', 'c', typed('IV'), 'Escape', 'a'] },
  // 0, 1, 0: the note is not done, so only the stage is scored, which is rejected.
  { ...note('9', {}), keys: [...to('stage'), 'r', 'd'] },
  // 3, 0, 1: a value that is not in the note is added for another field, changed, and added once more, which changes nothing.
  {
    ...note('10', {}),
    keys: [
      ...to('response'), 'n', 'Shift+Tab', 'ArrowDown', 'Tab', typed('brain'), 'Enter', 'c', typed('bone'), 'Enter', 'n', typed('Bone'), 'Enter',
    ],
  },
];
