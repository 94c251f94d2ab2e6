/** The volunteer page's parts. */
import type { JSX } from 'preact';
import { Picture } from './picture.tsx';
import type { Volunteer } from './volunteer.ts';
import { jobName, progressWords, shortNumber, shownJob, statusWords } from './words.ts';

interface PartProps {
  readonly volunteer: Volunteer;
}

/** Returns the whole page. */
export function App({ volunteer }: PartProps): JSX.Element {
  return (
    <>
      <header>
        <h1>Lend your browser to a search</h1>
        <p>
          Inside a large random network hides a small one that computes what a trained network computes: a
          winning lottery ticket. <strong>{location.host}</strong> is looking for one, puzzle by puzzle, and
          your device can solve some of them.
        </p>
      </header>
      <SearchCard volunteer={volunteer} />
      <PartCard volunteer={volunteer} />
      <Facts volunteer={volunteer} />
    </>
  );
}

function SearchCard({ volunteer }: PartProps): JSX.Element {
  const search = volunteer.search.value;
  const job = shownJob(search, volunteer.job.value);
  const others = Math.max(0, (search?.runningCount ?? 0) - 1);
  return (
    <section aria-labelledby="search-heading">
      <h2 id="search-heading">What is being computed</h2>
      {job === undefined ? (
        <p>{noJobWords(volunteer)}</p>
      ) : (
        <>
          <p class="job-name">{jobName(job)}</p>
          <Picture job={job} ownBlocks={volunteer.contribution.value.blocks} />
          <p class="quiet">
            {progressWords(job)}. Helping now:{' '}
            {search?.volunteerCount === 1 ? 'one browser' : `${search?.volunteerCount ?? 0} browsers`}
            {search?.workerCount ? ` and ${search.workerCount} of the coordinator’s own workers` : ''}.
            {others > 0 ? ` ${others === 1 ? 'Another job is' : `${others} more jobs are`} waiting.` : ''}
          </p>
        </>
      )}
    </section>
  );
}

function noJobWords({ search, contribution }: Volunteer): string {
  if (search.value === undefined) return 'Asking the coordinator …';
  if (search.value === null) return 'The coordinator does not answer at the moment.';
  return contribution.value.tiles > 0
    ? 'All is solved for now, some of it by you: thank you. New work starts by itself while you stay.'
    : 'Nothing at the moment. You can start all the same: work comes when there is some.';
}

function PartCard({ volunteer }: PartProps): JSX.Element {
  const status = volunteer.status.value;
  const isWanted = volunteer.isWanted.value;
  return (
    <section aria-labelledby="part-heading">
      <h2 id="part-heading">Your part</h2>
      <p>
        {isWanted
          ? 'Stop frees your processor at once. What is solved is handed in, the rest goes to others.'
          : 'Nothing runs before you press Start, and you can stop at any time. It takes processor time and a little data; it sees nothing of yours.'}
      </p>
      <div class="go">
        <button
          type="button"
          class={isWanted ? 'stop' : 'start'}
          onClick={() => (isWanted ? volunteer.stop() : volunteer.start())}
        >
          {isWanted ? 'Stop' : 'Start'}
        </button>
        <p role="status" class={`status ${status.kind}`}>
          {statusWords(status)}
        </p>
      </div>
      <Figures volunteer={volunteer} />
      <Limits volunteer={volunteer} />
    </section>
  );
}

function Figures({ volunteer }: PartProps): JSX.Element {
  const { tiles, blocks, blocksPerSecond } = volunteer.contribution.value;
  return (
    <dl class="figures">
      <div>
        <dt>Tiles handed in</dt>
        <dd id="tiles">{tiles}</dd>
      </div>
      <div>
        <dt>Puzzles solved</dt>
        <dd id="blocks">{shortNumber(blocks)}</dd>
      </div>
      <div>
        <dt>Puzzles a second</dt>
        <dd id="rate">{shortNumber(blocksPerSecond)}</dd>
      </div>
    </dl>
  );
}

function Limits({ volunteer }: PartProps): JSX.Element {
  const { cores, coresMax, dutyPercent, isGentle } = volunteer;
  return (
    <fieldset>
      <legend>How much of this device</legend>
      <label for="cores">
        Cores <span aria-hidden="true">{`${cores.value} of ${coresMax}`}</span>
      </label>
      <input
        id="cores"
        type="range"
        min={1}
        max={coresMax}
        value={cores.value}
        disabled={coresMax === 1}
        aria-valuetext={`${cores.value} of ${coresMax} cores`}
        onInput={(event) => volunteer.setCores(event.currentTarget.valueAsNumber)}
      />
      <label for="duty">
        Share of their time <span aria-hidden="true">{`${dutyPercent.value} %`}</span>
      </label>
      <input
        id="duty"
        type="range"
        min={10}
        max={100}
        step={10}
        value={dutyPercent.value}
        aria-valuetext={`${dutyPercent.value} percent`}
        onInput={(event) => volunteer.setDutyPercent(event.currentTarget.valueAsNumber)}
      />
      <label class="switch">
        <input
          id="gentle"
          type="checkbox"
          checked={isGentle.value}
          onChange={(event) => volunteer.setGentle(event.currentTarget.checked)}
        />
        Pause on battery, in data-saving mode, and half an hour after I leave this tab
      </label>
    </fieldset>
  );
}

function Facts({ volunteer }: PartProps): JSX.Element {
  const digest = volunteer.kernelDigest.value;
  return (
    <details>
      <summary>What exactly runs here?</summary>
      <ul>
        <li>
          One WebAssembly module of 13 kB, the same as on all other workers. It gets numbers and gives bits;
          no code comes from the network after this page.
          {digest === null ? (
            ' Its hash is shown here once it is loaded.'
          ) : (
            <>
              {' '}
              It has passed its self-test; its SHA-256 is <code id="kernel">{digest}</code>
            </>
          )}
        </li>
        <li>The numbers are weights of the networks. Whoever helps can see them.</li>
        <li>
          Every result is checked by the coordinator. It learns your network address, as every web site does,
          and knows you by a random name that is good for a day.
        </li>
        <li>
          Stored in this browser: that name, until you close the tab, and results that are not handed in yet.
          No cookies.
        </li>
      </ul>
    </details>
  );
}
