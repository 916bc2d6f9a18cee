// The box that says why there is no result, and when to try again. Never tries again by itself.

import { byId, element } from './dom.js';

let ticking = null;

export function hideProblem() {
  clearInterval(ticking);
  byId('error').hidden = true;
  byId('error').replaceChildren();
}

// `again` is what the button does; where the service said how long to wait, it opens after that.
export function showProblem(refusal, again) {
  hideProblem();
  const messages = refusal.messages.filter((message) => message !== refusal.detail).map((message) => element('li', {}, message));
  const retry = element('button', { type: 'button' }, 'Try again');
  retry.addEventListener('click', again);
  const named = [refusal.code, refusal.requestId && `request ${refusal.requestId}`].filter(Boolean).join(' · ');
  byId('error').replaceChildren(
    element('h3', {}, refusal.title),
    element('p', {}, refusal.detail),
    ...(messages.length > 0 ? [element('ul', {}, messages)] : []),
    ...(named ? [element('p', { class: 'small request' }, named)] : []),
    element('div', { class: 'buttons' }, retry),
  );
  byId('error').hidden = false;
  byId('error').focus({ preventScroll: true });
  byId('error').scrollIntoView({ block: 'nearest' });
  if (refusal.retryAfter !== null) countDown(retry, refusal.retryAfter);
}

function countDown(button, seconds) {
  const until = performance.now() + seconds * 1000;
  button.disabled = true;
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${left} s` : 'Try again';
    if (left > 0) return;
    clearInterval(ticking);
    byId('status').textContent = 'You can try again now.';
  };
  tick();
  ticking = setInterval(tick, 250);
}
