// Scans: the picture of a page becomes text, and the words and headings that OCR is not sure of are shown.

import { readScan } from './calls.js';
import { SCAN_REASONS } from './words.js';

export const SCAN = {
  isOn: () => document.documentElement.dataset.scans === 'yes',
  button: 'read-scan',
  input: 'scan',
  send: readScan,
  title: 'Text of the scan',
  waiting: 'The scan is being read.',
  told: ({ pages_without_text: empty }) => {
    const missing = empty.length > 0 ? `No text was recognised on page ${empty.join(', ')}. ` : '';
    return `${missing}This is what was read. Compare all of it with the scan, and correct it above.`;
  },
  why: ({ reason }) => SCAN_REASONS[reason] ?? reason,
};
