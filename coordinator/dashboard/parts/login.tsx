/** Asks for a token. */
import { useToken } from '../store.ts';

/** The form; `reason` in the coordinator's words, once a token was tried. */
export function Login({ reason, wasTried }: { readonly reason: string; readonly wasTried: boolean }) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    useToken(String(new FormData(form).get('token') ?? '').trim());
  };
  return (
    <main class="login">
      <h1>Tombola</h1>
      <form onSubmit={submit}>
        <label for="token">Access token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          autofocus
          aria-describedby="token-help"
          {...(wasTried ? { 'aria-invalid': true, 'aria-errormessage': 'token-error' } : {})}
        />
        {wasTried && (
          <p id="token-error" class="error" role="alert">
            {reason}
          </p>
        )}
        <p id="token-help" class="note">
          The operator makes one with <code>npx tombola token --data DIR --scope read</code> (
          <code>submit</code> to submit, cancel and download too). It is kept until this tab is closed.
        </p>
        <button type="submit">Look</button>
      </form>
    </main>
  );
}
