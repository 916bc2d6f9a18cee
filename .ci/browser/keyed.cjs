// The page of a service that asks for a key: the key comes first, a wrong one is named as wrong, nothing is stored.
'use strict';

const { spawn } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { PATIENCE, accessible, equal, expect, fitsWidth } = require('./chromium.cjs');

const KEY = 'gw-a-key-of-a-test-0123456789abcdef';
const OF_METRICS = 'gw-a-key-of-metrics-0123456789abcdef';
const OF_PATH = 'gw-a-key-of-paths-0123456789abcdef';

// Starts a gateway with keys on a free port. Gives { url, stop() }.
async function start(gateway) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'keyed-'));
  const keys = path.join(folder, 'keys');
  const line = (name, key, more = '') => `${name} ${crypto.createHash('sha256').update(key).digest('hex')}${more}\n`;
  fs.writeFileSync(keys, line('ward', KEY) + line('watch', OF_METRICS, ' metrics') + line('proxy', OF_PATH, ' path'), { mode: 0o600 });
  const env = { PATH: process.env.PATH, GATEWAY_AUTH: 'keys', GATEWAY_AUTH_KEYS_FILE: keys };
  const child = spawn(gateway, ['serve', '--listen', '127.0.0.1:0', '--config', '/dev/null', '--engine', 'rules'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  const address = await new Promise((resolve, reject) => {
    child.stderr.on('data', (piece) => {
      log += piece;
      const found = /listening.*?(127\.0\.0\.1:[1-9]\d*)/s.exec(log);
      if (found) resolve(found[1]);
    });
    child.on('exit', () => reject(new Error(`the guarded gateway ended: ${log}`)));
    setTimeout(() => reject(new Error(`the guarded gateway does not listen: ${log}`)), PATIENCE.timeout).unref();
  });
  const stop = () => {
    child.kill();
    fs.rmSync(folder, { recursive: true });
  };
  return { url: `http://${address}`, stop };
}

async function first(page, { url }) {
  await page.goto(`${url}/ui`);
  await page.locator('#gate').waitFor();
  equal(await page.evaluate(() => document.activeElement.id), 'key', 'focus at the key');
  expect(await page.locator('#work').isHidden(), 'a note can be pasted before the key');
  await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['Stage II'], 'a.txt'));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  });
  await accessible(page, 'the gate');
  for (const [key, reason] of [['', 'Enter the key first.'], ['wrong', 'This key was refused.'], ['schlüssel', 'Not a key'], [OF_METRICS, 'this key has: metrics']]) {
    await page.fill('#key', key);
    await page.click('#use-key');
    await page.locator('#key-error', { hasText: reason }).waitFor();
    expect(await page.locator('#work').isHidden(), `a note can be pasted with the key "${key}"`);
    equal(await page.getAttribute('#key', 'aria-invalid'), 'true', 'aria-invalid');
  }
  await accessible(page, 'a wrong key');
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 800 });
    await fitsWidth(page, `the gate at ${width}`);
  }
  await page.fill('#key', ` ${KEY} `);
  await page.keyboard.press('Enter');
  await page.locator('#work').waitFor();
  equal(await page.evaluate(() => document.activeElement.id), 'text', 'focus at the note');
  equal(await page.inputValue('#text'), '', 'a note that was dropped before the key');
  await page.fill('#text', 'Stage IV lung cancer.');
  const [request] = await Promise.all([page.waitForRequest('**/stream'), page.click('#extract')]);
  equal(await request.headerValue('x-api-key'), KEY, 'the key');
  await page.locator('#after').waitFor();
  await page.click('#edit');
  await page.click('#kind-many');
  await page.click('#many-example');
  await page.click('#many-next');
  await page.click('#read-all');
  await page.getByText('3 notes: 3 read.').waitFor();
  // Another key: the notes stay where they are.
  await page.click('#change-key');
  await page.fill('#key', 'wrong');
  await page.click('#use-key');
  await page.locator('#key-error', { hasText: 'This key was refused.' }).waitFor();
  equal(await page.locator('.row').count(), 3, 'rows');
  const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie, location.href]);
  equal(kept, [0, 0, '', `${url}/ui`], 'what is kept');
}

// A key in the address, or one that a proxy adds: nothing is asked.
async function brought(page, { url }) {
  await page.goto(`${url}/t/${OF_PATH}/ui`);
  await page.fill('#text', 'Stage IV lung cancer.');
  await page.click('#extract');
  await page.locator('#after').waitFor();
  expect(await page.locator('#gate').isHidden(), 'the key is asked for');
}

const refused = { expected: [401, 403] };

module.exports = { start, checks: [['key: asked first', refused, first], ['key: asked first, dark', { ...refused, colorScheme: 'dark' }, first], ['key: in the address', {}, brought]] };
