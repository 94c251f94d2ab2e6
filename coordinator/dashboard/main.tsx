/** The dashboard page. */
import { render } from 'preact';

const place = document.getElementById('page');
if (place !== null) render(<h1>Tombola</h1>, place);
