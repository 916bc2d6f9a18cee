// Says plainly what reads the notes, and what is amiss with the service.

import { byId, element } from './dom.js';

const STATES = {
  starting: 'The model is still loading: notes cannot be read yet.',
  degraded: 'The service is degraded: notes may be refused, or read by the rules engine.',
  draining: 'The service is shutting down: new notes are refused.',
};

const NOTICES = {
  auth_off: 'No key is asked for: anybody who reaches this address may use the service.',
  audit_failing: 'The audit log cannot be written.',
};

let asked = 0;

// The engine is known at once; how the service is comes later, or not at all.
export async function showModes(engine, health) {
  asked += 1;
  const mine = asked;
  const rules = engine === 'rules'
    ? [['notice', 'Rules engine: fixed rules and English word lists read the notes, no language model. What they do not know, they do not find.']]
    : [];
  if (byId('mode').childElementCount === 0) show(rules);
  const state = await health;
  if (mine !== asked) return;
  if (state === null) return show([...rules, ['notice', 'The service does not answer.']]);
  const lines = [...rules];
  // Degraded it is too where it reads as well as ever and leaves no trace of it; a notice says that.
  const reads = state.engine === 'rules' || state.vllm_available;
  if (STATES[state.status] && !(state.status === 'degraded' && reads)) lines.push(['notice', STATES[state.status]]);
  for (const notice of state.notices ?? []) lines.push(['remark', NOTICES[notice] ?? notice]);
  show(lines);
}

function show(lines) {
  const told = lines.map(([, line]) => line).join('\n');
  // A live region that is written again is read out again.
  if (byId('mode').dataset.told === told) return;
  byId('mode').dataset.told = told;
  byId('mode').replaceChildren(...lines.map(([kind, line]) => element('p', { class: kind }, line)));
}
