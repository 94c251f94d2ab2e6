/** The look of a report: one column, the system's fonts, light and dark. */

/** The report's style sheet. `--target` and `--ticket` are the two colours of everything that is compared; both keep 3 : 1 on either ground. */
export const reportStyle = `
:root {
  color-scheme: light dark;
  --ground: #fbfaf7; --card: #ffffff; --ink: #1d2127; --soft: #5b6470; --faint: #d9d6cd;
  --target: #4a7bb5; --ticket: #c0602b; --good: #1f7a4a; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15181d; --card: #1d2127; --ink: #e8e6e1; --soft: #a0a8b3; --faint: #3a414b;
    --target: #6f9fd8; --ticket: #e08a55; --good: #5cc48d; --bad: #f2867e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.6 system-ui, sans-serif; }
main { max-width: 50rem; margin: 0 auto; padding: 3rem 1.25rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 3rem 0 .5rem; padding-top: 1.25rem; border-top: 1px solid var(--faint); }
h3 { font-size: 1rem; margin: 1.75rem 0 .25rem; }
p { margin: .5rem 0; } .soft, figcaption, dt, th { color: var(--soft); }
.lead { font-size: 1.1rem; max-width: 42rem; }
.verdict { display: inline-block; margin: 1rem 0 .5rem; padding: .3rem .9rem; border-radius: 2rem; font-weight: 600;
  border: 1.5px solid currentColor; }
.good { color: var(--good); } .bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .75rem; margin: 1.5rem 0; padding: 0; }
.tiles div, figure { background: var(--card); border: 1px solid var(--faint); border-radius: .6rem; }
.tiles div { padding: .8rem 1rem; }
.tiles dt { font-size: .85rem; } .tiles dd { margin: 0; font-size: 1.35rem; font-weight: 600; line-height: 1.3; }
.tiles small { display: block; font-size: .8rem; font-weight: 400; color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--faint); white-space: nowrap; font-weight: 400; }
th:first-child, td:first-child, .facts td { text-align: left; }
th:first-child, td:first-child { padding-left: 0; }
.facts td { white-space: normal; } .facts td:first-child { color: var(--soft); width: 15rem; }
figure { margin: 1rem 0; padding: 1rem; overflow-x: auto; }
figure svg { display: block; max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }
figcaption { font-size: .85rem; margin-top: .5rem; }
.samples { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: .75rem; }
.samples figure { margin: 0; } .samples .pair { display: flex; gap: .75rem; align-items: center; }
.samples img { width: 84px; height: 84px; object-fit: contain; image-rendering: pixelated; border-radius: .3rem; flex: none; }
.samples .pair svg { min-width: 0; flex: 1; }
.key { white-space: nowrap; } .key::before { content: ""; display: inline-block; width: .75em; height: .75em; margin-right: .35em; border-radius: .15em; }
.key.target::before { background: var(--target); } .key.ticket::before { background: var(--ticket); }
pre { background: var(--card); border: 1px solid var(--faint); border-radius: .6rem; padding: .8rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; line-height: 1.5; }
code { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; } pre code { font-size: inherit; }
@media print { body { background: none; } figure, pre, .tiles div { break-inside: avoid; } }
`;
