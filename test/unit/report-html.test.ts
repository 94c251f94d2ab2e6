import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseHTML } from 'linkedom';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Evaluation } from '../../coordinator/evaluate/evaluation.ts';
import { type ReportRun, reportHtml } from '../../src/cli/report/report-html.ts';
import { summarise } from '../../src/cli/report/summary.ts';
import { summaryText } from '../../src/cli/report/summary-text.ts';
import { parseSearchOptions } from '../../src/cli/search-options.ts';
import type { Layer, Network } from '../../src/core/network/network.ts';
import { accessibilityFaults, hasBrowser, openBrowser, openWatchedPage } from '../support/browser.ts';
import { denseLayer } from '../support/evaluation-networks.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { sampleOf, type TicketSample, ticketSamples } from '../support/ticket-samples.ts';

let samples: readonly TicketSample[] = [];
beforeAll(async () => {
  samples = await ticketSamples();
});

function runOf(name: string, change: Partial<ReportRun> = {}): ReportRun {
  return { ...runFrom(sampleOf(samples, name)), ...change };
}

function runFrom(
  { name, network, ticket, verdict, sha256 }: TicketSample,
  evaluation: Evaluation | null = null,
): ReportRun {
  const target = { path: 'models/target.onnx', name: 'target', network, sha256 };
  const summary = summarise({
    name,
    ticket,
    target,
    verdict,
    fault: null,
    evaluation,
    search: null,
    seconds: { plan: 1, solve: 2, verify: 3, evaluate: null },
    ticketBytes: 1000,
    ticketSha256: 'a'.repeat(64),
  });
  const options = parseSearchOptions(new Map());
  return { summary, ticket, target, options, data: null, folder: 'run' };
}

/** What a comparison on five images may have found. */
const compared: Evaluation = {
  images: 5,
  maxAbsError: 0.01,
  meanAbsError: 0.001,
  outputScale: 1,
  agreement: 1,
  accuracy: { target: 1, ticket: 1 },
  backend: 'wasm',
  referenceImages: 5,
  referenceMaxDifference: 0,
  outsideRange: 0,
  quantised: null,
  fault: null,
};

const size = (run: ReportRun): number => run.target.network.inputShape.reduce((a, b) => a * b, 1);
const withData = (run: ReportRun): ReportRun => ({
  ...run,
  data: {
    inputs: Float32Array.from({ length: 5 * size(run) }, (_, k) => (k % 7) / 7),
    count: 5,
    labels: Int32Array.of(0, 1, 2, 0, 1),
  },
});

