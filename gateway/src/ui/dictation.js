// Dictation: a recording becomes text, and the words in it that are most often recognised wrongly are shown.

import { transcribe } from './calls.js';
import { REVIEW_REASONS } from './words.js';

export const DICTATION = {
  isOn: () => document.documentElement.dataset.dictation === 'yes',
  button: 'dictate',
  input: 'recording',
  send: transcribe,
  title: 'Transcript',
  waiting: 'The recording is being transcribed.',
  told: () => 'This is what was heard. Compare all of it with what was said, and correct it above.',
  why: ({ reason, spoken }) => (spoken === undefined ? REVIEW_REASONS[reason] ?? reason : `${REVIEW_REASONS[reason]}: “${spoken}”`),
};
