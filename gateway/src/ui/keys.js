// The keys of the list of values.

const COMMANDS = new Map([
  ['j', 'next'], ['arrowdown', 'next'], ['k', 'previous'], ['arrowup', 'previous'], ['a', 'accept'], ['r', 'reject'],
  ['c', 'change'], ['n', 'add'], ['d', 'done'], ['u', 'undo'], ['s', 'save'],
]);

// Returns the command of a key, null for none. A letter with Ctrl is the browser's, except those that undo and redo
// everywhere; with Shift a letter is none of these keys, but Caps Lock changes nothing.
export function commandOf({ key, altKey, ctrlKey, metaKey, shiftKey }) {
  const name = key.toLowerCase();
  if (altKey) return null;
  if (ctrlKey || metaKey) {
    if (name === 'z') return shiftKey ? 'redo' : 'undo';
    return name === 'y' && !shiftKey ? 'redo' : null;
  }
  return shiftKey ? null : (COMMANDS.get(name) ?? null);
}
