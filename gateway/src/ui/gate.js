// Asks for the key of a guarded service before a note is pasted. The key stays in the memory of the page.

import { Refusal, checkKey } from './calls.js';
import { byId } from './dom.js';

let accepted = () => {};

// Shows the page at once if the service needs no key, or if a proxy or the address brings one. `onAccepted` is called
// whenever notes can be read.
export async function startGate(isGuarded, onAccepted) {
  accepted = onAccepted;
  byId('gate-form').addEventListener('submit', (event) => {
    event.preventDefault();
    tryKey();
  });
  byId('change-key').addEventListener('click', () => askForKey(''));
  if (!isGuarded) return;
  byId('work').hidden = true;
  if (await isOpen()) {
    byId('work').hidden = false;
    return;
  }
  askForKey('');
}

// Returns the key as it is sent. Throws if a header cannot hold it, because the browser would report that as a network
// failure.
export function readKey() {
  const key = byId('key').value.trim();
  if (/^[\x21-\x7e]*$/.test(key)) return key;
  throw new Refusal({ title: 'Not a key', detail: 'The API key has a character that no key has. Copy it again.' });
}

// Shows the field for the key with a reason. Notes that are there stay there.
export function askForKey(reason) {
  byId('gate').hidden = false;
  byId('key-state').hidden = true;
  tell(reason);
  if (reason === '') byId('key').focus();
}

async function isOpen() {
  try {
    await checkKey('');
    return true;
  } catch (error) {
    return !['unauthorized', 'insufficient_scope'].includes(error.code);
  }
}

async function tryKey() {
  if (byId('key').value.trim() === '') return refuse('Enter the key first.');
  byId('use-key').disabled = true;
  try {
    await checkKey(readKey());
  } catch (error) {
    return refuse(error.code === 'unauthorized' ? `This key was refused. ${error.detail}` : `${error.title}. ${error.detail}`);
  } finally {
    byId('use-key').disabled = false;
  }
  tell('');
  byId('gate').hidden = true;
  byId('work').hidden = false;
  byId('key-state').hidden = false;
  return accepted();
}

function refuse(text) {
  tell(text);
  byId('key').focus();
  byId('key').select();
}

function tell(text) {
  byId('key-error').textContent = text;
  if (text === '') byId('key').removeAttribute('aria-invalid');
  else byId('key').setAttribute('aria-invalid', 'true');
}
