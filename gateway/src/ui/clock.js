// Measures how long a note is read.

import { byId } from './dom.js';

// Shows the elapsed time. Returns a function that stops the clock and returns the time as text.
export function startClock() {
  const from = performance.now();
  const show = () => {
    const seconds = (performance.now() - from) / 1000;
    byId('elapsed').textContent = `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
    return byId('elapsed').textContent;
  };
  show();
  const timer = setInterval(show, 100);
  let elapsed = null;
  return () => {
    clearInterval(timer);
    elapsed ??= show();
    return elapsed;
  };
}