describe('the report', () => {
  it('draws residuals and kept edges of every layer, widths, and both networks on some inputs', () => {
    const { document } = parseHTML(reportHtml(withData(runOf('padded convolution'))));
    expect(document.querySelectorAll('figure > svg')).toHaveLength(3);
    expect(document.querySelectorAll('.samples figure')).toHaveLength(5);
    expect(document.body.textContent).toContain('largest difference');
    expect(document.querySelector('.verdict')?.textContent).toMatch(/^Verified/);
  });

  it('draws every target layer of the 2L construction too', async () => {
    const { network } = sampleOf(samples, 'dense ReLU');
    const found = await searchInProcess(network, { construction: '2L' }, await kernelSolver());
    const run = runOf('dense ReLU');
    const { document } = parseHTML(reportHtml({ ...run, ticket: found.ticket }));
    expect(document.querySelectorAll('figure > svg')).toHaveLength(3);
    expect(document.querySelectorAll('.scroll tbody tr')).toHaveLength(network.layers.length);
    expect(document.body.textContent).toContain('check_ticket.py');
  });

  it('names the activation in every command that reads a target without one', () => {
    const options = parseSearchOptions(new Map([['activation', 'leakyRelu:0.1']]));
    const { document } = parseHTML(reportHtml(runOf('dense ReLU', { options })));
    const lines = [...document.querySelectorAll('pre code')].flatMap((code) => code.textContent.split('\n'));
    const reading = lines.filter((line) => line.includes(' --target '));
    expect(reading).toHaveLength(3);
    for (const line of reading) expect(line).toContain('--activation leakyRelu:0.1');
  });

  it('says so where there are no residuals, no images, or no verdict', () => {
    expect(reportHtml(runOf('exact dense'))).toContain('no histogram to draw');
    expect(reportHtml(runOf('exact dense'))).toContain('No images were given');
    const { summary, ...rest } = runOf('dense ReLU');
    const failed = { ...rest, summary: { ...summary, verified: false, fault: 'an input out of range' } };
    const { document } = parseHTML(reportHtml(failed));
    expect(document.querySelector('.verdict')?.textContent).toBe('Not verified: an input out of range');
  });

  it('says so where every weight is 0, and draws no blocks', () => {
    const { summary, target, ...rest } = runOf('dense ReLU');
    const zero = ({ linear, ...layer }: Layer): Layer => ({
      ...layer,
      linear: { ...linear, weights: new Float64Array(linear.weights.length) },
    });
    const network = { ...target.network, layers: target.network.layers.map(zero) };
    const run = { ...rest, summary: { ...summary, targetWeights: 0 }, target: { ...target, network } };
    const { document } = parseHTML(reportHtml(run));
    expect(document.querySelectorAll('figure > svg')).toHaveLength(1);
    expect(document.body.textContent).toContain('there are no blocks of weights to draw');
    expect(document.body.textContent).not.toMatch(/NaN|Infinity|∞/);
  });

  it('says nothing of classes where there is one output', async () => {
    for (const outputs of [1, 2]) {
      const network: Network = {
        inputShape: [3],
        inputSteps: [],
        layers: [denseLayer(3, 4), denseLayer(4, outputs)],
      };
      const found = await searchInProcess(network, {}, await kernelSolver());
      const run = withData(runFrom({ name: 'small', network, ...found }, compared));
      const text = `${parseHTML(reportHtml(run)).document.body.textContent}${summaryText(run.summary)}`;
      for (const word of [/same class/, /target says/, /agreement/, /accuracy\s+target/])
        expect(word.test(text), `${word}`).toBe(outputs > 1);
      expect(text).toContain('largest difference');
    }
  });

  it('asks nothing of a network, runs nothing, and takes a name from a file for text', () => {
    const { summary, ...rest } = runOf('dense ReLU');
    const name = '<script>alert(1)</script>';
    const html = reportHtml({ ...rest, summary: { ...summary, name } });
    const { document } = parseHTML(html);
    expect(document.querySelectorAll('script, iframe, object, link[rel=stylesheet]')).toHaveLength(0);
    expect(document.querySelector('h1')?.textContent).toBe(name);
    const addresses = [...html.matchAll(/(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)/g)].map(([, to]) => to);
    expect(addresses.filter((to) => !/^(data:|#)/.test(to ?? ''))).toEqual([]);
  });

  it.skipIf(!hasBrowser)('opens from disk in a browser, light and dark, without a complaint', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tombola-report-'));
    const path = join(folder, 'report.html');
    writeFileSync(path, reportHtml(withData(runOf('padded convolution'))));
    const browser = await openBrowser();
    try {
      for (const colorScheme of ['light', 'dark'] as const) {
        const viewport = { width: 390, height: 800 };
        const { page, complaints } = await openWatchedPage(browser, { colorScheme, viewport });
        await page.goto(pathToFileURL(path).href);
        expect(await page.locator('figure svg').first().isVisible()).toBe(true);
        // Only tables and plots may be wider than a telephone, each in a box of its own that scrolls.
        const overflow = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
        expect(overflow).toBeLessThanOrEqual(0);
        expect(await accessibilityFaults(page)).toEqual([]);
        expect(complaints).toEqual([]);
      }
    } finally {
      await browser.close();
      rmSync(folder, { recursive: true });
    }
  });
});
