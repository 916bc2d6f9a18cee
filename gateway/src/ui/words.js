// Texts for the codes of an answer. A test of the crate compares the keys with the Rust types.

export const FIELDS = {
  cancer_type: 'Cancer type',
  stage: 'Stage',
  gene_mutation: 'Gene mutation',
  biomarker: 'Biomarker',
  treatment: 'Treatment',
  response: 'Response',
  metastasis_site: 'Metastasis site',
};

// What each field contains, with an example.
export const MEANINGS = {
  cancer_type: { meaning: 'the kind of cancer that the note is about', example: 'adenocarcinoma of the lung' },
  stage: { meaning: 'how far it had spread when it was staged', example: 'IIIB' },
  gene_mutation: { meaning: 'changes found in the tumour’s or the patient’s genes', example: 'EGFR exon 19 deletion' },
  biomarker: { meaning: 'results of receptors and other markers, negative results too', example: 'ER positive; PD-L1 60%' },
  treatment: { meaning: 'treatments given now or before, not those only planned or declined', example: 'osimertinib' },
  response: { meaning: 'how the cancer responded to treatment', example: 'partial response' },
  metastasis_site: { meaning: 'where it has spread to, not sites that are ruled out', example: 'liver; bone' },
};

export const BASES = {
  stated: { name: 'Stated', meaning: 'the words of the value are in the note' },
  normalized: { name: 'Synonym', meaning: 'a known synonym or abbreviation of it is in the note' },
  inferred: { name: 'Inferred', meaning: 'it follows by a named rule from words of the note' },
  unsupported: { name: 'Not found in the note', meaning: 'nothing in the note was found for it: check before use' },
};

// A value that a person selected or typed, and whose words are in the note.
export const BY_PERSON = { name: 'In the note', meaning: 'a person entered it, and its words are in the note' };

// The decisions of a person on a value, each with a sign, so that they do not depend on colour.
export const DECISIONS = {
  accept: { sign: '✓', name: 'accepted' },
  reject: { sign: '✗', name: 'rejected' },
  change: { sign: '✎', name: 'changed' },
  add: { sign: '+', name: 'added' },
};

export const ASSERTIONS = {
  present: 'stated as a fact',
  probable: 'likely',
  uncertain: 'possible, not certain',
  historical: 'of the past',
  planned: 'planned, not given',
  declined: 'declined or advised against',
  negated: 'ruled out',
  not_tested: 'not tested or awaited',
  wild_type: 'no mutation (wild type)',
  family: 'of a relative',
  other_tumour: 'of another tumour',
  superseded: 'replaced by a later one',
  unknown: 'not assessed: another language',
};

export const ROLES = {
  index: 'the fields are its own',
  synchronous: 'of the same time',
  previous: 'of the past',
};

export const WARNINGS = {
  unsupported_value: 'Value not found in the note',
  contradicted_value: 'The note contradicts a value',
  conflicting_values: 'Values that cannot all be true',
  partly_unread: 'A part of the note was not read',
  no_oncology_terms: 'No oncology term recognised',
  unfamiliar_text: 'Text that the rules do not read',
  empty_record_doubted: 'Empty fields in doubt',
  too_many_values: 'More values than an answer holds',
  unassessed_language: 'Values in another language',
  several_primaries: 'More than one tumour',
};

// The descriptions of marked words in a transcript.
export const REVIEW_REASONS = {
  low_probability: 'perhaps heard wrongly',
  silence: 'perhaps no speech',
  vocabulary: 'perhaps no speech',
  number: 'a spoken number',
  drug: 'a drug',
  gene: 'a gene',
  marker: 'a marker',
};

// The descriptions of marked words in the text of a scan.
export const SCAN_REASONS = {
  heading: 'a heading that is damaged or hard to read: it decides what the lines below it mean',
  low_confidence: 'perhaps read wrongly',
};

export const CONTRADICTIONS = {
  results_differ: 'Results differ',
  stages_differ: 'Stages differ',
  stated_and_denied: 'Stated and denied',
  sides_differ: 'Sides differ',
  tumour_unclear: 'Not clear which tumour',
  date_after_note: 'A date after the note',
  not_compared: 'Not compared with each other',
};

export const COMPARISONS = {
  agree: 'the rules engine reads the same',
  differ: 'the rules engine reads this field differently',
  only_model: 'the rules engine finds nothing here',
  only_rules: 'the rules engine finds a value here, the model none',
};

// Returns a message of the service with the words for the codes that it names between backticks.
export function plainMessage(message) {
  return String(message).replaceAll(/`([a-z_]+)`/g, (_, code) => {
    if (code === 'evidence') return 'the list below';
    const words = ASSERTIONS[code] ?? FIELDS[code];
    return words ? `“${words}”` : spoken(code);
  });
}

// Returns the name of a rule or a code as words for display.
export function spoken(name) {
  return String(name).replaceAll('_', ' ');
}

export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

// Returns the course of a treatment in words.
export function courseText(course) {
  if (!course) return '';
  const { status, start, stop, reason, response } = course;
  const words = [];
  if (start) words.push(`started ${start.value}`);
  if (status) words.push(stop ? `${status} ${stop.value}` : status);
  if (reason) words.push(`because of “${reason.quote}”`);
  if (response) words.push(`response: ${response}`);
  return words.join(', ');
}

// Where the answer to a question comes from; the text is empty if no source answers.
export const ASK_SOURCES = {
  record: 'From the record of the rules, without a model.',
  model: 'From a model; what passes was checked against the note.',
  emergency: '',
  none: '',
};
