// Sends a recording or a scan, puts the text that comes back where a note is written, and shows what must be checked in
// it. It extracts nothing: extraction starts when the user requests it.

import { byId, element } from './dom.js';
import { counted } from './words.js';

export class Transcript {
  #call = null;

  // `source` describes what is sent and the words for it: the ids of its `button` and its `input`, `send(file, { key,
  // signal })`, the title, `waiting`, `told(answer)` and `why(mark)`. `page.fill(text)` puts a text where a note is
  // written, `page.fail(error, retry)` shows why there is none.
  constructor({ source, readKey, page }) {
    if (!source.isOn()) return;
    byId(source.button).hidden = false;
    byId(source.button).addEventListener('click', () => byId(source.input).click());
    byId(source.input).addEventListener('change', () => {
      const [file] = byId(source.input).files;
      byId(source.input).value = '';
      if (file) this.#send(file, source, readKey, page);
    });
  }

  // Forgets the text, and a file that is being sent.
  forget() {
    this.#call?.abort();
    this.#call = null;
    byId('transcript').hidden = true;
    byId('transcript-marks').replaceChildren();
  }

  async #send(file, source, readKey, page) {
    page.fill('');
    const call = new AbortController();
    this.#call = call;
    byId('status').textContent = source.waiting;
    byId('transcript-title').textContent = source.title;
    byId('transcript-told').textContent = source.waiting;
    byId('transcript').hidden = false;
    try {
      const answer = await source.send(file, { key: readKey(), signal: call.signal });
      if (this.#call === call) this.#show(answer, source, page);
    } catch (error) {
      if (this.#call === call) page.fail(error, () => this.#send(file, source, readKey, page));
    }
  }

  #show(answer, source, page) {
    const { transcript, words_to_review: marks } = answer;
    page.fill(transcript);
    const told = `${source.told(answer)} ${counted(marks.length, 'place')} to check first.`;
    byId('transcript-title').textContent = source.title;
    byId('transcript-told').textContent = told;
    byId('transcript-marks').replaceChildren(...marks.map((mark) => (
      element('li', {}, element('strong', {}, element('bdi', {}, mark.text)), ` ${source.why(mark)}`)
    )));
    byId('transcript').hidden = false;
    byId('status').textContent = `${told} Nothing is extracted yet.`;
    byId('text').focus();
  }
}
