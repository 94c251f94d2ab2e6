/** From the submit form's fields to a search. Defaults that the form does not show are those of the command line. */
import type { NewSearch } from './coordinator-client.ts';

/** Returns the search that a form describes; what is wrong with it the coordinator says. */
export function searchOf(form: FormData): NewSearch {
  const text = (name: string): string => String(form.get(name) ?? '').trim();
  const network = form.get('network');
  const isExact = text('mode') === 'exact';
  return {
    network: network instanceof Blob ? network : new Blob([]),
    name: text('name') || (network instanceof File ? network.name.replace(/\.safetensors$/, '') : ''),
    priority: Number(text('priority')),
    options: {
      mode: isExact ? 'exact' : 'tolerance',
      epsilon: isExact ? 0 : Number(text('epsilon')),
      rule: text('rule'),
      seed: text('seed'),
      gridBits: isExact ? 8 : 24,
      copies: 'auto',
      biasInit: 'uniform',
      failureProbability: 1e-3,
      inputRange: [Number(text('low')), Number(text('high'))],
    },
  };
}
