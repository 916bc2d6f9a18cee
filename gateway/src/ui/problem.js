// The box that shows why there is no result and when the user can try again. It never retries by itself.

import { byId, element } from './dom.js';

let timer = null;

export function hideProblem() {
  clearInterval(timer);
  byId('error').hidden = true;
  byId('error').replaceChildren();
}

// Shows a refusal with a button that calls `retry`; without one if `retry` is null. If the service said how long to wait, the button is disabled until
// then.
export function showProblem(refusal, retry) {
  hideProblem();
  const messages = refusal.messages.filter((message) => message !== refusal.detail).map((message) => element('li', {}, message));
  const button = element('button', { type: 'button' }, 'Try again');
  if (retry !== null) button.addEventListener('click', retry);
  const named = [refusal.code, refusal.requestId && `request ${refusal.requestId}`].filter(Boolean).join(' · ');
  byId('error').replaceChildren(
    element('h3', {}, refusal.title),
    element('p', {}, refusal.detail),
    ...(messages.length > 0 ? [element('ul', {}, messages)] : []),
    ...(named ? [element('p', { class: 'small request' }, named)] : []),
    ...(retry === null ? [] : [element('div', { class: 'buttons' }, button)]),
  );
  byId('error').hidden = false;
  byId('error').focus({ preventScroll: true });
  byId('error').scrollIntoView({ block: 'nearest' });
  if (refusal.retryAfter !== null && retry !== null) countDown(button, refusal.retryAfter);
}

function countDown(button, seconds) {
  const until = performance.now() + seconds * 1000;
  button.disabled = true;
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${left} s` : 'Try again';
    if (left > 0) return;
    clearInterval(timer);
    byId('status').textContent = 'You can try again now.';
  };
  tick();
  timer = setInterval(tick, 250);
}
