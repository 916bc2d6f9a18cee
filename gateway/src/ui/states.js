// The states of the page, and which parts each shows.

import { byId } from './dom.js';

// The states in which a part of the page is shown: one note is `editing`, `reading` or `read`; of several notes the page
// shows the `many-start`, what was `many-found`, the `many-list` or `many-one` of them.
const SHOWN = {
  kinds: ['editing', 'many-start'],
  'many-start': ['many-start'],
  'many-found': ['many-found'],
  'many-list': ['many-list'],
  'many-bar': ['many-one'],
  one: ['editing', 'reading', 'read', 'many-one'],
  form: ['editing'],
  intro: ['editing'],
  reading: ['reading', 'read', 'many-one'],
  progress: ['reading', 'read'],
  cancel: ['reading'],
  after: ['read', 'many-one'],
  ask: ['read'],
  edit: ['read'],
  renew: ['read'],
};

export function enter(state) {
  document.body.dataset.state = state;
  for (const [id, states] of Object.entries(SHOWN)) byId(id).hidden = !states.includes(state);
  byId('kind-one').setAttribute('aria-pressed', String(!state.startsWith('many')));
  byId('kind-many').setAttribute('aria-pressed', String(state.startsWith('many')));
}
