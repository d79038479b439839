import { availableParallelism } from 'node:os';

/** Runs the body over all items, `most` at a time, by default as many as there are processors. Resolves to the results in order. */
export async function inParallel(items, body, most = availableParallelism()) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await body(items[i]);
  };
  await Promise.all(Array.from({ length: most }, worker));
  return results;
}
