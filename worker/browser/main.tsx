/** The volunteer page. */
import { render } from 'preact';
import { App } from './app.tsx';
import { Volunteer } from './volunteer.ts';

const volunteer = new Volunteer();
const place = document.getElementById('page');
if (place !== null) render(<App volunteer={volunteer} />, place);
volunteer.open();
