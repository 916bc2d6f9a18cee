// The panel of the decisions: what was done last, how many notes are decided, and which fields are scored.

import { byId } from './dom.js';
import { DECISIONS, FIELDS, counted } from './words.js';

export class DecisionPanel {
  // Whether the page has many notes.
  hasManyNotes;

  constructor(hasManyNotes) {
    this.hasManyNotes = hasManyNotes;
  }

  // Calls `run(command)` for each button.
  onCommand(run) {
    for (const [id, command] of [['done', 'done'], ['add', 'add'], ['undo', 'undo'], ['redo', 'redo'], ['save-decisions', 'save']]) {
      byId(id).addEventListener('click', () => run(command));
    }
  }

  show() {
    byId('decisions').hidden = false;
  }

  hide() {
    byId('decisions').hidden = true;
  }

  get told() {
    return byId('decision-status').textContent;
  }

  tell(text) {
    byId('decision-status').textContent = text;
  }

  refresh(book, decisions) {
    const { decided, done } = book.counts();
    byId('done').setAttribute('aria-pressed', String(decisions.done));
    const saved = book.unsaved ? ' Not saved yet.' : decided > 0 ? ' Saved.' : '';
    const count = this.hasManyNotes
      ? `${counted(decided, 'note')} decided, ${done.toLocaleString('en')} of them done.`
      : `${counted(decisions.count, 'decision')}${decisions.done ? ', note done' : ''}.`;
    const fields = decisions.scored().map((field) => FIELDS[field]);
    const scored = decisions.done ? 'all seven fields' : fields.join(', ') || 'no field';
    byId('decision-count').textContent = `${count}${saved} Scored in this note: ${scored}.`;
  }
}

// Returns what was done as words, such as "Accepted liver (Metastasis site)".
export function phraseOf({ action, field, value, from }) {
  if (action === 'done') return 'Note done';
  if (action === 'reopen') return 'Note no longer done';
  const name = action === 'remove' ? 'removed' : DECISIONS[action].name;
  const text = action === 'change' ? `${from} to ${value}` : value;
  return `${name[0].toUpperCase()}${name.slice(1)} ${text} (${FIELDS[field]})`;
}

// Returns the result of `DecisionBook.restore` as words.
export function restoredText({ taken, kept, foreign, unfit }) {
  const told = [`Opened the decisions on ${counted(taken, 'note')}.`];
  if (kept > 0) told.push(`${counted(kept, 'note')} ${kept === 1 ? 'keeps its' : 'keep their'} current decisions.`);
  if (foreign > 0) told.push(`${counted(foreign, 'line')} of the file ${foreign === 1 ? 'belongs' : 'belong'} to no note here with the same text.`);
  if (unfit > 0) told.push(`${counted(unfit, 'decision')} ${unfit === 1 ? 'does' : 'do'} not fit the values here.`);
  return told.join(' ');
}
