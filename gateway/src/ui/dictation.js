// Dictation: sends a recording, puts its transcript where a note is written, and shows what must be checked in it. It
// extracts nothing: that happens when the user says so.

import { transcribe } from './calls.js';
import { byId, element } from './dom.js';
import { REVIEW_REASONS, counted } from './words.js';

export class Dictation {
  #call = null;

  // `page.fill(text)` puts a text where a note is written, `page.fail(error, retry)` shows why there is none.
  constructor({ readKey, page }) {
    if (document.documentElement.dataset.dictation !== 'yes') return;
    byId('dictate').hidden = false;
    byId('dictate').addEventListener('click', () => byId('recording').click());
    byId('recording').addEventListener('change', () => {
      const [file] = byId('recording').files;
      byId('recording').value = '';
      if (file) this.#send(file, readKey, page);
    });
  }

  // Forgets the transcript, and a recording that is on its way.
  forget() {
    this.#call?.abort();
    this.#call = null;
    byId('transcript').hidden = true;
    byId('transcript-marks').replaceChildren();
  }

  async #send(file, readKey, page) {
    page.fill('');
    const call = new AbortController();
    this.#call = call;
    byId('status').textContent = 'The recording is being transcribed.';
    byId('transcript-told').textContent = 'The recording is being transcribed …';
    byId('transcript').hidden = false;
    try {
      const answer = await transcribe(file, { key: readKey(), signal: call.signal });
      if (this.#call === call) this.#show(answer, page);
    } catch (error) {
      if (this.#call === call) page.fail(error, () => this.#send(file, readKey, page));
    }
  }

  #show({ transcript, words_to_review: words }, page) {
    page.fill(transcript);
    const told = `This is what was heard. Compare all of it with what was said, and correct it above. ${counted(words.length, 'place')} to look at first.`;
    byId('transcript-told').textContent = told;
    byId('transcript-marks').replaceChildren(...words.map(({ text, reason, spoken }) => {
      const why = spoken === undefined ? REVIEW_REASONS[reason] ?? reason : `${REVIEW_REASONS[reason]}: “${spoken}”`;
      return element('li', {}, element('strong', {}, element('bdi', {}, text)), ` ${why}`);
    }));
    byId('transcript').hidden = false;
    byId('status').textContent = `${told} Nothing is extracted yet.`;
    byId('text').focus();
  }
}
