// Makes elements for the seven fields, their values and the warnings. It shows the answer and does not interpret it.

import { element } from './dom.js';
import { ASSERTIONS, BASES, BY_PERSON, COMPARISONS, DECISIONS, FIELDS, MEANINGS, ROLES, WARNINGS, plainMessage, spoken } from './words.js';

// Returns what each field means, for a page without a result.
export function meanings() {
  return Object.entries(FIELDS).map(([field, name]) => {
    const { meaning, example } = MEANINGS[field];
    return element('div', {}, element('dt', {}, name), element('dd', {}, meaning, element('span', { class: 'example' }, `for example ${example}`)));
  });
}

export function fieldSection(field, contents) {
  const name = element('button', { type: 'button', class: 'field-name', 'aria-pressed': 'false' }, FIELDS[field] ?? spoken(field));
  return element('section', { class: 'field', 'data-field': field }, element('h3', {}, name), ...contents);
}

export function noValue() {
  return element('p', { class: 'none' }, 'no value');
}

export function waitingField(field) {
  return fieldSection(field, [element('p', { class: 'none waiting' }, 'reading…')]);
}

// Returns the section of one field of a complete answer.
export function readField(field, result, values) {
  const kept = values.filter((value) => value.inRecord);
  const leftOut = values.filter((value) => !value.inRecord);
  const warned = (result.warnings ?? []).filter((warning) => warning.field === field);
  const contradicted = warned.some((warning) => warning.code === 'contradicted_value');
  const contents = kept.length > 0 ? [list('values', kept, result)] : [noValue()];
  if (leftOut.length > 0) {
    const heading = contradicted ? 'Not in the record: the note contradicts it' : 'Named in the note, not in the record';
    contents.push(element('p', { class: contradicted ? 'left-out-title contradicted' : 'left-out-title' }, heading));
    contents.push(list('values left-out', leftOut, result));
  }
  const comparison = result.cross_check?.[field];
  if (comparison && comparison !== 'agree') {
    contents.push(element('p', { class: 'comparison' }, `Cross-check: ${COMPARISONS[comparison] ?? spoken(comparison)}.`));
  }
  return fieldSection(field, contents);
}

function list(kind, values, result) {
  return element('ul', { class: kind }, values.map((value) => {
    return element('li', { 'data-decision': value.decision }, ...valueElements(value, result));
  }));
}

// Returns a button that shows where the value is in the note, and the details that unfold while the value is chosen.
function valueElements(value, result) {
  const details = `details-${value.id}`;
  const badges = value.decision ? decisionElements(value) : [];
  const basis = basisOf(value);
  if (basis) badges.push(element('span', { class: 'badge', 'data-basis': value.basis }, basis.name));
  if (value.assertion && value.assertion !== 'present') {
    badges.push(element('span', { class: 'badge assertion' }, ASSERTIONS[value.assertion] ?? spoken(value.assertion)));
  }
  // With one tumour its name would only repeat the first field.
  const tumour = several(result) ? nameOf(value.tumour, result) : null;
  if (tumour) badges.push(element('span', { class: 'badge tumour' }, element('bdi', {}, tumour)));
  const text = element('bdi', { class: 'value-text' }, value.value);
  const attributes = { 'data-value': value.id, 'aria-expanded': 'false', 'aria-controls': details };
  const button = element('button', { type: 'button', class: 'value', ...attributes }, text, ' ', ...badges);
  return [button, element('dl', { class: 'details', id: details, hidden: true }, ...detailsOf(value, result))];
}

// Returns what the person decided on a value.
function decisionElements({ decision, from, inRecord }) {
  const { sign, name } = DECISIONS[decision];
  const where = decision === 'accept' && !inRecord ? ' into the record' : '';
  const text = [element('span', { 'aria-hidden': 'true' }, `${sign} `), `${name}${where}`];
  if (decision === 'change') text.push(' from ', element('bdi', {}, `“${from}”`));
  return [element('span', { class: 'decision' }, text)];
}

