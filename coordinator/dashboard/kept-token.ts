/** The access token, kept for this tab and no longer: typed once, gone when the tab is closed. No cookie, so no other page can use it. */

const place = 'tombola.token';
let unkept = '';

/** Returns the token; '' when none was given. */
export function keptToken(): string {
  try {
    return sessionStorage.getItem(place) ?? unkept;
  } catch {
    return unkept;
  }
}

/** Keeps a token; '' forgets it. */
export function keepToken(token: string): void {
  unkept = token;
  try {
    if (token === '') sessionStorage.removeItem(place);
    else sessionStorage.setItem(place, token);
  } catch {
    // Where the browser keeps nothing for pages, the token lasts until this one is left.
  }
}
