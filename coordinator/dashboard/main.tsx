/** The dashboard page. */
import { render } from 'preact';
import { Page } from './parts/page.tsx';
import { startFollowing } from './store.ts';

const place = document.getElementById('page');
if (place !== null) {
  startFollowing();
  render(<Page />, place);
}