// Returns the name and the meaning of a value's basis; null if the answer does not give it.
function basisOf({ basis }) {
  if (basis === null) return null;
  return basis === 'person' ? BY_PERSON : (BASES[basis] ?? { name: spoken(basis), meaning: spoken(basis) });
}

function detailsOf(value, result) {
  const lines = [['Found', basisOf(value)?.meaning ?? 'not given']];
  lines.push(['The note says', value.assertion ? (ASSERTIONS[value.assertion] ?? spoken(value.assertion)) : 'not assessed']);
  if (value.rule) lines.push(['Rule', spoken(value.rule)]);
  const [first, ...more] = value.places;
  if (first) {
    const also = more.length > 0 ? ` and ${more.length} more` : '';
    lines.push(['Quote', element('q', { dir: 'auto' }, first.quote), ` characters ${first.from} to ${first.to}${also}`]);
  }
  const dates = [...new Set(value.places.map((place) => place.date).filter((date) => date !== null))];
  if (dates.length > 0) lines.push(['Date', element('bdi', {}, dates.join('; '))]);
  if (value.codes.length > 0) {
    const named = value.codes.map(({ system, code, display, basis }) => `${system} ${code} (${display}${basis === 'broader' ? ', broader' : ''})`);
    lines.push(['Codes', named.join('; ')]);
  }
  const courses = [...new Set(value.places.map((place) => place.course).filter((course) => course !== ''))];
  if (courses.length > 0) lines.push(['Course', element('bdi', {}, courses.join('; '))]);
  if (value.tumour) lines.push(['Tumour', element('bdi', {}, nameOf(value.tumour, result) ?? value.tumour)]);
  if (value.confidence) {
    const { mean, minimum } = value.confidence;
    lines.push(['Confidence', `${mean.toFixed(2)}, least sure token ${minimum.toFixed(2)} (not calibrated)`]);
  }
  return lines.map(([name, ...text]) => element('div', {}, element('dt', {}, name), element('dd', {}, ...text)));
}

function several(result) {
  return (result.tumours ?? []).length > 1;
}

function nameOf(id, result) {
  return (result.tumours ?? []).find((tumour) => tumour.id === id)?.cancer_type ?? null;
}

// Returns the section with the tumours of a note that names more than one.
export function tumourList(result) {
  if (!several(result)) return [];
  const lines = result.tumours.map(({ cancer_type: name, laterality, role }) => {
    const side = laterality ? ` (${laterality})` : '';
    return element('li', { 'data-role': role }, element('bdi', {}, name), `${side}: ${ROLES[role] ?? spoken(role)}`);
  });
  return [element('section', { class: 'tumours' }, element('h3', {}, `${lines.length} tumours`), element('ul', {}, lines))];
}

export function warningList(warnings) {
  if (warnings.length === 0) return [];
  const lines = warnings.map(({ code, field, message }) => {
    const title = WARNINGS[code] ?? spoken(code);
    const where = field ? ` (${FIELDS[field] ?? spoken(field)})` : '';
    return element('li', { 'data-warning': code }, element('strong', {}, `${title}${where}. `), plainMessage(message));
  });
  return [element('h3', {}, lines.length === 1 ? '1 warning' : `${lines.length} warnings`), element('ul', {}, lines)];
}

// Returns the line under a result that names the engine, the model and the request.
export function provenance(result) {
  const engine = result.engine === 'rules' ? 'rules engine, no language model' : `model ${result.model}, prompt ${result.prompt}`;
  const parts = [`Read by: ${engine}`];
  if (result.chunks) parts.push(`in ${result.chunks} parts`);
  if (result.tokens_used) parts.push(`${result.tokens_used} tokens`);
  const repairs = result.repairs?.length ?? 0;
  if (repairs > 0) parts.push(`output repaired in ${repairs} ${repairs === 1 ? 'place' : 'places'}`);
  return `${parts.join(' · ')} · request ${result.request_id}`;
}
