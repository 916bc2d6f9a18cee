// The timelines of patients, in the review file and on the page: the contents of all notes of a patient, in order of
// time, with a button for each place that opens its note.

import { byId, element } from './dom.js';
import { ASSERTIONS, CONTRADICTIONS, FIELDS, counted, courseText, spoken } from './words.js';

const ROWS_SHOWN = 500;
const TIMED = Object.keys(FIELDS).filter((field) => field !== 'cancer_type');

export class Timelines {
  // `patients`: the answers of a patient each. `open(note, field, position)` shows a value of a note by its id in the file.
  constructor(patients, open) {
    this.patients = patients;
    this.open = open;
  }

  // Fills the choice of a patient and shows the first one, for a page that has all answers.
  choose() {
    byId('patients').hidden = this.patients.length === 0;
    if (this.patients.length === 0) return;
    byId('patient').append(...this.patients.map(({ patient }, index) => element('option', { value: index }, patient ?? 'no patient')));
    byId('patient').addEventListener('change', () => this.show());
    this.show();
  }

  show(one = this.patients[Number(byId('patient').value)]) {
    const { tumours, unassigned, contradictions, complete } = one.timeline;
    const parts = [];
    if (!complete) {
      const failed = one.summary.failed > 0 ? `${counted(one.summary.failed, 'note')} could not be read` : 'The run was stopped';
      parts.push(element('p', { class: 'notice' }, `${failed}: the timeline is not complete.`));
    }
    if (contradictions.length > 0) parts.push(this.contradictions(one, contradictions));
    for (const tumour of tumours) {
      const side = tumour.laterality ? ` (${tumour.laterality})` : '';
      const name = element('bdi', {}, tumour.cancer_type);
      parts.push(element('h3', {}, name, `${side}: ${counted(tumour.notes.length, 'note')}`), this.table(one, tumour, tumour.cancer_type));
    }
    if (TIMED.some((field) => unassigned[field].length > 0)) {
      parts.push(element('h3', {}, 'Of no tumour in particular'), this.table(one, unassigned, 'no tumour in particular'));
    }
    if (tumours.length === 0) parts.push(element('p', {}, 'The notes name no tumour.'));
    byId('timeline').replaceChildren(...parts);
  }

  contradictions(one, all) {
    const items = all.map(({ kind, field, message, statements }) => {
      const title = `${CONTRADICTIONS[kind] ?? spoken(kind)}${field ? ` (${FIELDS[field] ?? spoken(field)})` : ''}. `;
      const places = statements.flatMap((statement) => {
        const when = statement.date ? ` ${statement.date.value}` : '';
        return [element('bdi', {}, statement.value), `${when} `, this.place(one, statement, field), '; '];
      });
      return element('li', { 'data-kind': kind }, element('strong', {}, title), message, ' ', ...places.slice(0, -1));
    });
    return element('section', { class: 'warnings' }, element('h3', {}, counted(all.length, 'contradiction')), element('ul', {}, items));
  }

  // Returns the values of a tumour as one table in order of time.
  table(one, fields, name) {
    const rows = TIMED.flatMap((field) => fields[field].map((entry) => ({ field, entry })));
    const when = ({ entry }) => entry.date?.value ?? '9999';
    rows.sort((first, second) => when(first).localeCompare(when(second)));
    for (const { t, n, m, prefix, date, mention } of fields.tnm ?? []) {
      const value = `${prefix ?? ''}${[t, n, m].filter(Boolean).join(' ')}`;
      rows.push({ field: 'stage', entry: { value, date, mentions: [mention], mention_count: 1 } });
    }
    const cells = rows.slice(0, ROWS_SHOWN).map(({ field, entry }) => {
      const date = entry.date ? `${entry.date.value}${entry.date.source === 'note' ? ' (note)' : ''}` : 'not known';
      const more = entry.mention_count - entry.mentions.length;
      const places = entry.mentions.flatMap((mention) => [this.place(one, mention, field), ' ']);
      const course = entry.mentions.map((mention) => courseText(mention.course)).filter((text) => text !== '');
      return element('tr', {},
        element('td', {}, date),
        element('td', {}, FIELDS[field]),
        element('td', {}, element('bdi', {}, entry.value), ...(course.length > 0 ? [element('span', { class: 'small' }, ` ${course.join('; ')}`)] : [])),
        element('td', {}, ...places, more > 0 ? `and ${more} more` : null));
    });
    const heads = ['When', 'Field', 'Value', 'Notes'].map((head) => element('th', { scope: 'col' }, head));
    const caption = rows.length > ROWS_SHOWN ? `The first ${ROWS_SHOWN} of ${rows.length} entries` : counted(rows.length, 'entry', 'entries');
    return element('div', { class: 'scrolled', role: 'region', tabindex: '0', 'aria-label': `Timeline of ${name}` },
      element('table', {}, element('caption', { class: 'small' }, caption), element('thead', {}, element('tr', {}, heads)), element('tbody', {}, cells)));
  }

  // Returns a button that opens the note of a place.
  place(one, { note, index, assertion, start }, field) {
    const said = assertion && assertion !== 'present' ? `, ${ASSERTIONS[assertion] ?? spoken(assertion)}` : '';
    const button = element('button', { type: 'button', class: 'link' }, element('bdi', {}, String(note ?? index)));
    const id = one.patient === null ? String(note) : `${one.patient} / ${note}`;
    button.addEventListener('click', () => this.open(id, field ?? 'cancer_type', start));
    return element('span', {}, button, said);
  }
}
