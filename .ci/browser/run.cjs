// Runs every check of the page, the review file and /docs in Chromium, one after the other, and says what failed.
//
//   NODE_PATH=.../node_modules node run.cjs BASE_URL CHROMIUM REVIEW_WRITER [CHECK]
'use strict';

const { inPage, launch } = require('./chromium.cjs');
const access = require('./access.cjs');
const docs = require('./docs.cjs');
const page = require('./page.cjs');
const proxies = require('./proxy.cjs');
const review = require('./review.cjs');

async function main([base, executablePath, writer, only = '']) {
  const proxy = await proxies.start(base);
  const browser = await launch(executablePath);
  const told = [];
  let failed = 0;
  const written = await review.write(writer, base);
  const ofFile = ([name, options, check]) => [name, { ...options, files: [written.url] }, (one) => check(one, written)];
  const ofPage = ([name, options, check]) => [name, options, (one) => check(one, proxy.url, proxy)];
  const all = [...page.map(ofPage), ...access.map(ofPage), ...review.checks.map(ofFile), ['docs', {}, (one) => docs(one, base)]];
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
  console.log([`${checks.length - failed} of ${checks.length} checks passed`, ...told].join('; '));
  if (failed > 0 || checks.length === 0) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
