// The colours of the page: those of the system, or those that the person chose. The choice is not stored.

import { byId } from './dom.js';

export function startTheme() {
  byId('theme').addEventListener('change', () => {
    document.documentElement.dataset.theme = byId('theme').value;
  });
}
