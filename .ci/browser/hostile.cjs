// Notes that would do something if any of their text were taken for markup, script or a pattern.
'use strict';

const HARM = 'window.harmed=1';

module.exports = [
  `<script>${HARM}</script>`,
  `</script><script>${HARM}</script>`,
  `</textarea><img src=x onerror="${HARM}">`,
  `<svg/onload=${HARM}>`,
  `"><iframe srcdoc="<script>parent.${HARM}</script>">`,
  `<!--<script>${HARM}</script>-->`,
  `]]><script>${HARM}</script>`,
  `<a href="javascript:${HARM}" autofocus onfocus="${HARM}">x</a>`,
  `<style>@import url(http://example.invalid/x.css);</style><link rel=stylesheet href=http://example.invalid/y>`,
  `<meta http-equiv=refresh content="0;url=http://example.invalid/">`,
  `<base href=http://example.invalid/><form action=http://example.invalid/><button>x</button></form>`,
  `<math><mtext><table><mglyph><style><img src=x onerror=${HARM}>`,
  `\${${HARM}} {{${HARM}}} {policy} {script} $& $1 $\``,
  `&lt;script&gt;${HARM}&lt;/script&gt; &#60;img src=x onerror=${HARM}&#62;`,
  `\u2028${HARM}\u2029</SCRIPT ><ScRiPt>${HARM}</sCrIpT>`,
  `\u202estage IV\u202c \u0000bad`.replace('\u0000', ''),
].map((text) => `Stage IV lung cancer ${text} with liver metastases ${text}; treated with osimertinib.`);
