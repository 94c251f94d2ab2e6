/** Submits a search: a network file that was converted before, or the command that does both. */
import { useSignal } from '@preact/signals';
import { Refusal, submitSearch } from '../coordinator-client.ts';
import { searchOf } from '../search-form.ts';
import { token } from '../store.ts';

/** The form, folded until it is wanted. */
export function SubmitSearch() {
  const problem = useSignal('');
  const isBusy = useSignal(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    problem.value = '';
    isBusy.value = true;
    try {
      window.location.hash = `#job=${await submitSearch(token.value, searchOf(new FormData(form)))}`;
      form.reset();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      problem.value = error.message;
    }
    isBusy.value = false;
  };
  return (
    <details class="card submit">
      <summary>
        <h2>Submit a search</h2>
      </summary>
      <p class="note">
        From a model file, on your own machine:{' '}
        <code>npx tombola submit MODEL.onnx --coordinator {window.location.origin}</code>
      </p>
      <p class="note">Or here, a network file of Tombola’s own format:</p>
      <form onSubmit={submit}>
        <label>
          Network file
          <input type="file" name="network" accept=".safetensors" required />
        </label>
        <label>
          Name
          <input type="text" name="name" maxLength={200} autocomplete="off" />
        </label>
        <label>
          Mode
          <select name="mode">
            <option value="tolerance">within a tolerance</option>
            <option value="exact">exact, on quantised weights</option>
          </select>
        </label>
        <label>
          Tolerance ε (of a layer’s largest weight)
          <input type="number" name="epsilon" min="0" max="1" step="any" defaultValue="0.01" required />
        </label>
        <label>
          Rule
          <select name="rule">
            <option value="fewest">fewest edges</option>
            <option value="closest">closest sum</option>
          </select>
        </label>
        <label>
          Seed
          <input type="text" inputMode="numeric" name="seed" pattern="\d{1,20}" defaultValue="1" required />
        </label>
        <label>
          Inputs from
          <input type="number" name="low" step="any" defaultValue="0" required />
        </label>
        <label>
          Inputs to
          <input type="number" name="high" step="any" defaultValue="1" required />
        </label>
        <label>
          Priority
          <input type="number" name="priority" min="-1000" max="1000" step="1" defaultValue="0" required />
        </label>
        <button type="submit" disabled={isBusy.value}>
          {isBusy.value ? 'Submitting …' : 'Submit'}
        </button>
        {problem.value !== '' && (
          <p class="error" role="alert">
            {problem.value}
          </p>
        )}
      </form>
    </details>
  );
}
