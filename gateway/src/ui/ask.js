// The box under a result: a question about the note, its answer, and the words of the note that support it. The page
// keeps none of them, and sends no earlier question.

import { Refusal, ask } from './calls.js';
import { byId, element } from './dom.js';
import { ASK_SOURCES } from './words.js';

export class Questions {
  #reading;
  #readKey;
  #text = '';
  #running = null;

  // Takes the shown result, whose note marks the quotes, and what returns the key.
  constructor({ reading, readKey }) {
    this.#reading = reading;
    this.#readKey = readKey;
    byId('ask').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#ask();
    });
  }

  // Takes the text of the note that is shown.
  show(text) {
    this.clear();
    this.#text = text;
  }

  clear() {
    this.#running?.abort();
    this.#running = null;
    this.#text = '';
    byId('question').value = '';
    byId('reply').replaceChildren();
  }

  async #ask() {
    const question = byId('question').value.toWellFormed().trim();
    if (question === '') return byId('question').focus();
    this.#running?.abort();
    const call = new AbortController();
    this.#running = call;
    byId('reply').replaceChildren(element('p', { class: 'small' }, 'Looking for it in the note.'));
    try {
      const answer = await ask(this.#text, question, { key: this.#readKey(), signal: call.signal });
      if (this.#running === call) this.#answered(answer);
    } catch (error) {
      if (this.#running === call) this.#failed(error);
    }
    return undefined;
  }

  #answered({ answer, quotes, source, disclaimer }) {
    const places = quotes.map(({ start, end }) => ({ start, end }));
    const buttons = quotes.map(({ quote }, at) => {
      const button = element('button', { type: 'button', class: 'link' }, element('bdi', {}, quote));
      button.addEventListener('click', () => this.#reading.showTyped([places[at]]));
      return element('li', {}, button);
    });
    const said = ASK_SOURCES[source];
    byId('reply').replaceChildren(
      element('p', { class: 'reply' }, element('bdi', {}, answer)),
      ...(said ? [element('p', { class: 'small' }, said)] : []),
      ...(buttons.length > 0 ? [element('ul', { 'aria-label': 'Words of the note' }, buttons)] : []),
      element('p', { class: 'small' }, disclaimer),
    );
    this.#reading.showTyped(places);
  }

  #failed(error) {
    const { title, detail } = error instanceof Refusal ? error : { title: 'A fault of this page', detail: 'There is no answer.' };
    this.#reading.showTyped([]);
    byId('reply').replaceChildren(element('p', { class: 'reply' }, title), element('p', {}, detail));
  }
}
