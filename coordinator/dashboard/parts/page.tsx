/** The page as a whole. */
import { feedState, hasOverview, session, token, useToken } from '../store.ts';
import { Glance } from './glance.tsx';
import { JobDetail } from './job-detail.tsx';
import { JobList } from './job-list.tsx';
import { Login } from './login.tsx';
import { SubmitSearch } from './submit-search.tsx';
import { TroubleList } from './trouble-list.tsx';
import { WorkerTable } from './worker-table.tsx';

/** Everything that is seen. Each part reads what it shows, so that a change draws no other part again. */
export function Page() {
  const state = feedState.value;
  if (state.kind === 'refused') return <Login reason={state.reason} wasTried={token.value !== ''} />;
  return (
    <>
      <Header />
      <main>
        {hasOverview.value ? (
          <>
            <Glance />
            <div class="columns">
              <div class="side">
                <JobList />
                {session.value?.maySubmit === true && <SubmitSearch />}
              </div>
              <JobDetail />
            </div>
            <WorkerTable />
            <TroubleList />
          </>
        ) : (
          <p class="empty" role="status">
            Asking the coordinator …
          </p>
        )}
      </main>
    </>
  );
}

function Header() {
  const { kind } = feedState.value;
  const texts = {
    live: 'Live',
    connecting: 'Connecting …',
    lost: 'The coordinator does not answer; trying again …',
    refused: '',
  };
  return (
    <header class="top">
      <h1>Tombola</h1>
      <p role="status" class={`connection ${kind}`}>
        {texts[kind]}
      </p>
      {token.value !== '' && (
        <button type="button" class="plain" onClick={() => useToken('')}>
          Log out
        </button>
      )}
    </header>
  );
}
