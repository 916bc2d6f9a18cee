// Shows which engine reads the notes, and what is wrong with the service.

import { byId, element } from './dom.js';

const STATES = {
  starting: 'The model is still loading: notes cannot be read yet.',
  degraded: 'The service is degraded: notes may be refused, or read by the rules engine.',
  draining: 'The service is shutting down: new notes are refused.',
};

const NOTICES = {
  auth_off: 'No key is required: anyone who can reach this address can use the service.',
  audit_failing: 'The audit log cannot be written.',
};

let calls = 0;

// Shows the engine at once, and the health of the service when it arrives. Only the latest call shows its result.
export async function showModes(engine, health) {
  calls += 1;
  const call = calls;
  const rules = engine === 'rules'
    ? [['notice', 'Rules engine: fixed rules and English word lists read the notes, no language model. What they do not know, they do not find.']]
    : [];
  if (byId('mode').childElementCount === 0) show(rules);
  const state = await health;
  if (call !== calls) return;
  if (state === null) return show([...rules, ['notice', 'The service does not answer.']]);
  const lines = [...rules];
  // The service is also degraded if it reads notes normally but cannot write the audit; a notice reports that case.
  const readsNormally = state.engine === 'rules' || state.vllm_available;
  if (STATES[state.status] && !(state.status === 'degraded' && readsNormally)) lines.push(['notice', STATES[state.status]]);
  for (const notice of state.notices ?? []) lines.push(['remark', NOTICES[notice] ?? notice]);
  show(lines);
}

function show(lines) {
  const text = lines.map(([, line]) => line).join('\n');
  // A screen reader reads a live region again whenever it is written, so equal text is not written again.
  if (byId('mode').dataset.shown === text) return;
  byId('mode').dataset.shown = text;
  byId('mode').replaceChildren(...lines.map(([kind, line]) => element('p', { class: kind }, line)));
}
