/**
 * `node test/bench/dashboard.mjs [--seconds N]`: the dashboard on a search of 100,000 tiles and 1,000 workers that finish 2,000 tiles a second, in a real
 * browser: how long its tasks take once the page is loaded, what a viewer's feed costs, and what the feed costs the coordinator.
 */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { openSyntheticFeed } from './dashboard/synthetic-feed.mjs';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } });
const seconds = Number(values.seconds);
const launch = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

const feed = await openSyntheticFeed();
const browser = await chromium.launch(launch);
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(feed.url);
  await page.waitForSelector('.tiles canvas');
  // A map that stands still would cost nothing.
  await page
    .getByText(/, [1-9][\d,]* in work/)
    .first()
    .waitFor();
  // The first picture is part of loading.
  await page.waitForTimeout(2000);
  await browser.startTracing(page, { categories: ['toplevel'] });
  await page.evaluate(() => {
    window.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longTasks.push(duration);
    }).observe({ type: 'longtask' });
  });
  const sentBefore = feed.figures.sentBytes;
  feed.figures.stepMs.length = 0;
  await page.waitForTimeout(seconds * 1000);
  const longTasks = await page.evaluate(() => window.longTasks);
  const tasks = mainThreadTasks(await browser.stopTracing());
  const rate = (feed.figures.sentBytes - sentBefore) / seconds;
  const steps = feed.figures.stepMs.toSorted((a, b) => a - b);
  const rows = [
    ['tasks over 50 ms in the page, after loading', longTasks.length, '', '0'],
    ['… the longest', Math.max(0, ...longTasks), 'ms', '≤ 50'],
    ['… the longest in processor time', tasks.longestMs, 'ms', '≤ 50'],
    ['… main thread, processor time', (100 * tasks.sumMs) / (1000 * seconds), '%', ''],
    ['feed of one viewer', rate / 1000, 'kB/s', '< 20'],
    ['coordinator: one state, median', steps[steps.length >> 1], 'ms', ''],
    ['… the longest', steps.at(-1), 'ms', '≤ 50'],
  ];
  console.log(`${availableParallelism()} cores, load ${loadavg()[0].toFixed(1)}, ${seconds} s`);
  console.log('| dashboard, 100,000 tiles, 1,000 workers | measured | wanted |\n| --- | --- | --- |');
  for (const [name, value, unit, goal] of rows)
    console.log(`| ${name} | ${Number(value.toPrecision(3))} ${unit} | ${goal} |`);
} finally {
  await browser.close();
  feed.close();
}

/** Processor time of the page's main thread by its tasks: unlike the clock's it does not count other processes' turns. */
function mainThreadTasks(trace) {
  const { traceEvents } = JSON.parse(trace.toString());
  const threads = traceEvents.filter(
    ({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain',
  );
  const isOfPage = ({ pid, tid }) => threads.some((thread) => thread.pid === pid && thread.tid === tid);
  const times = traceEvents
    .filter((event) => event.ph === 'X' && /RunTask$/.test(event.name) && isOfPage(event))
    .map(({ tdur = 0 }) => tdur / 1000);
  return { longestMs: Math.max(0, ...times), sumMs: times.reduce((sum, ms) => sum + ms, 0) };
}
