/** npm run docs: rewrites docs/reference/ from the doc comments. --check, which "npm run lint" uses: says whether it has to be. */
import { ensurePackages } from './lib/packages.mjs';
import { checkReference, writeReference } from './lib/reference.mjs';
import { main } from './lib/run.mjs';

await main(async () => {
  await ensurePackages();
  if (process.argv.includes('--check')) return checkReference();
  for (const path of await writeReference()) console.log(`${path} rewritten`);
});
