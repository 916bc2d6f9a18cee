// Decides which notes a person should check first. It only orders notes; it does not estimate how likely an error is.

import { ASSERTIONS, FIELDS, WARNINGS, counted, spoken } from './words.js';

// How much each reason counts. A warning that is not in this list counts like an unfamiliar text.
export const WEIGHTS = {
  failed: 1000, empty_record_doubted: 90, contradicted_value: 80, conflicting_values: 80, partly_unread: 70, unsupported: 60,
  no_oncology_terms: 55, unassessed_language: 50, empty: 45, degraded: 40, too_many_values: 40, differs: 30,
  several_primaries: 25, unfamiliar_text: 20,
  inferred: 4, open: 3,
};
// Assertions that leave a value open.
const OPEN = ['probable', 'uncertain', 'unknown'];

// Returns { score, reasons } of an outcome, { result } or { error }. The reasons are words, the gravest first.
export function doubtOf({ result, error }) {
  if (error) return { score: WEIGHTS.failed, reasons: ['not read'] };
  if (!result) return { score: 0, reasons: [] };
  const found = [];
  const add = (weight, words, times = 1) => times > 0 && found.push({ weight: weight * (1 + Math.min(times - 1, 9) / 10), words });
  for (const code of new Set((result.warnings ?? []).map((warning) => warning.code))) {
    // The values that the note does not support are counted below.
    if (code !== 'unsupported_value') add(WEIGHTS[code] ?? WEIGHTS.unfamiliar_text, (WARNINGS[code] ?? spoken(code)).toLowerCase());
  }
  const values = Object.values(result.evidence ?? {}).flatMap(distinct);
  const kept = values.filter((value) => value.in_record);
  const unsupported = kept.filter(({ basis }) => basis === 'unsupported').length;
  add(WEIGHTS.unsupported, `${counted(unsupported, 'value')} not found in the note`, unsupported);
  // These two warnings state why an empty record may be empty.
  const isExplained = found.some(({ words }) => [WARNINGS.no_oncology_terms, WARNINGS.empty_record_doubted].some((name) => name.toLowerCase() === words));
  const isEmpty = Object.keys(FIELDS).every((field) => !result[field]);
  add(WEIGHTS.empty, 'nothing found', Number(isEmpty && !isExplained));
  add(WEIGHTS.degraded, 'read by the rules in place of the model', Number(result.degraded === true));
  const differs = Object.values(result.cross_check ?? {}).filter((one) => one !== 'agree').length;
  add(WEIGHTS.differs, `${counted(differs, 'field')} read differently by the rules`, differs);
  const inferred = kept.filter(({ basis }) => basis === 'inferred').length;
  add(WEIGHTS.inferred, `${counted(inferred, 'value')} inferred`, inferred);
  const open = kept.filter(({ assertion }) => OPEN.includes(assertion));
  add(WEIGHTS.open, `${counted(open.length, 'value')} ${ASSERTIONS[open[0]?.assertion] ?? ''}`, open.length);
  found.sort((one, other) => other.weight - one.weight);
  return { score: found.reduce((sum, { weight }) => sum + weight, 0), reasons: found.map(({ words }) => words) };
}

// Returns each value of a field once.
function distinct(findings) {
  return [...new Map(findings.map((finding) => [JSON.stringify([finding.value, finding.in_record, finding.basis]), finding])).values()];
}

// Whether a note has a reason to be checked before others.
export function isDoubtful({ score }) {
  return score >= WEIGHTS.unfamiliar_text;
}
