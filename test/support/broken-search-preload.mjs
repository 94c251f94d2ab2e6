// Throws where nobody catches when results are stored first, as a ledger that breaks does: node --import ./broken-search-preload.mjs …
import { isMainThread } from 'node:worker_threads';
import { ClassicLevel } from 'classic-level';

const { batch } = ClassicLevel.prototype;
if (isMainThread)
  ClassicLevel.prototype.batch = function breaking(...args) {
    queueMicrotask(() => {
      throw new Error('Broken invariant: two and two\nare four');
    });
    return batch.apply(this, args);
  };
