// Runs every check of the page, the review file and /docs in Chromium, one after the other, and says what failed.
//
//   NODE_PATH=.../node_modules node run.cjs BASE_URL CHROMIUM REVIEW_WRITER GATEWAY [CHECK]
'use strict';

const { inPage, launch } = require('./chromium.cjs');
const access = require('./access.cjs');
const ask = require('./ask.cjs');
const corrections = require('./corrections.cjs');
const dictation = require('./dictation.cjs');
const docs = require('./docs.cjs');
const { checks: keyed, start: startGuarded } = require('./keyed.cjs');
const many = require('./many.cjs');
const manyAccess = require('./many-access.cjs');
const page = require('./page.cjs');
const proxies = require('./proxy.cjs');
const review = require('./review.cjs');
const scans = require('./scans.cjs');
const timeline = require('./timeline.cjs');

async function main([base, executablePath, writer, gateway, only = '']) {
  const proxy = await proxies.start(base);
  const browser = await launch(executablePath);
  const told = [];
  let failed = 0;
  const written = await review.write(writer, base);
  const tenNotes = corrections.write(writer, gateway);
  const patients = timeline.write(gateway);
  const guarded = await startGuarded(gateway);
  const ofFile = (file) => ([name, options, check]) => [name, { ...options, files: [file.url] }, (one) => check(one, file)];
  const ofPage = ([name, options, check]) => [name, options, (one) => check(one, proxy.url, proxy)];
  const ofKeyed = (service) => ([name, options, check]) => [name, options, (one) => check(one, service)];
  const all = [
    ...[...page, ...ask, ...access, ...dictation, ...scans, ...corrections.ofPage, ...many.checks, ...manyAccess].map(ofPage), ...keyed.map(ofKeyed(guarded)), ...review.checks.map(ofFile(written)),
    ...corrections.ofFile.map(ofFile(tenNotes)), ...timeline.ofFile.map(ofFile(patients)), ['docs', {}, (one) => docs(one, base)],
  ];
  const checks = all.filter(([name]) => name.includes(only));
  for (const [name, options, check] of checks) {
    const from = performance.now();
    try {
      const said = await inPage(browser, options, check);
      if (said) told.push(said);
    } catch (error) {
      failed += 1;
      console.error(`FAILED ${name}: ${error.stack}`);
    }
    console.error(`${name}: ${Math.round(performance.now() - from)} ms`);
  }
  await browser.close();
  proxy.close();
  written.remove();
  tenNotes.remove();
  patients.remove();
  guarded.stop();
  console.log([`${checks.length - failed} of ${checks.length} checks passed`, ...told].join('; '));
  if (failed > 0 || checks.length === 0) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
