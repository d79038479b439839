import { availableParallelism } from 'node:os';

/** Runs the body over all items, as many at a time as there are processors. Resolves to the results in order. */
export async function inParallel(items, body) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await body(items[i]);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}
